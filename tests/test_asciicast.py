"""asciicast v2 and v3: written, read, converted; and files that are none."""

from __future__ import annotations

import io
import json

import pytest

from pilot import asciicast
from pilot.asciicast import Encoder, Event, Header, Reader, Text, convert, read_size
from pilot.errors import CastError

HEADER = b'{"version":3,"term":{"cols":80,"rows":24}}\n'


def written(header: Header, *events: Event) -> bytes:
    encoder = Encoder(header)
    return encoder.header() + b"".join(encoder.event(event) for event in events)


def read(data: bytes) -> list[Event]:
    return list(Reader(io.BytesIO(data)))


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_written_is_read(version: int) -> None:
    header = Header(132, 43, 1504467315, "compute-0-0", "xterm-256color", version)
    events = [Event(0.25, "o", "\x1b[1mé\r\n"), Event(1.5, "m", "boot"), Event(1.5, "r", "90x30")]
    data = written(header, *events)
    assert Reader(io.BytesIO(data)).header == header
    assert read(data) == events


def test_the_lines_are_those_of_the_format() -> None:
    lines = written(Header(80, 24, 7), Event(0.248, "o", "a"), Event(1.249, "x", "0")).splitlines()
    assert json.loads(lines[0]) == {"term": {"cols": 80, "rows": 24}, "version": 3, "timestamp": 7}
    assert [json.loads(line) for line in lines[1:]] == [[0.248, "o", "a"], [1.001, "x", "0"]]


def test_times_do_not_drift() -> None:
    events = [Event(step / 3e6, "o", ".") for step in range(30_000)]
    assert read(written(Header(), *events))[-1].time == pytest.approx(events[-1].time, abs=1e-6)


def test_a_clock_that_goes_back_writes_no_negative_interval() -> None:
    assert [event.time for event in read(written(Header(), Event(2, "o", "a"), Event(1, "o", "b")))] == [2, 2]


def test_the_example_of_the_format_with_comments_and_unknown_kinds() -> None:
    data = HEADER + b'# words\n[0.5,"o","a"]\n\n[1,"z","?"]\n[0.5,"r","90x30"]\n[0.1,"x","0"]\n'
    assert read(data) == [
        Event(0.5, "o", "a"),
        Event(2.0, "r", "90x30"),
        Event(pytest.approx(2.1), "x", "0"),  # type: ignore[arg-type]
    ]


def test_converted_to_v2_times_count_from_the_beginning_and_the_exit_is_left_out() -> None:
    source = written(Header(80, 24), Event(1, "o", "a"), Event(3, "o", "b"), Event(4, "x", "0"))
    lines = list(convert(Reader(io.BytesIO(source)), 2))
    assert [json.loads(line) for line in lines] == [
        {"width": 80, "height": 24, "version": 2},
        [1.0, "o", "a"],
        [3.0, "o", "b"],
    ]


def test_text_in_any_slices_is_neither_lost_nor_doubled() -> None:
    data = "ż→💻\r\n".encode() * 3 + b"\xff\xfe" + "é".encode()
    for size in range(1, len(data)):
        text = Text()
        parts = [text.take(data[at : at + size]) for at in range(0, len(data), size)]
        assert "".join(parts) + text.finish() == data.decode(errors="replace")


@pytest.mark.parametrize(
    "line",
    [
        b"[1]\n",
        b'["1","o","a"]\n',
        b'[-1,"o","a"]\n',
        b'[NaN,"o","a"]\n',
        b'[1e999,"o","a"]\n',
        b'[1e300,"o","a"]\n',
        b'[1,"r","0x24"]\n',
        b'[1,"r","99999999999x1"]\n',
        b'[1,"o","\xff"]\n',
        b'[1,"o","\\ud800"]\n',
        b"[" * 100_000 + b"\n",
        b'[1,"o","a',
    ],
)
def test_a_line_that_is_none_is_named(line: bytes) -> None:
    with pytest.raises(CastError, match="line 3"):
        read(HEADER + b'[1,"o","a"]\n' + line)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\x00" * 100,
        b"[]\n",
        b'{"version":1}\n',
        b'{"version":3}\n',
        b'{"version":3,"term":{"cols":0,"rows":24}}\n',
        b'{"version":2,"width":80,"height":100000}\n',
        b"{" * 200_000,
        b'{"version":2,"width":80,"height":24,"timestamp":1e999}\n',
    ],
)
def test_a_file_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(CastError, match="line 1"):
        Reader(io.BytesIO(header))


def test_a_huge_line_is_not_read_whole() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= asciicast.MAX_LINE + 1
            return b"x" * size

    with pytest.raises(CastError, match="longer"):
        Reader(Endless())  # type: ignore[arg-type]


def test_v2_that_goes_back_in_time_is_refused() -> None:
    with pytest.raises(CastError, match="back in time"):
        read(b'{"version":2,"width":80,"height":24}\n[2,"o","a"]\n[1,"o","b"]\n')


def test_of_a_file_that_grows_the_last_line_may_be_cut() -> None:
    reader = Reader(io.BytesIO(HEADER + b'[1,"o","a"]\n[1,"o","b'), may_grow=True)
    assert list(reader) == [Event(1, "o", "a")]
    assert reader.cut


def test_sizes() -> None:
    assert read_size("90x30") == (90, 30)
    assert [read_size(text) for text in ("", "x", "90", "9x", "-1x3", "²x3", "1x1x1", "1001x1")] == [None] * 8


@pytest.mark.parametrize(
    ("said", "meant"), [("7", 7), ("-1", None), ("1000000000000000", None), ("null", None)]
)
@pytest.mark.parametrize(
    "head", ['"term":{"cols":80,"rows":24},"version":3', '"width":80,"height":24,"version":2']
)
def test_a_beginning_that_is_no_date_is_none(head: str, said: str, meant: int | None) -> None:
    line = f'{{{head},"timestamp":{said}}}\n'
    assert Reader(io.BytesIO(line.encode())).header.timestamp == meant
