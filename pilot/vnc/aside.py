"""Drawing that takes long, beside what else goes on: in a thread, from a copy of the screen.

A screen of 3840x2160 pixels takes 20 ms to 80 ms to be drawn; an event loop that did it would take no keys.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pilot.vnc.drawing import Drawing, Drawn
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.renderer import View

LARGE = 1_500_000
"""Pixels of a screen from which text is read in a thread. Pictures always are drawn in one."""


class Aside:
    """Of one drawing. Nobody else draws with it, or gives it other renderers, while it is `busy`."""

    def __init__(self, drawing: Drawing, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nothing is drawn yet."""
        self.busy = False
        self._drawing = drawing
        self._monotonic = monotonic
        self._copy: Framebuffer | None = None
        self._source: Framebuffer | None = None
        self._after: list[Callable[[], None]] = []

    def is_wanted(self, screen: Framebuffer) -> bool:
        """Whether drawing this screen may take long."""
        return self._drawing.kind != "text" or screen.packed.size > LARGE

    def forget(self) -> None:
        """The screen is drawn in another way meanwhile: the copy will be made anew."""
        self._copy = self._source = None

    def begin(self, screen: Framebuffer, view: View, done: Callable[[Drawn, float], None]) -> None:
        """Draw the screen as it is now; `done` is told the frame on the loop, and the seconds it took."""
        copy, drawing = self._copied(screen), self._drawing
        self.busy = True

        def draw() -> tuple[Drawn, float]:
            begin = self._monotonic()
            return drawing.draw(copy, view), self._monotonic() - begin

        def drawn(future: asyncio.Future[tuple[Drawn, float]]) -> None:
            self.busy = False
            after, self._after = self._after, []
            for call in after:
                call()
            if not future.cancelled():
                done(*future.result())

        asyncio.get_running_loop().run_in_executor(None, draw).add_done_callback(drawn)

    def then(self, call: Callable[[], None]) -> None:
        """Do something that no drawing may go on beside: at once, or when this one is done."""
        if self.busy:
            self._after.append(call)
        else:
            call()

    def _copied(self, screen: Framebuffer) -> Framebuffer:
        """The copy, as the screen is now."""
        copy, dirty = self._copy, screen.take_dirty()
        if copy is None or self._source is not screen or copy.packed.shape != screen.packed.shape:
            copy = self._copy = Framebuffer(screen.width, screen.height)
            self._source = screen
            dirty = [screen.whole]
        for rect in dirty:
            copy.part(rect)[...] = screen.part(rect)
            copy.touch(rect)
        return copy
