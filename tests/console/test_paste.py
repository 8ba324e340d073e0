"""What becomes of pasted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.console.engine import Modes
from pilot.console.paste import (
    ASK_CHARACTERS,
    ASK_LINES,
    CHUNK,
    LINE_PAUSE,
    LONGEST_LINE,
    MOST_CHARACTERS,
    RATE,
    prepare,
    question,
    seconds,
)

PLAIN = Modes()
BRACKETED = Modes(bracketed_paste=True)


def sent(text: str, modes: Modes = PLAIN) -> bytes:
    return b"".join(chunk.data for chunk in prepare(text, modes))


def test_new_lines_are_what_enter_sends() -> None:
    assert sent("one\ntwo\r\nthree\rfour") == b"one\rtwo\rthree\rfour"
    assert sent("one\n", Modes(newline=True)) == b"one\r\n"
    assert sent("a\tb") == b"a\tb"
    assert sent("") == b""


def test_brackets_only_if_asked_for_and_never_ended_from_inside() -> None:
    assert sent("ls\n", BRACKETED) == b"\x1b[200~ls\r\x1b[201~"
    evil = "x\x1b[201~\nreboot\n\x9b201~"
    assert sent(evil, BRACKETED) == b"\x1b[200~x[201~\rreboot\r201~\x1b[201~"
    assert sent(evil).count(b"\x1b") == 0


@given(st.text(), st.booleans(), st.booleans())
def test_no_control_gets_through(text: str, bracketed: bool, newline: bool) -> None:
    data = sent(text, Modes(bracketed_paste=bracketed, newline=newline))
    if bracketed:
        assert data.startswith(b"\x1b[200~")
        assert data.endswith(b"\x1b[201~")
        data = data[6:-6]
    typed = data.decode()
    assert not [c for c in typed if (ord(c) < 32 and c not in "\t\r\n") or 127 <= ord(c) < 160]
    assert "\n" not in typed or (newline and not bracketed)


@given(st.text(alphabet="aé漢🚀\n", max_size=300))
def test_chunks_are_small_and_cut_no_character(text: str) -> None:
    for chunk in prepare(text, PLAIN):
        assert 0 < len(chunk.data) <= CHUNK
        chunk.data.decode()
        assert chunk.pause >= len(chunk.data) / RATE


def test_the_pace_suits_a_serial_line() -> None:
    text = "\n".join("x" * 99 for _ in range(100))
    chunks = prepare(text, PLAIN)
    assert seconds(chunks) == pytest.approx(len(text) / RATE + 99 * LINE_PAUSE)
    assert chunks[1].pause >= LINE_PAUSE, "after a line"
    assert seconds(prepare(text, BRACKETED)) == pytest.approx(len(text) / RATE)


def test_what_is_worth_a_question() -> None:
    assert question("") is None
    assert question("ls -l\n") is None
    assert question("line\n" * ASK_LINES) is None
    asked = question("line\n" * (ASK_LINES + 1))
    assert asked is not None
    assert (asked.lines, asked.controls) == (ASK_LINES + 1, 0)
    assert question("x" * ASK_CHARACTERS) is None
    assert question("x" * (ASK_CHARACTERS + 1)) is not None
    asked = question("ls\x03\x1b[A")
    assert asked is not None
    assert asked.controls == 2
    asked = question("x" * (LONGEST_LINE + 1))
    assert asked is not None
    assert asked.long_lines
    asked = question("x" * (MOST_CHARACTERS + 1))
    assert asked is not None
    assert asked.truncated
    assert len(sent("x" * (MOST_CHARACTERS + 1))) == MOST_CHARACTERS
