"""Searching, and selecting, while the guest goes on."""

from __future__ import annotations

import pytest

from pilot.console.bittty_engine import BitttyEngine
from pilot.console.search import LONGEST_PATTERN, Found, Search
from pilot.console.selection import (
    MOST_COPIED,
    Position,
    Span,
    copied,
    line_at,
    span,
    text,
    word_at,
)
from pilot.errors import UsageError


def engine(data: bytes, columns: int = 80, rows: int = 10, scrollback: int = 10_000) -> BitttyEngine:
    made = BitttyEngine(columns, rows, scrollback)
    made.feed(data)
    return made


def log(lines: int) -> bytes:
    return b"".join(b"line %d of %d, ERROR at 0x%x\r\n" % (n, lines, n * 977) for n in range(lines))


def at(line: int, start: int, end: int) -> Found:
    return Found(Position(line, start), Position(line, end))


def test_case_matters_if_it_is_typed() -> None:
    shown = engine(b"Error error ERROR\r\n")
    assert Search("error").all(shown) == [at(0, 0, 5), at(0, 6, 11), at(0, 12, 17)]
    assert Search("ERROR").all(shown) == [at(0, 12, 17)]
    assert Search(r"\Serror", regex=True).all(shown) == [], "\\S is no upper case letter"
    assert Search("(err)or", regex=True).all(shown, most=2) == [at(0, 0, 5), at(0, 6, 11)]


def test_plain_text_is_no_expression() -> None:
    shown = engine(b"a.b a*b [x]\r\n")
    assert Search("a.b").all(shown) == [at(0, 0, 3)]
    assert Search("[x]").all(shown) == [at(0, 8, 11)]
    assert Search("").all(shown) == []
    assert Search("x*", regex=True).all(shown) == [at(0, 9, 10)]


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "*", "a{99999999999}", "x" * (LONGEST_PATTERN + 1)])
def test_what_is_no_expression_is_refused_in_words(pattern: str) -> None:
    with pytest.raises(UsageError):
        Search(pattern, regex=True)


def test_next_and_previous_go_round() -> None:
    shown = engine(log(100))
    search = Search("error at 0x")
    first = search.next(shown, Position(-1, 0))
    assert first is not None
    assert first.start == Position(0, 15)
    second = search.next(shown, first.start)
    assert second is not None
    assert second.start.line == 1
    assert search.previous(shown, second.start) == first
    last = search.previous(shown, first.start)
    assert last is not None
    assert last.start.line == 99
    assert search.next(shown, last.start) == first
    assert search.next(shown, Position(10**9, 0)) == first
    assert Search("nowhere").next(shown, first.start) is None
    assert Search("nowhere").previous(shown, first.start) is None


def test_positions_stay_right_while_output_goes_on() -> None:
    shown = engine(log(100), scrollback=200)
    found = Search("line 90 ").next(shown, Position(0, 0))
    assert found is not None
    assert shown.dropped == 0
    shown.feed(log(150).replace(b"line", b"more"))
    assert shown.dropped == 41
    assert shown.text(found.start.line - shown.dropped).startswith("line 90 ")
    assert Search("line 90 ").next(shown, Position(0, 0)) == found
    assert text(shown, Span(*found)) == "line 90 "


def test_wrapped_lines_are_searched_as_one() -> None:
    shown = engine(b"x" * 15 + b"needle" + b"y" * 30 + b" needle\r\n", columns=20)
    found = Search("needle").all(shown)
    assert found == [Found(Position(0, 15), Position(1, 1)), at(2, 12, 18)]
    assert found[0].in_line(0, 20) == (15, 20)
    assert found[0].in_line(1, 20) == (0, 1)
    assert found[0].in_line(2, 20) is None
    assert Search("needle").among(shown, 1, 2) == found, "what begins further up is shown, too"
    assert Search("needle").previous(shown, found[1].start) == found[0]


def test_columns_are_cells() -> None:
    shown = engine("漢字 e\u0301 find 漢\r\n".encode())
    assert Search("find").all(shown) == [at(0, 7, 11)]
    assert Search("漢").all(shown) == [at(0, 0, 2), at(0, 12, 14)]


def test_ten_thousand_lines_are_searched() -> None:
    shown = engine(log(10_000))
    assert len(Search("error at 0x9").all(shown)) > 100


def test_an_endless_line_is_searched() -> None:
    shown = engine(b"ab" * 100_000, columns=100)
    assert Search("ba").next(shown, Position(shown.dropped + 500, 0)) is not None
    assert Search("ba").previous(shown, Position(shown.dropped + 500, 0)) is not None
    assert line_at(shown, Position(500, 3)).start.line <= 500


def test_selected_text() -> None:
    shown = engine(b"one  \r\n\r\n  two\r\n" + b"w" * 90 + b"\r\nthree\r\n")
    everything = Span(Position(0, 0), Position(9, 80))
    assert text(shown, everything).rstrip("\n") == "one\n\n  two\n" + "w" * 90 + "\nthree"
    assert text(shown, Span(Position(0, 1), Position(2, 4))) == "ne\n\n  tw"
    assert text(shown, span(Position(2, 4), Position(0, 1))) == "ne\n\n  tw"
    assert text(shown, Span(Position(3, 78), Position(4, 3))) == "wwwww"
    assert text(shown, Span(Position(0, 1), Position(2, 3)), block=True) == "ne\n\n t"
    assert text(shown, Span(Position(-5, 0), Position(-1, 3))) == ""
    assert text(shown, Span(Position(100, 0), Position(200, 3))) == ""


def test_half_a_wide_character_is_selected_whole() -> None:
    shown = engine("漢字kanji\r\n".encode())
    assert text(shown, Span(Position(0, 1), Position(0, 5))) == "漢字k"
    assert text(shown, Span(Position(0, 2), Position(0, 3))) == "字"


def test_selection_survives_what_is_dropped() -> None:
    shown = engine(log(30), scrollback=30)
    selected = Span(Position(5, 0), Position(6, 6))
    assert text(shown, selected) == text(shown, selected)
    before = text(shown, selected)
    shown.feed(b"more\r\n" * 10)
    assert shown.dropped > 0
    assert text(shown, selected) == before
    shown.feed(b"more\r\n" * 5)
    assert text(shown, selected) == "line 6", "the first of its lines is gone"


@pytest.mark.parametrize(
    ("column", "word"),
    [(0, "see"), (2, "see"), (3, " "), (4, "/var/log/x-1.txt"), (19, "/var/log/x-1.txt"), (20, "("),
     (22, "a_b"), (90, "")],
)  # fmt: skip
def test_words(column: int, word: str) -> None:
    shown = engine(b"see /var/log/x-1.txt(a_b)\r\n")
    assert text(shown, word_at(shown, Position(0, column))) == word


def test_words_and_lines_that_are_wrapped() -> None:
    shown = engine(b"go to /a/path/that/is/long and on\r\n", columns=20)
    word = word_at(shown, Position(1, 1))
    assert word == Span(Position(0, 6), Position(1, 6))
    assert text(shown, word) == "/a/path/that/is/long"
    assert text(shown, line_at(shown, Position(1, 3))) == "go to /a/path/that/is/long and on"


def test_what_is_copied_is_bounded() -> None:
    assert copied("text") == ("text", True)
    cut, whole = copied("漢" * MOST_COPIED)
    assert not whole
    assert MOST_COPIED - 3 < len(cut.encode()) <= MOST_COPIED
