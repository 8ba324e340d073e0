"""What a VM's screen shows: pixels, and which of them changed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Rows, columns, and red, green, blue."""

MAX_WIDTH = MAX_HEIGHT = 8192
MAX_PIXELS = 4096 * 4096
"""A server that says more is not believed."""
MAX_DIRTY = 64
"""Rectangles that are kept apart; more become the one around them."""


class Rect(NamedTuple):
    """A part of the screen, in pixels."""

    x: int
    y: int
    width: int
    height: int


class Framebuffer:
    """The screen. `generation` counts its updates; `take_dirty` gives what changed since it was asked."""

    def __init__(self, width: int, height: int) -> None:
        """Black.

        Raises:
            ValueError: it is larger than any screen is believed to be.
        """
        self.generation = 0
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Another size; what fits of the old picture stays.

        Raises:
            ValueError: it is larger than any screen is believed to be.
        """
        if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT and width * height <= MAX_PIXELS):
            raise ValueError(f"a screen of {width} by {height} pixels")
        old: Pixels | None = getattr(self, "pixels", None)
        self.pixels: Pixels = np.zeros((height, width, 3), np.uint8)
        if old is not None:
            rows, columns = min(height, old.shape[0]), min(width, old.shape[1])
            self.pixels[:rows, :columns] = old[:rows, :columns]
        self._dirty: list[Rect] = []
        self.touch(Rect(0, 0, width, height))

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    def touch(self, rect: Rect) -> None:
        """These pixels were changed."""
        self._dirty.append(rect)
        if len(self._dirty) > MAX_DIRTY:
            self._dirty = [around(self._dirty)]

    def take_dirty(self) -> list[Rect]:
        """What changed since this was last asked."""
        dirty, self._dirty = self._dirty, []
        return dirty


def around(rects: list[Rect]) -> Rect:
    """The smallest rectangle that holds all of these; there is at least one."""
    left, top = min(rect.x for rect in rects), min(rect.y for rect in rects)
    right = max(rect.x + rect.width for rect in rects)
    bottom = max(rect.y + rect.height for rect in rects)
    return Rect(left, top, right - left, bottom - top)
