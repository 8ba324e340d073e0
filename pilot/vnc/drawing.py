"""Which renderer draws a screen: the text that it shows if that can be read, else the best picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from pilot.vnc.framebuffer import MAX_DIRTY, Framebuffer, Rect, around
from pilot.vnc.renderer import Frame, Kind, Renderer, View

Choice = Literal["auto", "text", "kitty", "blocks"]

READ = 0.95
"""The part of all cells that must be read for a screen to be taken for text."""
STILL_READ = 0.85
"""With less than this it is text no more."""
AGAIN_SECONDS = 0.5
"""Between two attempts to read text on a screen that shows none."""
RATES: Mapping[Kind, float] = {"text": 30.0, "kitty": 20.0, "blocks": 12.0}
"""Frames in a second that are asked for, at most."""
ALL = View(10_000, 10_000)
"""Text is small: all of it is drawn, and whoever shows it takes what there is room for."""


class Drawn(NamedTuple):
    """A frame, and how it was made."""

    frame: Frame
    kind: Kind


class Drawing:
    """Draws one screen again and again."""

    def __init__(
        self,
        renderers: Mapping[Kind, Renderer],
        choice: Choice = "auto",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """With what there is of renderers; half blocks must be among them."""
        self.choice: Choice = choice
        self.kind: Kind = "blocks"
        """How it was drawn last."""
        self.quality: float | None = None
        """The part of all cells that was read last; None if that was not tried or there is no text."""
        self._renderers = dict(renderers)
        self._monotonic = monotonic
        self._dirty: dict[Kind, list[Rect]] = {kind: [] for kind in self._renderers}
        self._screen: Framebuffer | None = None
        self._tried = float("-inf")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What can be chosen."""
        kinds: tuple[Kind, ...] = ("text", "kitty", "blocks")
        return ("auto", *(kind for kind in kinds if kind in self._renderers))

    @property
    def unread(self) -> bool:
        """Whether something was drawn as a picture that may be text: draw again in AGAIN_SECONDS."""
        return self.choice in ("auto", "text") and bool(self._dirty.get("text"))

    def choose(self, choice: Choice) -> None:
        """Draw it this way from now on."""
        self.choice = choice
        self._tried = float("-inf")

    def cycle(self) -> Choice:
        """The next choice."""
        choices = self.choices
        at = choices.index(self.choice) if self.choice in choices else 0
        self.choose(choices[(at + 1) % len(choices)])
        return self.choice

    def add(self, renderer: Renderer) -> None:
        """One more way to draw it is known, or one is made anew."""
        self._renderers[renderer.kind] = renderer
        self._dirty[renderer.kind] = [] if self._screen is None else [self._screen.whole]

    def remove(self, kind: Kind) -> None:
        """One does not work after all."""
        self._renderers.pop(kind, None)
        self._dirty.pop(kind, None)

    def draw(self, screen: Framebuffer, view: View) -> Drawn:
        """Draw it as it is now; text whole, pictures as the view says."""
        self._take_dirty(screen)
        if self._tries_text():
            frame = self._draw("text", screen, ALL)
            self._tried = self._monotonic()
            self.quality = frame.quality if frame is not None else None
            if frame is not None and self._is_text():
                self.kind = "text"
                return Drawn(frame, "text")
        else:
            self.quality = None
        if self.choice != "blocks" and "kitty" in self._renderers:
            frame = self._draw("kitty", screen, view)
            if frame is not None:
                self.kind = "kitty"
                return Drawn(frame, "kitty")
        self.kind = "blocks"
        frame = self._draw("blocks", screen, view)
        assert frame is not None
        return Drawn(frame, "blocks")

    def _take_dirty(self, screen: Framebuffer) -> None:
        """Remember for each renderer what it has not drawn yet: they are not drawn all the time."""
        dirty = screen.take_dirty()
        if screen is not self._screen:
            self._screen = screen
            dirty = [screen.whole]
        if not dirty:
            return
        for waiting in self._dirty.values():
            waiting += dirty
            if len(waiting) > MAX_DIRTY:
                waiting[:] = [around(waiting)]

    def _tries_text(self) -> bool:
        if "text" not in self._renderers or self.choice not in ("auto", "text"):
            return False
        return self.kind == "text" or self._monotonic() - self._tried >= AGAIN_SECONDS

    def _is_text(self) -> bool:
        if self.choice == "text":
            return True
        needed = STILL_READ if self.kind == "text" else READ
        return self.quality is None or self.quality >= needed

    def _draw(self, kind: Kind, screen: Framebuffer, view: View) -> Frame | None:
        frame = self._renderers[kind].draw(screen, self._dirty[kind], view)
        self._dirty[kind] = []
        return frame
