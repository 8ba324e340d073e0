"""What is selected on a screen and in its scrollback, as text.

Positions are absolute: they count lines from the first that the engine ever had, so they stay right while the
guest goes on printing. They mean nothing any more once the guest has changed to or from the alternate screen.
"""

from __future__ import annotations

from typing import NamedTuple

from pilot.console.engine import Lines

MOST_COPIED = 74_994
"""Bytes of the longest text that is handed to a terminal's clipboard: OSC 52 carries it as base64, and some
terminals take 100,000 bytes of that and drop all of what is longer."""
_LONGEST_LINE = 256
"""Rows of the longest wrapped line that is looked at as one."""
_WORD = frozenset("_-./:~@%+=&?#,$")
"""What belongs to a word besides letters and digits: paths, addresses, options, device names."""


class Position(NamedTuple):
    """A place between two cells."""

    line: int
    """The number of the line plus the engine's `dropped` at that time."""
    column: int
    """How many cells are left of it."""


class Span(NamedTuple):
    """What is between two positions."""

    start: Position
    end: Position


def span(one: Position, other: Position) -> Span:
    """What is between two positions, whichever comes first."""
    return Span(min(one, other), max(one, other))


def text(engine: Lines, selected: Span, block: bool = False) -> str:
    """The selected text: a wrapped line is one line, blanks at ends of lines are left out.

    With `block`, the rectangle between the two positions. Lines that are gone from the scrollback are left
    out, and a wide character that is half selected is taken whole.
    """
    if block:
        left = min(selected.start.column, selected.end.column)
        right = max(selected.start.column, selected.end.column)
        return "\n".join(_cut(engine, number, left, right).rstrip(" ") for number in _lines(engine, selected))
    pieces = list[str]()
    lines = _lines(engine, selected)
    for number in lines:
        line = number + engine.dropped
        start = selected.start.column if line == selected.start.line else 0
        end = selected.end.column if line == selected.end.line else engine.columns
        piece = _cut(engine, number, start, end)
        if not engine.wrapped(number) and not "".join(engine.cells(number)[end:]).strip(" "):
            piece = piece.rstrip(" ")
        goes_on = engine.wrapped(number) or number == lines[-1]
        pieces.append(piece if goes_on else piece + "\n")
    return "".join(pieces)


def copied(selected: str) -> tuple[str, bool]:
    """What of a text is handed to the clipboard, and whether that is all of it."""
    data = selected.encode("utf-8", "replace")
    if len(data) <= MOST_COPIED:
        return selected, True
    return data[:MOST_COPIED].decode("utf-8", "ignore"), False


def word_at(engine: Lines, position: Position) -> Span:
    """The word around a position, or the run of blanks or of one sort of sign if there is no word."""
    first, cells = _logical(engine, position.line - engine.dropped)
    row = position.line - engine.dropped - first
    place = sum(len(cells[before]) for before in range(row)) + position.column
    flat = [cell for line in cells for cell in line]
    if not 0 <= place < len(flat):
        return Span(position, position)
    sort = _sort(flat, place)
    start = end = place
    while start > 0 and _sort(flat, start - 1) == sort:
        start -= 1
    while end < len(flat) and _sort(flat, end) == sort:
        end += 1
    lengths = [len(line) for line in cells]
    base = first + engine.dropped
    return Span(_place(base, lengths, start, False), _place(base, lengths, end, True))


def line_at(engine: Lines, position: Position) -> Span:
    """The line that a position is in, with all the rows that it is wrapped to."""
    first, cells = _logical(engine, position.line - engine.dropped)
    base = first + engine.dropped
    return Span(Position(base, 0), Position(base + max(0, len(cells) - 1), engine.columns))


def _lines(engine: Lines, selected: Span) -> range:
    """Numbers of the selected lines that are still there."""
    first = max(0, selected.start.line - engine.dropped)
    last = min(selected.end.line - engine.dropped, engine.history + engine.rows - 1)
    return range(first, last + 1)


def _cut(engine: Lines, number: int, start: int, end: int) -> str:
    cells = engine.cells(number)
    while 0 < start < len(cells) and not cells[start]:
        start -= 1
    return "".join(cells[start:end])


def _logical(engine: Lines, number: int) -> tuple[int, list[tuple[str, ...]]]:
    """The first row of a wrapped line, and the cells of each of its rows."""
    first = number
    while first > 0 and number - first < _LONGEST_LINE and engine.wrapped(first - 1):
        first -= 1
    last, end = number, engine.history + engine.rows - 1
    while last < end and last - number < _LONGEST_LINE and engine.wrapped(last):
        last += 1
    return first, [engine.cells(row) for row in range(first, last + 1)]


def _sort(cells: list[str], place: int) -> str:
    """Which sort of character is in a cell; that of the wide one in the cell before for its second half."""
    character = cells[place] or (cells[place - 1] if place else "")
    if character == " ":
        return " "
    first = character[:1]
    return "word" if first.isalnum() or first in _WORD else first


def _place(base: int, lengths: list[int], offset: int, ends: bool) -> Position:
    """Where an offset into the cells of a wrapped line is; an end is not at the next row's beginning."""
    for row, length in enumerate(lengths):
        if offset < length or (ends and offset == length) or row == len(lengths) - 1:
            return Position(base + row, offset)
        offset -= length
    return Position(base, offset)
