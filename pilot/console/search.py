"""Searching the screen and the scrollback, for plain text or a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pilot.console.engine import Lines
from pilot.console.selection import Position
from pilot.errors import UsageError

LONGEST_PATTERN = 200
_LONGEST_LINE = 64
"""Rows of a wrapped line that are searched as one."""


class Found(NamedTuple):
    """A match. Positions are absolute, as in `pilot.console.selection`."""

    start: Position
    end: Position
    """Behind its last cell; several lines further down if the match is wrapped."""

    def in_line(self, line: int, columns: int) -> tuple[int, int] | None:
        """Which cells of a line it covers: the first, and the one behind the last; None if none."""
        if not self.start.line <= line <= self.end.line:
            return None
        start = self.start.column if line == self.start.line else 0
        return start, self.end.column if line == self.end.line else columns


class Search:
    """A pattern to look for."""

    def __init__(self, pattern: str, regex: bool = False) -> None:
        """`pattern` is searched for in any case unless it has an upper case letter.

        Raises:
            UsageError: it is no regular expression, or too long.
        """
        if len(pattern) > LONGEST_PATTERN:
            raise UsageError(f"a pattern has {LONGEST_PATTERN} characters at most")
        self.pattern = pattern
        # In an expression, the letters of \W and \S are no upper case of the person's.
        letters = re.sub(r"\\.", "", pattern) if regex else pattern
        flags = re.IGNORECASE if letters == letters.lower() else re.NOFLAG
        try:
            self._regex = re.compile(pattern if regex else re.escape(pattern), flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(
                f"{pattern!r} is no regular expression: {error}", "search for it as plain text instead"
            ) from None

    def all(self, engine: Lines, most: int = 10_000) -> list[Found]:
        """The matches from the oldest line on, `most` of them at most."""
        return list(islice(self._matches(engine, 0, engine.history + engine.rows), most))

    def next(self, engine: Lines, after: Position) -> Found | None:
        """The first match that starts behind a position; from the oldest line on if there is none below."""
        total = engine.history + engine.rows
        begin = _first_row(engine, max(0, min(after.line - engine.dropped, total - 1)))
        for found in self._matches(engine, begin, total):
            if found.start > after:
                return found
        return next(self._matches(engine, 0, total), None)

    def previous(self, engine: Lines, before: Position) -> Found | None:
        """The last match that starts before a position; from the newest line on if there is none above."""
        total = engine.history + engine.rows
        end = max(0, min(before.line - engine.dropped, total - 1))
        return self._last(engine, end, before) or self._last(engine, total - 1, None)

    def among(self, engine: Lines, first: int, end: int) -> list[Found]:
        """The matches in some lines, by their numbers: what is to be marked of what is shown."""
        return list(self._matches(engine, _first_row(engine, max(0, first)), end))

    def _last(self, engine: Lines, number: int, before: Position | None) -> Found | None:
        while number >= 0:
            first = _first_row(engine, number)
            found = [
                match for match in self._matches(engine, first, first + 1)
                if before is None or match.start < before
            ]  # fmt: skip
            if found:
                return found[-1]
            number = first - 1
        return None

    def _matches(self, engine: Lines, begin: int, end: int) -> Iterator[Found]:
        """Matches in the lines that begin in a range of rows."""
        total, dropped = engine.history + engine.rows, engine.dropped
        text, wrapped, find = engine.text, engine.wrapped, self._regex.finditer
        number = begin
        while number < end:
            whole = text(number)
            rows = 1
            if wrapped(number):
                parts = [whole]
                while wrapped(number + rows - 1) and rows < _LONGEST_LINE and number + rows < total:
                    parts.append(text(number + rows))
                    rows += 1
                whole = "".join(parts)
            matches = find(whole)
            for match in matches:
                if match.end() > match.start():
                    yield from self._located(engine, number, rows, dropped, whole, (match, *matches))
                    break
            number += rows

    @staticmethod
    def _located(
        engine: Lines, number: int, rows: int, dropped: int, whole: str, matches: Iterable[re.Match[str]]
    ) -> Iterator[Found]:
        """Matches in a line's text as cells of its rows."""
        starts = [
            Position(number + row + dropped, column)
            for row in range(rows)
            for column, cell in enumerate(engine.cells(number + row))
            for _ in cell
        ]
        for match in matches:
            if match.end() <= match.start() or match.end() > len(starts):
                continue
            last = starts[match.end() - 1]
            width = 1
            if not whole[match.end() - 1].isascii():
                cells = engine.cells(last.line - dropped)
                width = 2 if last.column + 1 < len(cells) and not cells[last.column + 1] else 1
            yield Found(starts[match.start()], Position(last.line, last.column + width))


def _first_row(engine: Lines, number: int) -> int:
    """The first row of the line that a row belongs to."""
    first = number
    while first > 0 and number - first < _LONGEST_LINE and engine.wrapped(first - 1):
        first -= 1
    return first
