"""What is marked on a terminal's lines: what the user selected, and what was searched for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pilot.console import selection
from pilot.console.engine import Lines
from pilot.console.search import Found, Search
from pilot.console.selection import Position
from pilot.widgets.terminal_painter import Span


class Marks:
    """Of one engine. Places are kept while lines scroll up, and go with the lines that are dropped."""

    def __init__(self, engine: Lines) -> None:
        """Nothing is marked."""
        self._engine = engine
        self._from: Position | None = None
        self._selected: selection.Span | None = None
        self._alternate = False
        """Which of the two screens is selected on: positions mean nothing on the other one."""
        self._search: Search | None = None
        self._current: Found | None = None

    # --- selecting -------------------------------------------------------------------------------

    def begin(self, cell: Position) -> None:
        """Select from this cell on; what was selected is no more."""
        self._from, self._selected = cell, None
        self._alternate = self._engine.modes.alternate_screen

    def extend(self, cell: Position) -> None:
        """Select up to this cell, which is included, once it is another than the first."""
        if self._from is not None and (self._selected is not None or cell != self._from):
            first, last = min(self._from, cell), max(self._from, cell)
            self._selected = selection.Span(first, last._replace(column=last.column + 1))

    def widen(self, cell: Position, unit: Literal["word", "line"]) -> None:
        """Select the word or the whole line at a cell."""
        self.begin(cell)
        find = selection.word_at if unit == "word" else selection.line_at
        self._selected = find(self._engine, cell)

    def unselect(self) -> bool:
        """Nothing is selected any more; whether anything was."""
        was = self.selected is not None
        self._from = self._selected = None
        return was

    @property
    def selected(self) -> selection.Span | None:
        """What is selected, if that is still there."""
        return self._selected if self._alternate == self._engine.modes.alternate_screen else None

    def selected_text(self) -> str:
        """The text of what is selected."""
        return selection.text(self._engine, self.selected) if self.selected is not None else ""

    # --- searching -------------------------------------------------------------------------------

    @property
    def pattern(self) -> str:
        """What is searched for; empty for nothing."""
        return self._search.pattern if self._search is not None else ""

    @property
    def current_line(self) -> int | None:
        """The line of the place that was found last, counted from the first that ever was."""
        return self._current.start.line if self._current is not None else None

    def search(self, text: str) -> int:
        """Mark each place where this stands, and go to the newest; how many there are. Nothing ends it.

        Raises:
            UsageError: it is too long.
        """
        self._current = None
        self._search = Search(text) if text else None
        found = self._search.all(self._engine) if self._search is not None else []
        if found:
            self._current = found[-1]
        return len(found)

    def step(self, direction: int) -> bool:
        """Go to the next place, further down or, below 0, up, and around the ends; False if there is none."""
        if self._search is None:
            return False
        engine = self._engine
        bottom = Position(engine.dropped + engine.history + engine.rows, 0)
        at = self._current.start if self._current is not None else bottom
        look = self._search.next if direction > 0 else self._search.previous
        self._current = look(engine, at)
        return self._current is not None

    # --- both ------------------------------------------------------------------------------------

    def spans(self, line: int) -> Iterator[Span]:
        """How an engine's line is marked."""
        number, columns = line + self._engine.dropped, self._engine.columns
        if self._search is not None:
            for found in self._search.among(self._engine, line, line + 1):
                if (cells := found.in_line(number, columns)) is not None:
                    yield Span(*cells, "current" if found == self._current else "match")
        selected = self.selected
        if selected is not None and selected.start.line <= number <= selected.end.line:
            left = selected.start.column if number == selected.start.line else 0
            right = selected.end.column if number == selected.end.line else columns
            yield Span(left, right, "selected")
