"""How a session's picture gets into its widget: by which renderer, how large, which part, and how often."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from pilot.live.screen import ScreenSession
from pilot.vnc.aside import Aside
from pilot.vnc.blocks import HalfBlocks
from pilot.vnc.decoded import FrameLines
from pilot.vnc.drawing import ALL, RATES, Choice, Drawing, Drawn
from pilot.vnc.kitty import KittyTiles
from pilot.vnc.renderer import View
from pilot.vnc.scaling import fitting_zoom, window
from pilot.vnc.text import Fonts, TextRenderer
from pilot.widgets.framebuffer_display import FramebufferDisplay
from pilot.widgets.graphics import TerminalGraphics, cell_pixels

ZOOM_STEP = 1.5
TEXT_CELL = (8, 16)
"""Pixels of a character on most consoles: a guest's screen of so many for each cell is text that fits."""
_PART = 4
"""Pictures are panned by a part of what is in view."""


class Means(NamedTuple):
    """What screens are drawn with; all of an app's have the same."""

    graphics: TerminalGraphics
    """What the user's terminal can."""
    fonts: Fonts
    """What text is read with."""


class ScreenLook:
    """Draws frames when they are due."""

    def __init__(
        self,
        session: ScreenSession,
        widget: FramebufferDisplay,
        means: Means,
        choice: Choice,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is drawn yet.

        Args:
            session: where the picture comes from.
            widget: what shows it.
            means: what it is drawn with.
            choice: how it is drawn first.
            monotonic: seconds of a clock that is never set.
        """
        self.drawing = Drawing({"text": TextRenderer(means.fonts), "blocks": HalfBlocks()}, choice, monotonic)
        self.drawn_aside: Callable[[], None] = lambda: None
        """Called after each frame that was drawn beside what else goes on: see `frame`."""
        self._aside = Aside(self.drawing, monotonic)
        self._fonts = means.fonts
        self._session = session
        self._widget = widget
        self._graphics = means.graphics
        self._monotonic = monotonic
        self._kitty: KittyTiles | None = None
        self._view: View | None = None
        self._stale = False
        self._closed = False
        self._drawn_at = float("-inf")
        self._took = 0.0
        """Seconds that drawing the last frame took: so long others have their turn before the next."""

    def close(self) -> None:
        """Delete what the terminal keeps of it."""
        self._closed = True
        self._aside.then(self._delete)

    def _delete(self) -> None:
        if self._kitty is not None:
            self._graphics.write(self._kitty.close())

    # --- frames ----------------------------------------------------------------------------------

    def mark(self) -> None:
        """There is something new to be drawn."""
        self._stale = True

    @property
    def drawn_as(self) -> tuple[object, ...]:
        """By what it was drawn last, and how large the guest's screen was; empty before the first frame."""
        screen = self._session.screen
        if screen is None or self._drawn_at == float("-inf"):
            return ()
        return self.drawing.kind, screen.width, screen.height

    @property
    def due(self) -> bool:
        """Whether a frame may be drawn now.

        The pace is that of the questions. This only bounds what a server sends unasked, so that an answer to
        a key never waits for the frame after a cursor's blinking; and a guest with a screen of any size does
        not take all the time there is.
        """
        pause = max(0.5 / RATES[self.drawing.kind], self._took)
        return self._stale and self._monotonic() - self._drawn_at - self._took >= pause

    @property
    def stale(self) -> bool:
        """Whether there is something to be drawn."""
        return self._stale

    def frame(self) -> bool:
        """Draw if that is due; False if there is nothing more to draw until `mark`, or `drawn_aside`."""
        screen, view = self._session.screen, self._view
        if screen is None or view is None or self._aside.busy:
            return False
        if not self.due or (self.drawing.kind == "kitty" and self._graphics.busy):
            return self._stale
        self._drawn_at = self._monotonic()
        self._stale = False
        if self._aside.is_wanted(screen):
            self._aside.begin(screen, view, self._come)
            return False
        self._aside.forget()
        drawn = self.drawing.draw(screen, view)
        self._show_frame(drawn)
        self._took = self._monotonic() - self._drawn_at
        return self._stale

    def _come(self, drawn: Drawn, took: float) -> None:
        """A frame has come from its thread."""
        if not self._closed:
            self._took = took
            self._show_frame(drawn)
            self.drawn_aside()

    def _show_frame(self, drawn: Drawn) -> None:
        self._widget.show(drawn)
        if drawn.kind == "kitty" and self._kitty is not None:
            self._graphics.send(drawn.frame.graphics, self._kitty.awaited)
        self._session.pacing.rate = RATES[drawn.kind]
        behind = drawn.kind == "kitty" and self._kitty is not None and self._kitty.behind
        self._stale = self._stale or behind or self.drawing.unread

    def resized(self, columns: int, rows: int) -> None:
        """There is room for so many cells."""
        width, height = cell_pixels()
        at = self._view or View(0, 0)
        self._view = View(columns, rows, width, height, at.zoom, at.left, at.top)
        self.mark()

    # --- renderers -------------------------------------------------------------------------------

    def graphics_known(self) -> None:
        """The terminal has said whether it shows graphics, or that it does not after all."""
        self._aside.then(self._take_graphics)
        self.mark()

    def _take_graphics(self) -> None:
        if self._graphics.capable and self._kitty is None:
            self._kitty = KittyTiles(passthrough=self._graphics.in_tmux)
            self.drawing.add(self._kitty)
        elif not self._graphics.capable and self._kitty is not None:
            self._kitty = None
            self.drawing.remove("kitty")

    def send_again(self) -> None:
        """The terminal has lost the pictures that it had."""
        if self._kitty is not None:
            self._aside.then(self._kitty.forget)
        self.mark()

    def cycle(self) -> Choice:
        """The next way to draw it."""
        choice = self.drawing.cycle()
        self.mark()
        return choice

    # --- zoom and pan ----------------------------------------------------------------------------

    def zoom(self, step: int) -> bool:
        """Larger, or with a negative step smaller, around the middle; False for text, which is not."""
        screen, view = self._session.screen, self._view
        if self._widget.shows_text or screen is None or view is None:
            return False
        shown = window(screen.width, screen.height, view)
        zoom = shown.zoom * ZOOM_STEP**step
        if zoom <= fitting_zoom(screen.width, screen.height, view):
            return self.fit()
        across, down = view.columns * view.cell_width / 2, view.rows * view.cell_height / 2
        left = shown.left + across / shown.zoom - across / zoom
        top = shown.top + down / shown.zoom - down / zoom
        self._show(view._replace(zoom=zoom, left=int(max(left, 0)), top=int(max(top, 0))))
        return True

    def fit(self) -> bool:
        """All of the picture; or text where its cursor is. False for text."""
        if self._view is not None:
            self._show(self._view._replace(zoom=0.0, left=0, top=0))
        self._widget.follow_cursor()
        return not self._widget.shows_text

    def pan(self, across: int, down: int) -> None:
        """Look further to the right and down, by so many steps."""
        screen, view = self._session.screen, self._view
        if self._widget.shows_text:
            size = self._widget.content_size
            self._widget.pan_text(across * max(size.width // _PART, 1), down * max(size.height // _PART, 1))
        elif screen is not None and view is not None:
            shown = window(screen.width, screen.height, view)
            moved = view._replace(
                left=int(max(shown.left + across * view.columns * view.cell_width / shown.zoom / _PART, 0)),
                top=int(max(shown.top + down * view.rows * view.cell_height / shown.zoom / _PART, 0)),
            )
            at = window(screen.width, screen.height, moved)
            self._show(view._replace(left=int(at.left), top=int(at.top)))

    def _show(self, view: View) -> None:
        if view != self._view:
            self._view = view
            self.mark()

    # --- what else one wants of it ---------------------------------------------------------------

    def text(self) -> str:
        """What can be read on the screen, whatever it is drawn as; empty if nothing can."""
        if self._widget.shows_text:
            return self._widget.lines.all_text()
        if self._session.screen is None:
            return ""
        screen = self._session.screen
        frame = TextRenderer(self._fonts).draw(screen, [screen.whole], ALL)
        lines = FrameLines()
        lines.show(frame.lines if frame is not None else ())
        return lines.all_text()

    def room(self) -> tuple[int, int] | None:
        """The size of a guest's screen that would fill the room: as text, or in the terminal's own pixels."""
        if self._view is None:
            return None
        cell = (self._view.cell_width, self._view.cell_height) if self.drawing.kind == "kitty" else TEXT_CELL
        return self._view.columns * cell[0], self._view.rows * cell[1]
