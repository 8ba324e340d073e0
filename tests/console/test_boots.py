"""Where a node was turned on; and lines that are put above those that are there."""

from __future__ import annotations

import pytest

from pilot.console.bittty_engine import BitttyEngine
from pilot.console.boots import boot_above
from pilot.console.search import Search
from pilot.console.selection import Position, Span, text


def marker(hour: int) -> bytes:
    return b"\r\n\x1b[2m[pilot 2026-11-22T%02d:00:00Z compute-0-0: turned on]\x1b[m\r\n" % hour


def lines(first: int, end: int) -> bytes:
    return b"".join(b"line %d\r\n" % number for number in range(first, end))


@pytest.mark.parametrize("columns", [80, 20])
def test_the_newest_start_and_the_one_before(columns: int) -> None:
    engine = BitttyEngine(columns, 10)
    assert boot_above(engine, None) is None
    engine.feed(marker(1) + lines(0, 40) + marker(2) + lines(40, 80))
    engine.feed(
        b"\r\n[pilot 2026-11-22T03:00:00Z compute-0-0: turned off]\r\n[pilot nonsense: turned on]\r\n"
    )
    newest = boot_above(engine, None)
    assert newest is not None
    assert newest.time == "2026-11-22T02:00:00Z"
    assert engine.text(newest.line - engine.dropped).startswith("[pilot 2026-11-2")
    before = boot_above(engine, newest.line)
    assert before is not None
    assert before.time == "2026-11-22T01:00:00Z"
    assert boot_above(engine, before.line) is None


def shown(engine: BitttyEngine) -> list[str]:
    return [engine.text(number) for number in range(engine.history + engine.rows)]


def test_older_lines_stand_above_and_nothing_that_is_marked_moves() -> None:
    engine = BitttyEngine(40, 5)
    engine.feed(lines(100, 150))
    found = Search("line 123").all(engine)[0]
    position = found.start
    older = engine.blank()
    older.feed(b"\x1b[31m" + lines(0, 100))
    assert engine.put_above(older) == 100
    assert shown(engine)[:150] == [f"line {number}" for number in range(150)]
    assert engine.dropped == -100
    assert Search("line 123").all(engine) == [found]
    assert text(engine, Span(position, position._replace(column=8))) == "line 123"
    assert Search("line 7").next(engine, Position(-100, 0)) is not None
    previous = Search("line 99").previous(engine, position)
    assert previous is not None
    assert previous.start == Position(-1, 0)
    assert engine.line(3)[0].look.foreground == 1, "with their colours"


def test_only_as_many_as_there_is_room_for_and_the_oldest_go_first() -> None:
    engine = BitttyEngine(40, 5, scrollback=100)
    engine.feed(lines(100, 150))
    history = engine.history
    older = engine.blank()
    older.feed(lines(0, 100))
    assert engine.put_above(older) == 100 - history
    assert engine.history == 100
    oldest = shown(engine)[0]
    position = Search("line 149").all(engine)[0].start
    engine.feed(lines(150, 151))
    assert shown(engine)[1] != oldest
    assert oldest not in shown(engine)
    assert Search("line 149").all(engine)[0].start == position
    assert engine.put_above(older) == 0


def test_what_a_full_screen_program_hid_is_put_above_too() -> None:
    engine = BitttyEngine(40, 5)
    older = engine.blank()
    older.feed(lines(0, 8) + b"$ vi\r\n\x1b[?1049h\x1b[2J~ a file")
    engine.put_above(older)
    assert shown(engine)[:9] == [*(f"line {number}" for number in range(8)), "$ vi"]


def test_a_line_that_was_not_ended_is_kept_and_blank_rows_are_not() -> None:
    engine = BitttyEngine(40, 5)
    older = engine.blank()
    older.feed(b"one\r\n\r\ntwo")
    assert engine.put_above(older) == 3
    assert shown(engine) == ["one", "", "two", "", "", "", "", ""]
    assert engine.put_above(engine.blank()) == 0
