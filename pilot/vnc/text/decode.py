"""Reads a screen again and again: what a cell was is remembered by the digest of its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pilot.console.engine import Cursor
from pilot.vnc.framebuffer import Packed, Rect
from pilot.vnc.text import cursors
from pilot.vnc.text.cells import read
from pilot.vnc.text.digests import Digests, of_cells
from pilot.vnc.text.fonts import Fonts
from pilot.vnc.text.grids import FEW, find, is_picture
from pilot.vnc.text.memory import Memory
from pilot.vnc.text.screen import SPACE, UNREAD, Grid, Numbers, TextScreen

READABLE = 0.6
"""The part of the cells with something in them that must be read; with less it is a picture."""


LINE = ord("_")


class Decoder:
    """Keeps what it knows of one screen, so that only cells that changed cost something."""

    def __init__(self, fonts: Fonts) -> None:
        """Nothing is read yet."""
        self._fonts = fonts
        self._version = fonts.version
        self._memory = Memory()
        self._grid: Grid | None = None
        self._shape: tuple[int, ...] = ()
        self._last: TextScreen | None = None
        self._raw: tuple[Numbers, Numbers, Numbers] | None = None
        """Characters and colours as last read, cursor included."""

    def decode(self, packed: Packed, dirty: Sequence[Rect] | None = None) -> TextScreen | None:
        """The text on the screen; None if it shows a picture, or glyphs of an unknown font.

        Args:
            packed: the screen's pixels (`Framebuffer.packed`). May be half drawn.
            dirty: what changed since the last call; None if that is not known.
        """
        if packed.shape != self._shape or self._fonts.version != self._version:
            self._forget()
            self._shape, self._version = packed.shape, self._fonts.version
        if dirty is not None and not dirty and self._last is not None:
            return self._last
        if is_picture(packed):
            self._raw = self._last = None
            return None
        if self._grid is not None and (screen := self._read(packed, self._grid, dirty)) is not None:
            return screen
        self._forget()
        if (grid := find(packed, self._fonts)) is None:
            return None
        return self._read(packed, grid, None)

    def _forget(self) -> None:
        self._memory = Memory()
        self._grid = self._last = self._raw = None

    def _read(self, packed: Packed, grid: Grid, dirty: Sequence[Rect] | None) -> TextScreen | None:
        """The text in the cells of a grid; None if there is none."""
        first, end = 0, grid.rows
        if dirty is not None and self._raw is not None:
            first, end = _reach(dirty, grid)
            if first >= end:
                return self._last
        top = grid.top + first * grid.height
        part = packed[top : grid.top + end * grid.height, grid.left : grid.left + grid.columns * grid.width]
        digests = of_cells(part, grid.width, grid.height)
        known = self._memory.recall(digests)
        if known is None:
            self._learn(part, grid, digests)
            known = self._memory.recall(digests)
            assert known is not None
        raw = known
        if self._raw is not None and (first, end) != (0, grid.rows):
            raw = tuple(array.copy() for array in self._raw)  # type: ignore[assignment]
            for array, new in zip(raw, known, strict=True):
                array[first:end] = new
        if not _is_text(raw[0]):
            return None
        before = self._raw
        self._raw, self._grid = raw, grid
        if self._last is not None and before is not None and all(map(np.array_equal, before, raw)):
            return self._last
        self._last = self._finish(packed, grid, before)
        return self._last

    def _learn(self, part: Packed, grid: Grid, digests: Digests) -> None:
        """Read the cells that were not met before, each kind once."""
        fresh, places = self._memory.unknown(digests)
        rows, columns = np.divmod(places, grid.columns)
        stacked = part.reshape(-1, grid.height, grid.columns, grid.width)
        cells = stacked[rows, :, columns]
        self._memory.keep(fresh, read(cells, self._fonts.table((grid.width, grid.height))))

    def _finish(
        self, packed: Packed, grid: Grid, before: tuple[Numbers, Numbers, Numbers] | None
    ) -> TextScreen:
        """The screen without its cursor, and where that is."""
        assert self._raw is not None
        codes, inks, papers = (array.copy() for array in self._raw)
        at: tuple[int, int] | None = None
        unread = np.argwhere(codes == UNREAD)
        if len(unread) <= cursors.MAX_TRIED:
            table = self._fonts.table((grid.width, grid.height))
            for row, column in unread.tolist():
                top, left = grid.top + row * grid.height, grid.left + column * grid.width
                pixels = packed[top : top + grid.height, left : left + grid.width]
                if (under := cursors.uncover(pixels, table)) is not None:
                    at = row, column
                    codes[at], inks[at], papers[at] = under
                    if under.code == SPACE and self._stood(grid, at) == LINE:
                        codes[at] = LINE  # most cursors hide it altogether
        if at is None and (found := cursors.block(codes, inks, papers)) is not None:
            at = found[:2]
            codes[at], inks[at], papers[at] = found[2]
        if at is None and (bar := cursors.lone_bar(codes)) is not None:
            at = bar
            codes[at] = SPACE
        if at is None:
            at = self._hidden_cursor(codes)
        return TextScreen(grid, codes, inks, papers, Cursor(at[1], at[0], True) if at else None)

    def _stood(self, grid: Grid, at: tuple[int, int]) -> int:
        """What stood in a cell before; SPACE if that is not known."""
        return int(self._last.codes[at]) if self._last is not None and self._last.grid == grid else SPACE

    def _hidden_cursor(self, codes: Numbers) -> tuple[int, int] | None:
        """Where the cursor was, if nothing else has changed since: then it blinks."""
        if self._last is None or self._last.cursor is None or not np.array_equal(self._last.codes, codes):
            return None
        return self._last.cursor.row, self._last.cursor.column


def _reach(dirty: Sequence[Rect], grid: Grid) -> tuple[int, int]:
    """The first row of cells that was touched, and the one behind the last."""
    top = min((rect.y for rect in dirty), default=0) - grid.top
    bottom = max((rect.y + rect.height for rect in dirty), default=0) - grid.top
    return max(0, top // grid.height), min(grid.rows, -(-bottom // grid.height))


def _is_text(codes: Numbers) -> bool:
    """Whether most of what is on the screen was read; an empty screen and a lone cursor are text, too."""
    unread = int(np.count_nonzero(codes == UNREAD))
    filled = int(np.count_nonzero(codes != SPACE))
    return filled - unread >= READABLE * filled or unread < FEW
