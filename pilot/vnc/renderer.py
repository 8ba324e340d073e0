"""What draws a screen in a terminal: a protocol, so that the best for terminal and picture is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from pilot.console.engine import Cursor, Run
from pilot.vnc.framebuffer import Framebuffer, Rect

Kind = Literal["text", "kitty", "blocks"]


class View(NamedTuple):
    """How much of the screen is shown, and where."""

    columns: int
    """Cells there are to draw in."""
    rows: int
    cell_width: int = 8
    """Pixels of one cell of the user's terminal; an assumption where it does not say."""
    cell_height: int = 16
    zoom: float = 0.0
    """Guest pixels to pixels of the terminal; 0 fits the whole screen in."""
    left: int = 0
    """The first guest pixel in view where not all of it fits."""
    top: int = 0


class Frame(NamedTuple):
    """What is to be seen."""

    lines: Sequence[tuple[Run, ...]]
    """`rows` lines of cells at most; what is right of and below them is empty."""
    graphics: bytes = b""
    """What goes to the user's terminal beside the cells, made by us and never by the guest."""
    cursor: Cursor | None = None
    """The guest's text cursor, in cells of `lines`, where it is known."""
    quality: float | None = None
    """Of the text renderer: the part of all cells that were read, 0 to 1."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Guest pixels of one cell, across and down: to find what the mouse points at."""
    origin: tuple[int, int] = (0, 0)
    """The guest pixel in the upper left corner of the first cell."""


class Renderer(Protocol):
    """Draws one screen again and again; may keep what it drew before to draw only what changed."""

    kind: Kind

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame | None:
        """The screen as it is now; None if this renderer cannot draw it (text that is none).

        Args:
            screen: what to draw.
            dirty: what changed since it was drawn last; ignored when the view is another one.
            view: where to draw it.
        """
