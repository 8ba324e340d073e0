"""What a VM's screen shows: pixels, and which of them changed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""Rows, columns, and red, green, blue."""
Packed = npt.NDArray[np.uint32]
"""Rows and columns; red, and green and blue shifted by 8 and 16 bits. Compared and copied much faster."""
PACKED = np.dtype("<u4")

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
    """The screen. `generation` counts its updates; `take_dirty` gives what changed since it was asked.

    `packed` and `pixels` are two views of one memory: what is written to one is seen in the other. `pixels`
    skips every fourth byte, so `tobytes` of it is slow: `rgb` is for that.
    """

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
        old: Packed | None = getattr(self, "packed", None)
        self.packed: Packed = np.zeros((height, width), PACKED)
        self.pixels: Pixels = self.packed.view(np.uint8).reshape(height, width, 4)[..., :3]
        if old is not None:
            rows, columns = min(height, old.shape[0]), min(width, old.shape[1])
            self.packed[:rows, :columns] = old[:rows, :columns]
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

    @property
    def whole(self) -> Rect:
        """All of it."""
        return Rect(0, 0, self.width, self.height)

    def part(self, rect: Rect) -> Packed:
        """These pixels, to be read and written in place."""
        return self.packed[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]

    def rgb(self, rect: Rect | None = None) -> Pixels:
        """A copy of these pixels, or of all, that lies in memory without gaps."""
        rect = rect or self.whole
        part = self.pixels[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        copy: Pixels = np.empty(part.shape, np.uint8)
        for channel in range(3):  # numpy copies three long columns faster than many triples
            copy[..., channel] = part[..., channel]
        return copy

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
