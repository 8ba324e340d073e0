"""When a screen is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual.app import App

from pilot.link.screen_stream import ScreenStream
from pilot.live.screen import ScreenMode, ScreenSession
from pilot.screens.screen_look import Means, ScreenLook
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.renderer import Frame, Kind, View
from pilot.vnc.text import Fonts
from pilot.widgets.framebuffer_display import FramebufferDisplay
from pilot.widgets.graphics import TerminalGraphics


class Slow:
    """Takes its time to draw, on a clock of its own."""

    kind: Kind = "blocks"

    def __init__(self) -> None:
        self.now = 100.0
        self.takes = 0.0

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame:
        self.now += self.takes
        return Frame(())


async def never(mode: ScreenMode, exclusive: bool) -> ScreenStream:
    raise AssertionError


async def test_a_screen_that_takes_long_to_draw_leaves_half_of_the_time_to_others() -> None:
    session = ScreenSession("id", "compute-0-0", never)
    session.screen = Framebuffer(64, 48)
    means = Means(TerminalGraphics(App[None]()), Fonts.built_in())
    slow = Slow()
    look = ScreenLook(session, FramebufferDisplay(), means, "blocks", lambda: slow.now)
    look.drawing.add(slow)
    look.resized(80, 24)

    def due(seconds: float) -> bool:
        slow.now += seconds
        return look.due

    shown = asyncio.Event()
    look.drawn_aside = shown.set

    async def drawn() -> None:
        shown.clear()
        assert not look.frame()
        async with asyncio.timeout(20):
            await shown.wait()

    slow.takes = 2.0
    await drawn()
    look.mark()
    assert not due(0.0)
    assert not due(1.9)
    assert due(0.2)
    slow.takes = 0.001
    await drawn()
    look.mark()
    assert due(0.1)
