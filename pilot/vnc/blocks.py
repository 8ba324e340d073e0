"""A screen as half blocks: two pixels in each cell, one in the colour of `▀`, one in that behind it.

Any terminal with colours shows them. Looks are red, green and blue; where a terminal has 256 or 16 colours,
whoever draws the runs takes the nearest of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pilot.console.engine import Look, Run
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.renderer import Frame, Kind, View
from pilot.vnc.scaling import Scaling, window

UPPER = "▀"
_KEPT_BITS = 0xF8
"""Of each colour the five upper bits, so that neighbours which nobody tells apart become one run."""


class HalfBlocks:
    """Keeps the lines it made, and makes only those that changed."""

    kind: Kind = "blocks"

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        self._view: View | None = None
        self._size = (0, 0)
        self._lines: list[tuple[Run, ...]] = []
        self._scaling: Scaling | None = None
        self._frame = Frame(())

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame | None:
        """The screen as it is now; lines that did not change are the same objects as before."""
        size = (screen.width, screen.height)
        if view != self._view or size != self._size or self._scaling is None:
            self._begin(screen, view)
            dirty = (Rect(0, 0, *size),)
        assert self._scaling is not None
        rows = sorted(
            {
                row
                for rect in self._scaling.reach(dirty)
                for row in range(rect.y // 2, (rect.y + rect.height - 1) // 2 + 1)
            }
        )
        for first, end in _ranges(rows):
            self._make(screen, first, end)
        if rows:
            self._frame = self._frame._replace(lines=tuple(self._lines))
        return self._frame

    def _begin(self, screen: Framebuffer, view: View) -> None:
        """Another view, or a screen of another size."""
        self._view, self._size = view, (screen.width, screen.height)
        shown = window(screen.width, screen.height, view)
        cell = (view.cell_width / shown.zoom, view.cell_height / shown.zoom)
        self._columns = shown.columns
        self._scaling = Scaling(
            screen, shown.left, shown.top, (cell[0], cell[1] / 2), (shown.columns, shown.rows * 2)
        )
        self._lines = [()] * shown.rows
        self._frame = Frame((), scale=cell, origin=(round(shown.left), round(shown.top)))

    def _make(self, screen: Framebuffer, first: int, end: int) -> None:
        """Make the lines of a range anew."""
        assert self._scaling is not None
        made = self._scaling.make(screen, Rect(0, first * 2, self._columns, (end - first) * 2))
        wide = ((made & _KEPT_BITS) | (made >> 5)).astype(np.uint32)
        colours = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
        for number in range(end - first):
            self._lines[first + number] = _runs(colours[2 * number], colours[2 * number + 1])


def _runs(upper: npt.NDArray[np.uint32], lower: npt.NDArray[np.uint32]) -> tuple[Run, ...]:
    """The cells of one line, neighbours of equal look together."""
    changes = np.flatnonzero((np.diff(upper) != 0) | (np.diff(lower) != 0)) + 1
    starts = [0, *changes.tolist()]
    tops, bottoms = upper[starts].tolist(), lower[starts].tolist()
    ends = [*starts[1:], len(upper)]
    return tuple(
        Run(" " * (end - start), Look(background=_rgb(bottom)))
        if top == bottom
        else Run(UPPER * (end - start), Look(_rgb(top), _rgb(bottom)))
        for start, end, top, bottom in zip(starts, ends, tops, bottoms, strict=True)
    )


def _rgb(packed: int) -> tuple[int, int, int]:
    return packed >> 16, packed >> 8 & 0xFF, packed & 0xFF


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers in order as ranges, each with its end behind the last."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found
