"""Which part of a terminal is in view: the bottom, or where somebody looks back to; that stays in place."""

from __future__ import annotations

from pilot.console.engine import Engine
from pilot.console.selection import Position


class View:
    """A window of some columns and rows on an engine's lines."""

    def __init__(self, engine: Engine) -> None:
        """At the bottom, without size yet."""
        self.engine = engine
        self.width = 0
        self.height = 0
        self._anchor: int | None = None
        """The line at the top, counted from the first that ever was; None while the bottom is followed."""
        self._seen = 0
        """How many lines there had been when the bottom was left."""

    @property
    def following(self) -> bool:
        """Whether what is printed next will be in view."""
        return self._anchor is None

    @property
    def new_lines(self) -> int:
        """Lines that were printed since the bottom was left."""
        return 0 if self._anchor is None else max(self._lines - self._seen, 0)

    @property
    def left(self) -> int:
        """The first column in view: the cursor is, where the window is narrower than the terminal."""
        column = self.engine.cursor.column
        return 0 if column < self.width else column - self.width + 1

    @property
    def margin(self) -> tuple[int, int]:
        """Columns to the left of the terminal and rows above it, where the window is larger."""
        engine = self.engine
        across = max((self.width - engine.columns) // 2, 0)
        down = max((self.height - engine.rows) // 2, 0) if engine.history == 0 else 0
        return across, down

    @property
    def top(self) -> int:
        """The engine's line in the window's first row."""
        if self._anchor is None:
            return self._bottom
        return min(max(self._anchor - self.engine.dropped, 0), self._bottom)

    def line_at(self, row: int) -> int | None:
        """The engine's line in a row of the window; None where there is none."""
        line = self.top + row - self.margin[1]
        return line if 0 <= line < self.engine.history + self.engine.rows and row >= self.margin[1] else None

    def row_of(self, line: int) -> int | None:
        """The row of the window that an engine's line is in; None if it is out of view."""
        row = line - self.top + self.margin[1]
        return row if 0 <= row < self.height else None

    def cell_at(self, x: int, y: int) -> Position:
        """The cell at a place of the window, or the nearest one."""
        across, down = self.margin
        engine = self.engine
        line = min(max(self.top + y - down, 0), engine.history + engine.rows - 1)
        return Position(line + engine.dropped, min(max(x - across + self.left, 0), engine.columns - 1))

    def scroll(self, lines: int) -> bool:
        """Look so many lines further down, or up; False if that changes nothing."""
        before = self.top
        top = min(max(before + lines, 0), self._bottom)
        if top >= self._bottom:
            changed = self._anchor is not None
            self._anchor = None
            return changed or top != before
        if self._anchor is None:
            self._seen = self._lines
        self._anchor = top + self.engine.dropped
        return top != before

    def follow(self) -> bool:
        """Look at the bottom from now on; False if that changes nothing."""
        changed, self._anchor = self._anchor is not None, None
        return changed

    def show(self, line: int) -> None:
        """Bring a line, counted from the first that ever was, into the middle unless it is in view."""
        number = line - self.engine.dropped
        if self.row_of(number) is None:
            self.scroll(number - self.height // 2 - self.top)

    @property
    def _lines(self) -> int:
        return self.engine.dropped + self.engine.history + self.engine.rows

    @property
    def _bottom(self) -> int:
        """The first line in view at the bottom. In a low window that is where the cursor is."""
        engine = self.engine
        if self.height >= engine.rows:
            return max(engine.history - (self.height - engine.rows), 0)
        first = min(max(engine.cursor.row - self.height + 1, 0), engine.rows - self.height)
        return engine.history + first
