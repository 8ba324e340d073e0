"""What may reach a person's terminal, and what never does."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilot.terminal_filter import TerminalFilter
from pilot.terminal_sequences import judge

PASSES = [
    b"plain text, tabs\tand\r\nlines\x08\x07",
    "ünïcödé 漢字 ▁▂▃ 🚀".encode(),
    b"\x1b[31;1mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[m \x1b[4:3mcurly",
    b"\x1b[H\x1b[2J\x1b[3;4H\x1b[K\x1b[1;24r\x1b[2L\x1b[2M\x1b[4P\x1b[5@\x1b[6X\x1b[7d\x1b[8G",
    b"\x1b7\x1b8\x1bD\x1bM\x1bE\x1bH\x1b[3g\x1b=\x1b>",
    b"\x1b(0lqqk\x1b(B\x0ex\x0f\x1b#8",
    b"\x1b[?25l\x1b[?25h\x1b[?7l\x1b[?1049h\x1b[?1049l\x1b[?2004h\x1b[?1000;1006h",
    b"\x1b[4h\x1b[4l\x1b[!p\x1b[2 q\x1b[s\x1b[u\x1b[80b",
]


@pytest.mark.parametrize("data", PASSES)
def test_screens_pass_as_they_are(data: bytes) -> None:
    assert TerminalFilter().feed(data) == data


DROPPED = {
    "title": b"\x1b]0;owned\x07",
    "title with ST": b"\x1b]2;owned\x1b\\",
    "clipboard": b"\x1b]52;c;cm0gLXJmIC8=\x07",
    "hyperlink": b"\x1b]8;;http://evil\x1b\\",
    "colours": b"\x1b]4;1;rgb:00/00/00\x07",
    "colour query": b"\x1b]10;?\x07",
    "notification": b"\x1b]777;notify;a;b\x07",
    "answerback": b"\x05",
    "DCS": b"\x1bP$qm\x1b\\",
    "sixel": b"\x1bPq#0;2;0;0;0\n#0~~\x07@@\x1b\\",
    "APC": b"\x1b_Gi=1;AAAA\x1b\\",
    "PM": b"\x1b^secret\x1b\\",
    "SOS": b"\x1bXsecret\x1b\\",
    "window ops": b"\x1b[21t\x1b[8;1;1t\x1b[22;0;0t",
    "media copy": b"\x1b[5i\x1b[?5i",
    "DSR": b"\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n",
    "DA": b"\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ",
    "DECRQM": b"\x1b[?2026$p\x1b[4$p",
    "XTVERSION": b"\x1b[>q\x1b[>0q",
    "DECREQTPARM": b"\x1b[x\x1b[1x",
    "DECRQCRA": b"\x1b[1;1;1;1;24;80*y",
    "kitty keyboard": b"\x1b[>1u\x1b[<u\x1b[?u\x1b[=1;1u",
    "modifyOtherKeys": b"\x1b[>4;2m",
    "keyboard lock": b"\x1b[2h\x1b[12h\x1b[20h",
    "132 columns": b"\x1b[?3h",
    "synchronised output for ever": b"\x1b[?2026h",
    "scrollback erase": b"\x1b[3J",
    "highlight tracking": b"\x1b[1;1;1;1;1T",
    "endless repeat": b"\x1b[99999b",
    "leaving UTF-8": b"\x1b%@\x1b%G",
    "8-bit controls on": b"\x1b G\x1b F",
    "locking shifts": b"\x1bn\x1bo\x1b|\x1b}\x1b~",
    "memory lock": b"\x1bl\x1bm",
    "screen's title": b"\x1bkowned\x1b\\",
    "Linux palette": b"\x1b]P0aabbcc\x1b]R",
    "other controls": b"\x00\x01\x02\x03\x04\x06\x10\x11\x13\x15\x18\x1a\x1c\x7f",
    "national characters": b"\x1b$(C\x1b(K",
    "C1 in UTF-8": b"\xc2\x9b\xc2\x90\xc2\x84",
}


@pytest.mark.parametrize("name", DROPPED)
def test_dropped_without_a_trace(name: str) -> None:
    assert TerminalFilter().feed(b"<" + DROPPED[name] + b">") == b"<>"


def test_raw_c1_and_broken_utf8_are_replaced() -> None:
    replaced = "\ufffd".encode()
    for broken in (b"\x9b", b"\x90", b"\x9d", b"\xff", b"\xc0", b"\xed\xa0\x80"[:1] + b"<", b"\xe2\x82<"):
        out = TerminalFilter().feed(b"a" + broken + b"b")
        assert replaced in out
        assert not re.search(rb"[\x80-\x9f]", out.replace(replaced, b""))
        out.decode()


def test_questions_pass_only_live_and_only_two_of_them() -> None:
    questions = b"\x1b[6n\x1b[c\x1b[0c\x1b[5n\x1b[?6n\x1b[>c\x1b[=c\x1b[?1$p\x1b[>q\x1b]10;?\x07\x1bZ\x05"
    assert TerminalFilter(answers=True).feed(questions) == b"\x1b[6n\x1b[c\x1b[0c"
    assert TerminalFilter().feed(questions) == b""


def test_a_full_reset_clears_the_screen_but_not_the_scrollback() -> None:
    out = TerminalFilter().feed(b"\x1b[?1049h\x1bc")
    assert b"\x1bc" not in out
    assert b"\x1b[?1049l" in out
    assert out.endswith(b"\x1b[H\x1b[2J")


def test_noise_that_looks_like_a_string_does_not_blind_the_viewer() -> None:
    filtered = TerminalFilter()
    assert filtered.feed(b"\x1bP" + b"x" * 70_000) == b"x" * (70_000 - 64 * 1024)
    filtered = TerminalFilter()
    assert filtered.feed(b"\x1b]0;half a title\nlogin: ") == b"\nlogin: "
    filtered = TerminalFilter()
    assert filtered.feed(b"\x1b[" + b"1;" * 10_000 + b"mtext") == b"text"


def test_reset_puts_back_only_what_was_changed() -> None:
    filtered = TerminalFilter()
    filtered.feed(b"hello\r\nthere")
    assert filtered.reset_sequence() == b""
    filtered.feed(
        b"\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b[?2004h\x1b[1;3r\x1b[31m\x1b[4h\x1b=\x1b(0\x1b[?7l\x1b[5 q"
    )
    assert filtered.alternate_screen
    reset = filtered.reset_sequence()
    for expected in (
        b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1006l", b"\x1b[?2004l", b"\x1b[r", b"\x1b[m",
        b"\x1b[4l", b"\x1b>", b"\x1b(B", b"\x1b[?7h", b"\x1b[0 q",
    ):  # fmt: skip
        assert expected in reset
    assert filtered.reset_sequence() == b""
    assert TerminalFilter().feed(reset) == reset, "it says nothing that would not pass"


# What is likely to hurt, in pieces that hypothesis puts together.
pieces = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([*PASSES, *DROPPED.values(), b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP", b"\x1b\\", b"\x07"]),
    st.builds(
        lambda mark, numbers, middle, final: b"\x1b[" + mark + numbers + middle + final,
        st.sampled_from([b"", b"?", b">", b"=", b"<"]),
        st.from_regex(rb"[0-9;:]{0,6}", fullmatch=True),
        st.sampled_from([b"", b" ", b"!", b"$", b'"', b"*"]),
        st.integers(0x40, 0x7E).map(lambda n: bytes([n])),
    ),
)
streams = st.lists(pieces, max_size=12).map(b"".join)

_ALLOWED = re.compile(
    rb"[\x07-\x0f\x20-\x7e]"
    rb"|\x1b[78DEHM=>]|\x1b[()][0AB]|\x1b#8"
    rb"|\x1b\[[0-9;]*[@A-IK-MPSTXZ`abdefgrsuJ]|\x1b\[[0-9;:]*m|\x1b\[4[hl]|\x1b\[!p|\x1b\[[0-9;]* q"
    rb"|\x1b\[\?[0-9;]+[hl]"
)


def _forbidden(out: bytes, answers: bool) -> str:
    """What in the output may not be there; read independently of the filter."""
    text = out.decode("utf-8")
    if any(0x80 <= ord(c) <= 0x9F for c in text):
        return "C1"
    position, data = 0, text.encode()
    while position < len(data):
        if data[position] >= 0x80:
            position += 1
            continue
        match = _ALLOWED.match(data, position) or (
            re.compile(rb"\x1b\[6n|\x1b\[0*c").match(data, position) if answers else None
        )
        if match is None:
            return repr(data[position : position + 12])
        position = match.end()
    return ""


@given(streams, st.booleans())
@example(b"\x1b\x1b]0;x\x07", False)
@example(b"\x1b[1\x1b]0;x\x07", False)
@example(b"\x1b]0;x\x1b[6n", False)
def test_nothing_forbidden_ever_comes_out(data: bytes, answers: bool) -> None:
    out = TerminalFilter(answers).feed(data)
    assert not _forbidden(out, answers)


@given(streams, st.lists(st.integers(0, 60), max_size=10))
def test_how_it_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    whole = TerminalFilter(True)
    cut = TerminalFilter(True)
    expected = whole.feed(data)
    places = sorted({0, len(data), *(min(place, len(data)) for place in cuts)})
    got = b"".join(cut.feed(data[a:b]) for a, b in pairwise(places))
    assert got == expected
    assert cut.reset_sequence() == whole.reset_sequence()


@given(streams)
def test_byte_by_byte_is_the_same_and_passing_twice_changes_nothing(data: bytes) -> None:
    once = TerminalFilter().feed(data)
    single = TerminalFilter()
    assert b"".join(single.feed(data[i : i + 1]) for i in range(len(data))) == once
    assert TerminalFilter().feed(once) == once


ADVERSARIAL = {
    "bad bytes in text": b"\x80a",
    "C1 in text": b"\xc2\x80a",
    "controls in text": b"\x01a",
    "escapes": b"\x1b",
    "sequences broken off": b"\x1b[\x1b[1;",
    "strings broken off": b"\x1b]",
    "strings in text": b"\x1bP1\x1b\\a",
    "colours": b"\x1b[1m\x1b[31m",
    "charsets": b"\x1b(0\x1b(B",
    "saved cursors": b"\x1b7\x1b8",
    "shifts": b"\x0e\x0f",
    "cursor moves": b"\x1b[H\x1b[1;2H",
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_what_a_guest_prints_to_be_slow_to_filter_is_taken_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = TerminalFilter._escape

    def counted(self: TerminalFilter, data: bytes, position: int, out: bytearray) -> int | None:
        nonlocal looks
        looks += 1
        return look(self, data, position, out)

    monkeypatch.setattr(TerminalFilter, "_escape", counted)
    TerminalFilter().feed(ADVERSARIAL[name] * 4096)
    assert looks <= 3, "closer looks at single sequences"


def test_what_is_judged_one_by_one_is_judged_once() -> None:
    judge.cache_clear()
    TerminalFilter().feed(b"\x1b[?1h\x1b[?1l" * 4096)
    assert judge.cache_info().misses == 2
    TerminalFilter().feed(b"".join(b"\x1b[?1;%dh" % number for number in range(5000)))
    assert judge.cache_info().currsize <= 1024


def test_nothing_grows_together_from_what_stands_around_what_is_dropped() -> None:
    for between in (b"\x00", b"\xc2\x9b", b"\x1b\\", b"\x1b]x\x1b\\", b"\x7f"):
        assert b"\x1b[2J" not in TerminalFilter().feed(b"\x1b" + between + b"[2J")
        assert "\u20ac" not in TerminalFilter().feed(b"\xe2" + between + b"\x82\xac").decode()
        assert b"\x1b]" not in TerminalFilter().feed(b"a\x1b" + between + b"]0;x\x07")
