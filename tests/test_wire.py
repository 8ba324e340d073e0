"""Frames, the signed body, the window of seqs, and text from a peer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot import wire
from pilot.errors import WireError
from pilot.records import Node

BODY = wire.RequestBody(
    v=1,
    airboss="SHA256:abc",
    challenge="00" * 32,
    seq=1,
    time=1.5,
    verb="power.on",
    cluster="vc1",
    targets=("compute-0-0",),
    args={"grace": 5.0},
)


def payload(frame: wire.ClientFrame | wire.ServerFrame) -> bytes:
    return wire.encode(frame)[4:]


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(1, 7))
def test_frames_survive_any_chunking(datas: list[bytes], step: int) -> None:
    frames = [wire.Input(data) for data in datas]
    stream = b"".join(wire.encode(frame) for frame in frames)
    reader = wire.FrameReader(wire.MAX_CLIENT_FRAME)
    got = [p for i in range(0, len(stream), step) for p in reader.feed(stream[i : i + step])]
    assert [wire.decode_client(p) for p in got] == frames
    assert reader.pending == 0


@pytest.mark.parametrize("length", [0, wire.MAX_CLIENT_FRAME + 1, 2**32 - 1])
def test_a_frame_over_the_limit_is_refused_by_its_length(length: int) -> None:
    reader = wire.FrameReader(wire.MAX_CLIENT_FRAME)
    with pytest.raises(WireError):
        list(reader.feed(length.to_bytes(4, "big")))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_frame_or_a_wire_error(data: bytes) -> None:
    for decode in (wire.decode_client, wire.decode_server, wire.decode_request, wire.decode_receipt):
        try:
            decode(data)
        except WireError:
            continue


def test_a_truncated_frame_is_never_decoded() -> None:
    whole = payload(wire.Request(wire.encode_body(BODY), b"sig"))
    for length in range(len(whole)):
        with pytest.raises(WireError):
            wire.decode_client(whole[:length])


def test_a_client_frame_is_no_server_frame() -> None:
    with pytest.raises(WireError):
        wire.decode_server(payload(wire.Take()))
    with pytest.raises(WireError):
        wire.decode_client(payload(wire.Output(b"x")))


def test_a_request_keeps_its_bytes_and_its_meaning() -> None:
    assert wire.decode_request(wire.encode_body(BODY)) == BODY


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        wire.encode_body(BODY).replace(b'"v":1', b'"v":2'),
        wire.encode_body(BODY).replace(b'"v":1', b'"v":1,"extra":1'),
        wire.encode_body(BODY).replace(b'"seq":1', b'"seq":"1"'),
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_a_request_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        wire.decode_request(body)


def test_a_record_travels_whole() -> None:
    node = Node("id", name="n", cluster="c", host="h", domain="d", state="on", since=1.0, hung_ms=5)
    frame = wire.Delta(3, (node,), ("gone",), 9.0)
    assert wire.decode_server(payload(frame)) == frame


@given(st.text(max_size=400))
def test_plain_text_has_no_control_characters_and_a_bound(text: str) -> None:
    shown = wire.plain(text)
    assert len(shown) <= 200
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("trick", ["\u2028", "\u2029", "\u202e", "\u2066", "\x85", "\x9b", "\x1b", "\r"])
def test_plain_text_is_one_line_in_one_direction(trick: str) -> None:
    assert wire.plain(f"a{trick}b") == "a\N{REPLACEMENT CHARACTER}b"
    assert wire.plain(trick * 300, 10) == "\N{REPLACEMENT CHARACTER}" * 9 + "…"
