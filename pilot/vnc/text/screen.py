"""A screen that was read: characters and colours in cells."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.console.engine import Cursor, Look, Run
from pilot.vnc.text.colours import colour

Numbers = npt.NDArray[np.uint32]

UNREAD = 0xFFFD
"""Stands where no character was found; its colours are those of the cell's upper and lower half."""
SPACE = 0x20


class Grid(NamedTuple):
    """How the pixels of a screen are divided into cells."""

    width: int
    """Pixels of a cell."""
    height: int
    left: int
    """The pixel in the upper left corner of the first cell."""
    top: int
    columns: int
    rows: int

    @classmethod
    def over(cls, size: tuple[int, int], shape: tuple[int, ...], left: int = 0, top: int = 0) -> Grid:
        """As many cells as fit into a picture of this shape (rows, columns)."""
        return cls(*size, left, top, (shape[1] - left) // size[0], (shape[0] - top) // size[1])


class Hit(NamedTuple):
    """Where a text was found."""

    row: int
    column: int
    length: int


class TextScreen:
    """What stands on a screen. It does not change."""

    def __init__(
        self, grid: Grid, codes: Numbers, inks: Numbers, papers: Numbers, cursor: Cursor | None = None
    ) -> None:
        """Rows and columns of characters, and of the colours of text and background as packed pixels."""
        self.grid = grid
        self.codes, self.inks, self.papers = codes, inks, papers
        self.cursor = cursor
        """The guest's text cursor where it is known; while it blinks off, where it was last."""

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return self.grid.columns

    @property
    def rows(self) -> int:
        """Rows of cells."""
        return self.grid.rows

    @property
    def cell(self) -> tuple[int, int]:
        """Columns and rows of a cell in pixels."""
        return self.grid.width, self.grid.height

    @property
    def origin(self) -> tuple[int, int]:
        """The pixel in the upper left corner of the first cell."""
        return self.grid.left, self.grid.top

    @cached_property
    def hit_rate(self) -> float:
        """The part of all cells that were read, 0 to 1."""
        return 1.0 - int(np.count_nonzero(self.codes == UNREAD)) / max(1, self.codes.size)

    def text(self, row: int) -> str:
        """A row without the spaces at its end; U+FFFD for what was not read."""
        return str(self.codes[row].astype("<u4").tobytes().decode("utf-32-le")).rstrip()

    def plain(self) -> str:
        """All rows, each with its end of line."""
        return "".join(f"{self.text(row)}\n" for row in range(self.rows))

    def find(self, words: str, *, same_case: bool = False) -> list[Hit]:
        """Where these words stand, row by row; they are not found across two rows."""
        fold = (lambda text: text) if same_case else str.casefold
        found, needle = list[Hit](), fold(words)
        for row in range(self.rows) if needle else ():
            line, at = fold(self.text(row)), -1
            while (at := line.find(needle, at + 1)) >= 0:
                found.append(Hit(row, at, len(words)))
        return found

    def same_rows(self, other: TextScreen) -> list[bool]:
        """Which rows look as they do on another screen of the same grid."""
        same = (self.codes == other.codes) & (self.inks == other.inks) & (self.papers == other.papers)
        return [bool(row) for row in same.all(axis=1)]

    def lines(self) -> tuple[tuple[Run, ...], ...]:
        """All rows as runs of cells that look the same. Cells that were not read are half blocks."""
        return tuple(self.line(row) for row in range(self.rows))

    def line(self, row: int, first: int = 0, end: int | None = None) -> tuple[Run, ...]:
        """The cells of a row from `first` up to `end`."""
        codes, papers = self.codes[row, first:end], self.papers[row, first:end]
        if not codes.size:
            return ()
        # A space has no ink of its own: it looks like the text before it.
        inks = self.inks[row, first:end]
        inked = np.where(codes != SPACE, np.arange(codes.size), 0)
        inks = inks[np.maximum.accumulate(inked)]
        shown = np.where(codes == UNREAD, _HALF_BLOCK, codes).astype("<u4")
        text = shown.tobytes().decode("utf-32-le")
        starts = [0, *(np.flatnonzero((np.diff(inks) != 0) | (np.diff(papers) != 0)) + 1).tolist()]
        return tuple(
            Run(text[start:stop], Look(colour(int(inks[start])), colour(int(papers[start]))))
            for start, stop in zip(starts, [*starts[1:], codes.size], strict=True)
        )


_HALF_BLOCK = ord("▀")
