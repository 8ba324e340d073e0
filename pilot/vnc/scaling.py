"""A part of a screen in another size: each pixel made is the mean of what it covers, by area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.vnc.framebuffer import Framebuffer, Pixels, Rect
from pilot.vnc.renderer import View

MOST_ZOOM = 16.0
_LEAST_ZOOM = 1 / 64


class Window(NamedTuple):
    """Which part of a screen is in view, and how large it is drawn."""

    left: float
    """The first guest pixel in view, across and down."""
    top: float
    zoom: float
    """Pixels of the terminal that a guest's pixel takes, across and down."""
    columns: int
    """Cells that it fills, the last ones perhaps in part."""
    rows: int


def fitting_zoom(width: int, height: int, view: View) -> float:
    """The zoom that shows a whole screen; a whole number where there is more room than it needs."""
    across, down = view.columns * view.cell_width, view.rows * view.cell_height
    zoom = max(min(across / width, down / height), _LEAST_ZOOM)
    return float(math.floor(zoom)) if zoom >= 1 else zoom


def window(width: int, height: int, view: View) -> Window:
    """What of a screen is in view: nothing beside it as long as there is enough of it."""
    zoom = min(max(view.zoom, _LEAST_ZOOM), MOST_ZOOM) if view.zoom else fitting_zoom(width, height, view)
    across, down = view.columns * view.cell_width / zoom, view.rows * view.cell_height / zoom
    left = min(max(float(view.left), 0.0), max(width - across, 0.0))
    top = min(max(float(view.top), 0.0), max(height - down, 0.0))
    columns = min(view.columns, math.ceil((width - left) * zoom / view.cell_width - 1e-6))
    rows = min(view.rows, math.ceil((height - top) * zoom / view.cell_height - 1e-6))
    return Window(left, top, zoom, max(columns, 1), max(rows, 1))


class _Axis:
    """Which pixels of one axis go into each one that is made, and how much of each."""

    def __init__(self, start: float, step: float, made: int, size: int) -> None:
        """`made` pixels from `start` on, each `step` of the old ones wide; behind `size` there is nothing."""
        edges = start + step * np.arange(made + 1)
        low, high = edges[:-1], np.minimum(edges[1:], size)
        first = np.floor(low + 1e-9).astype(np.intp)
        taps = math.ceil(step - 1e-9) + 1
        self.start, self.step, self.made = start, step, made
        self.weights: list[npt.NDArray[np.float32]] = []
        self.sources: list[npt.NDArray[np.intp]] = []
        for tap in range(taps):
            source = first + tap
            part = np.clip(np.minimum(high, source + 1) - np.maximum(low, source), 0.0, 1.0) / step
            if tap == 0 or part.max(initial=0.0) > 1e-6:
                self.sources.append(np.clip(source, 0, size - 1))
                self.weights.append(part.astype(np.float32))

    def reach(self, begin: int, end: int) -> tuple[int, int]:
        """Which pixels are made, in part, of the old ones from `begin` to before `end`."""
        first = math.floor((begin - self.start) / self.step - 1e-9)
        last = math.ceil((end - self.start) / self.step + 1e-9)
        return min(max(first, 0), self.made), min(max(last, 0), self.made)


class Scaling:
    """A window of a screen as so many pixels. Parts of it can be made alone."""

    def __init__(
        self, screen: Framebuffer, left: float, top: float, steps: tuple[float, float], size: tuple[int, int]
    ) -> None:
        """From the guest pixel at `left` and `top` on.

        Args:
            screen: only its size matters here.
            left: the first guest pixel, across.
            top: and down.
            steps: guest pixels of one that is made, across and down.
            size: how many are made, across and down. What lies beside the screen is black.
        """
        self._across = _Axis(left, steps[0], size[0], screen.width)
        self._down = _Axis(top, steps[1], size[1], screen.height)

    def reach(self, dirty: Sequence[Rect]) -> list[Rect]:
        """Which of the pixels that are made change with these of the screen."""
        found = []
        for rect in dirty:
            left, right = self._across.reach(rect.x, rect.x + rect.width)
            top, bottom = self._down.reach(rect.y, rect.y + rect.height)
            if left < right and top < bottom:
                found.append(Rect(left, top, right - left, bottom - top))
        return found

    def make(self, screen: Framebuffer, part: Rect) -> Pixels:
        """Make a part of the picture."""
        down, across = self._down, self._across
        rows, columns = slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)
        first = int(across.sources[0][columns].min())
        last = int(across.sources[-1][columns].max()) + 1
        if len(down.sources) == len(across.sources) == 1 and down.step == across.step == 1:
            return self._cut(screen, part)
        band: npt.NDArray[np.float32] | None = None
        for source, weight in zip(down.sources, down.weights, strict=True):
            four = screen.packed[source[rows], first:last].view(np.uint8)
            piece = four.reshape(part.height, last - first, 4) * weight[rows, None, None]
            band = piece if band is None else band + piece
        assert band is not None
        made: npt.NDArray[np.float32] | None = None
        for source, weight in zip(across.sources, across.weights, strict=True):
            piece = band[:, source[columns] - first] * weight[columns, None]
            made = piece if made is None else made + piece
        assert made is not None
        return (made + np.float32(0.5)).astype(np.uint8)[..., :3]

    def _cut(self, screen: Framebuffer, part: Rect) -> Pixels:
        """As it is: nothing is to be scaled."""
        made = np.zeros((part.height, part.width, 3), np.uint8)
        left, top = round(self._across.start) + part.x, round(self._down.start) + part.y
        width, height = min(part.width, screen.width - left), min(part.height, screen.height - top)
        made[:height, :width] = screen.rgb(Rect(left, top, width, height))
        return made
