"""What the terminal engine keeps, answers and survives; what it shows is compared with tmux elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.console.bittty_engine import MAX_ANSWERS, BitttyEngine
from pilot.console.engine import Cursor, Engine, Look, Modes, Run
from tests.console.test_conformance import everything
from tests.console.test_terminal_filter import DROPPED, PASSES

ESC = b"\x1b"


def engine(data: bytes = b"", columns: int = 80, rows: int = 24, scrollback: int = 10_000) -> BitttyEngine:
    made = BitttyEngine(columns, rows, scrollback)
    made.feed(data)
    return made


def screen(shown: Engine) -> list[str]:
    lines = [shown.text(shown.history + row) for row in range(shown.rows)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def test_it_is_an_engine() -> None:
    shown: Engine = engine(b"one\r\n\x1b[1;31mtwo\x1b[m \x1b[48;2;1;2;3mx\x1b[m")
    assert (shown.columns, shown.rows, shown.history, shown.dropped) == (80, 24, 0, 0)
    assert shown.line(0) == (Run("one", Look()),)
    assert shown.line(1) == (
        Run("two", Look(1, bold=True)),
        Run(" ", Look()),
        Run("x", Look(background=(1, 2, 3))),
    )
    assert shown.text(1) == "two x"
    assert shown.cursor == Cursor(5, 1, True)
    assert shown.line(-1) == shown.line(24) == ()
    assert shown.text(99) == ""


def test_the_scrollback_is_bounded_and_says_what_it_dropped() -> None:
    shown = engine(b"".join(b"line %d\r\n" % number for number in range(1000)), rows=10, scrollback=100)
    assert (shown.history, shown.dropped) == (100, 891)
    for number in (0, 50, 109):
        assert shown.text(number) in (f"line {number + shown.dropped}", "")
    assert shown.text(0) == "line 891"


def test_the_alternate_screen_has_no_scrollback_and_leaves_it_alone() -> None:
    shown = engine(b"".join(b"line %d\r\n" % number for number in range(50)))
    before = [shown.text(number) for number in range(shown.history + 24)]
    shown.feed(b"\x1b[?1049h\x1b[H" + b"program\r\n" * 50)
    assert shown.modes.alternate_screen
    assert shown.history == 0
    assert shown.text(0) == "program"
    shown.feed(b"\x1b[?1049l")
    assert [shown.text(number) for number in range(shown.history + 24)] == before


def test_wide_characters_and_accents() -> None:
    shown = engine("漢字 e\u0301a\u0308\r\n".encode())
    assert shown.text(0) == "漢字 e\u0301a\u0308"
    assert shown.cells(0) == ("漢", "", "字", "", " ", "e\u0301", "a\u0308")
    assert shown.line(0) == (Run("漢字 e\u0301a\u0308", Look()),)
    shown.feed(b"\r\n" * 30)
    assert shown.cells(0) == ("漢", "", "字", "", " ", "e\u0301", "a\u0308"), "the same in the scrollback"
    many = engine(("x" + "\u0301" * 1000).encode())
    assert len(many.cells(0)[0]) <= 6
    assert engine("\u0301\u0301ok".encode()).text(0) == "ok"


def test_wrapped_lines_say_so_and_keep_their_blanks() -> None:
    shown = engine(b"a" * 79 + b"  b\r\n" + b"\r\n" * 30)
    assert shown.wrapped(0)
    assert shown.text(0) == "a" * 79 + " "
    assert not shown.wrapped(1)
    assert shown.text(1) == " b"


def test_guests_cannot_clear_the_scrollback() -> None:
    shown = engine(b"evidence\r\n" + b"\r\n" * 40 + b"\x1b[3J\x1b[H\x1b[2J\x1bc\x1b[!p")
    assert shown.text(0) == "evidence"


def test_modes() -> None:
    shown = engine(b"\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b[20h\x1b[?25l\x1b[?5h")
    assert shown.modes == Modes(False, True, True, True, "drag", True, True, True, True)
    assert not shown.cursor.visible
    shown.feed(b"\x1b[?1l\x1b>\x1b[?2004l\x1b[?1002l\x1b[?1006l\x1b[?1004l\x1b[20l\x1b[?25h\x1b[?5l")
    assert shown.modes == Modes()
    for mode, mouse in ((1000, "click"), (1002, "drag"), (1003, "motion")):
        assert engine(b"\x1b[?%dh" % mode).modes.mouse == mouse


def test_title_and_bell() -> None:
    shown = engine(b"\x1b]0;hello \xe2\x9c\x93\x07\a\a")
    assert shown.title == "hello ✓"
    assert shown.bells == 2
    shown.feed(b"\x1b]2;in pie")
    shown.feed(b"ces\x1b")
    assert shown.title == "hello ✓"
    shown.feed(b"\\")
    assert shown.title == "in pieces"
    shown.feed(b"\x1b]2;" + "\u202e\u200bev\x9bil".encode() + b"\x07")
    assert shown.title == "evil"
    shown.feed(b"\x1b]2;" + b"x" * 900 + b"\x07")
    assert shown.title == "x" * 200
    shown.feed(b"\x1b]2;" + b"y" * 9000 + b"\x07\x1b]1;icon\x07\x1bkscreen\x1b\\")
    assert shown.title == "x" * 200, "too long is none, and no other names are titles"
    assert screen(shown) == []


def test_answers_are_those_of_a_plain_terminal() -> None:
    shown = engine(b"\x1b[3;7H\x1b[6n")
    assert shown.take_answers() == b"\x1b[3;7R"
    assert shown.take_answers() == b""
    shown.feed(b"\x1b[5n\x1b[c")
    answers = shown.take_answers()
    assert answers.startswith(b"\x1b[0n\x1b[?62;")
    assert answers.endswith(b"c")
    shown.feed(b"\x1b[>c")
    assert shown.take_answers().startswith(b"\x1b[>1;")


def test_nothing_that_a_guest_chose_is_answered() -> None:
    shown = engine()
    for name, data in DROPPED.items():
        shown.feed(
            b"\x1b]2;reboot\x07"
            + data.replace(b"owned", b"reboot")
            + b"\x1b\\\x1b[21t\x1b[20t\x1bP$qreboot\x1b\\"
        )
        assert set(shown.take_answers()) <= set(b"\x1b[]?>0123456789;cnR"), name
    shown.feed(
        b"\x1bP+q726562\x1b\\\x1b]52;c;?\x07\x1b]4;1;?\x07\x1b[>q\x1b[?2026$p\x1b[1;1;1;1;2;2*y\x05\x1bZ"
    )
    assert shown.take_answers() == b""


def test_answers_are_bounded() -> None:
    shown = engine(b"\x1b[6n" * 100_000)
    assert len(shown.take_answers()) <= MAX_ANSWERS
    shown.feed(b"\x1b[6n")
    assert shown.take_answers() == b"\x1b[1;1R"


def test_guests_cannot_resize() -> None:
    shown = engine(b"\x1b[8;1;1t\x1b[?3h\x1b[?40h\x1b[?3h\x1b[132$|\x1b[1*|")
    assert (shown.columns, shown.rows) == (80, 24)


def test_changed_rows() -> None:
    shown = engine(b"one")
    assert shown.take_changed() is None, "all of it at first"
    assert shown.take_changed() == frozenset()
    shown.feed(b"\x1b[5Htwo\x1b[7;3H\x1b[K")
    assert shown.take_changed() == frozenset({4, 6})
    shown.feed(b"\x1b[24;1H\r\n")
    assert shown.take_changed() is None
    shown.feed(b"\x1b[2;4r\x1b[4;1H\r\n\x1b[r")
    assert shown.take_changed() == frozenset({1, 2, 3})
    shown.feed(b"\x1b[?1049h")
    assert shown.take_changed() is None
    shown.feed(b"\x1b[?5h")
    assert shown.take_changed() is None
    shown.feed("\x1b[3;3He\u0301".encode())
    assert shown.take_changed() == frozenset({2})


def test_lower_and_higher_again_loses_nothing() -> None:
    shown = engine(b"".join(b"line %d\r\n" % number for number in range(30)) + b"$ ")
    before = everything(shown)
    first = shown.dropped + shown.history
    shown.resize(80, 10)
    assert shown.text(shown.history + shown.cursor.row) == "$"
    assert shown.dropped + shown.history == first + 14
    shown.resize(80, 24)
    assert everything(shown) == before
    top = engine(b"one\r\ntwo")
    top.resize(80, 10)
    assert (top.history, screen(top)) == (0, ["one", "two"]), "blank lines go first"
    top.resize(80, 30)
    assert screen(top) == ["one", "two"]


def test_narrower_wraps_and_wider_joins() -> None:
    text = "".join(f"{number:04}" for number in range(15))
    shown = engine(text.encode() + b"\r\n$ ")
    shown.resize(25, 24)
    assert screen(shown) == [text[:25], text[25:50], text[50:], "$"]
    assert shown.wrapped(shown.history)
    shown.resize(80, 24)
    assert screen(shown) == [text, "$"]
    assert shown.cursor == Cursor(2, 1, True)


def test_resizing_on_the_alternate_screen_keeps_the_normal_one() -> None:
    shown = engine(b"".join(b"line %d\r\n" % number for number in range(20)) + b"\x1b[?1049hprogram")
    shown.resize(80, 6)
    shown.feed(b"\x1b[?1049l!")
    lines = [shown.text(number) for number in range(shown.history + shown.rows)]
    assert [line for line in lines if line] == [*(f"line {number}" for number in range(20)), "!"]


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (-5, 3), (10**9, 10**9)])
def test_sizes_are_bounded(size: tuple[int, int]) -> None:
    shown = engine(b"hello\r\nworld")
    shown.resize(*size)
    assert 2 <= shown.columns <= 1000
    assert 1 <= shown.rows <= 500
    shown.feed("漢字 text\r\n".encode() * 20)
    assert not shown.faults


def test_reset_begins_anew() -> None:
    shown = engine(b"\x1b]2;title\x07text\r\n" * 100 + b"\x1b[?1049h\x1b[?1h\x1b[31m\x1b[5")
    shown.reset()
    assert (shown.history, shown.modes, shown.title, screen(shown)) == (0, Modes(), "", [])
    shown.feed(b"n")
    assert shown.line(0) == (Run("n", Look()),)


NASTY = {
    "new lines": b"\n",
    "scrolling": b"\x1b[44m\x1b[9999S",
    "repeating": b"a\x1b[9999b",
    "huge numbers": b"\x1b[999999999@\x1b[99999999999999999999b\x1b[4294967296;4294967297H",
    "many numbers": b"\x1b[" + b";" * 5000 + b"m",
    "colons": b"\x1b[" + b"4:3:" * 3000 + b"m",
    "inserting": b"\x1b[9999@\x1b[9999L\x1b[4ha\x1b[4l",
    "erasing": b"\x1b[42m\x1b[2J\x1b[H\x1b[J\x1b[1J\x1b[9999X",
    "tabs": b"\x1b[9999I\x1b[9999Z\x1bH\t",
    "alignment": b"\x1b#8",
    "accents": b"\xcc\x81",
    "joined emoji": "👩\u200d".encode(),
    "not UTF-8": b"\xff\xc0\x80\xed\xa0\x80",
    "an open title": b"\x1b]0;x",
    "an open DCS": b"\x1bPq#0",
    "an open APC": b"\x1b_",
    "sixel": b"\x1bPq~~~~\x1b\\",
    "full resets": b"\x1bc",
    "screens": b"\x1b[?1049h\x1b[?47l",
    "questions": b"\x1b[6n\x1b[c",
    "regions": b"\x1b[2;3r\n\n\n\x1bM\x1bM\x1b[r",
    "escapes": b"\x1b",
}


@pytest.mark.parametrize("name", NASTY)
def test_what_is_meant_to_be_slow_or_to_fill_memory(name: str) -> None:
    data = NASTY[name]
    stream = data * (20_000 // len(data) + 1)
    shown = engine(columns=120, rows=40)
    tracemalloc.start()
    begin = time.monotonic()
    try:
        for start in range(0, len(stream), 4096):
            shown.feed(stream[start : start + 4096])
        taken, memory = time.monotonic() - begin, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    # Far above what it takes, even traced, on a busy machine; far below what goes wrong without a bound.
    assert taken < 40, f"{taken:.1f} s for {len(stream)} bytes"
    assert memory < 64 * 1024 * 1024
    assert not shown.faults
    shown.feed(b"\x1b\\\x18\x07\n" + b"\x1b[!p\x1b[?1049l\x1b[r\x1b[H\x1b[2Jstill here")
    assert screen(shown) == ["still here"]


def test_a_hostile_scrollback_is_bounded_in_bytes() -> None:
    row = b"".join(b"\x1b[38;2;%d;%d;%dmx" % (n % 256, n // 7, n % 5) for n in range(500))
    shown = engine(columns=500)
    for _ in range(800):
        shown.feed(row + b"\r\n")
    assert 0 < shown.history < 500
    assert shown.dropped > 200
    assert not shown.faults


pieces = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([*PASSES, *DROPPED.values(), *NASTY.values(), "漢".encode(), b"\r\n", b"x" * 79]),
    st.builds(
        lambda mark, numbers, middle, final: b"\x1b[" + mark + numbers + middle + final,
        st.sampled_from([b"", b"", b"", b"?", b">"]),
        st.from_regex(rb"([0-9]{0,4};){0,3}[0-9]{0,3}", fullmatch=True),
        st.sampled_from([b"", b"", b"", b" ", b"!", b"$"]),
        st.integers(0x40, 0x7E).map(lambda n: bytes([n])),
    ),
    st.builds(lambda mode, on: b"\x1b[?%d%s" % (mode, b"h" if on else b"l"),
              st.sampled_from([1, 5, 6, 7, 25, 47, 1000, 1006, 1047, 1048, 1049, 2004]), st.booleans()),
)  # fmt: skip
steps = st.lists(
    st.one_of(pieces, pieces, pieces, st.tuples(st.integers(1, 100), st.integers(1, 40))), max_size=25
)


@given(steps)
@settings(deadline=None)
def test_nothing_that_is_fed_makes_it_fail(fed: list[bytes | tuple[int, int]]) -> None:
    shown = engine(columns=20, rows=6, scrollback=30)
    for step in fed:
        if isinstance(step, tuple):
            shown.resize(*step)
        else:
            shown.feed(step)
        shown.take_changed()
        shown.take_answers()
        assert shown.history <= 30
        column, row, _ = shown.cursor
        assert 0 <= column < shown.columns
        assert 0 <= row < shown.rows
        for number in range(shown.history + shown.rows):
            cells = shown.cells(number)
            assert number < shown.history or len(cells) <= shown.columns
            assert "".join(cells) == "".join(run.text for run in shown.line(number))
            assert "".join(cells).rstrip(" ") == shown.text(number).rstrip(" ")
            assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in "".join(cells))
    assert not shown.faults


@given(st.lists(pieces, max_size=10).map(b"".join), st.lists(st.integers(0, 60), max_size=8))
@settings(deadline=None)
def test_how_it_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    whole = engine(data, 20, 6)
    cut = engine(columns=20, rows=6)
    places = sorted({0, len(data), *(min(place, len(data)) for place in cuts)})
    for start, end in pairwise(places):
        cut.feed(data[start:end])
    assert everything(cut) == everything(whole)
    assert cut.take_answers() == whole.take_answers()


def test_a_failing_emulator_costs_a_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = engine(b"before ")

    def fail(_text: str) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(shown._board.parser, "feed", fail)
    shown.feed(b"lost")
    monkeypatch.undo()
    shown.feed(b"after")
    assert shown.faults == 1
    assert screen(shown) == ["before after"]


def test_it_is_only_imported_when_asked_for() -> None:
    code = "import sys, pilot.console.engine, pilot.console.keys; sys.exit('bittty' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
