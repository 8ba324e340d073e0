"""Screens that are drawn in a thread: right, and nothing waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np

from pilot.vnc.aside import Aside
from pilot.vnc.blocks import HalfBlocks
from pilot.vnc.drawing import Drawing, Drawn
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.renderer import Frame, Kind, View

VIEW = View(40, 12)
SECONDS = 30.0


class Held(HalfBlocks):
    """Draws when it may."""

    kind: Kind = "blocks"

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.parts: list[list[Rect]] = []

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame | None:
        assert self.may.wait(SECONDS)
        self.parts.append(list(dirty))
        return super().draw(screen, dirty, view)


def photograph() -> Framebuffer:
    screen = Framebuffer(320, 200)
    screen.packed[...] = np.random.default_rng(1).integers(0, 1 << 24, (200, 320))
    return screen


async def drawn(aside: Aside, screen: Framebuffer) -> Drawn:
    done = asyncio.get_running_loop().create_future()
    aside.begin(screen, VIEW, lambda frame, _seconds: done.set_result(frame))
    async with asyncio.timeout(SECONDS):
        frame: Drawn = await done
    return frame


async def test_a_frame_is_of_the_moment_in_which_it_was_begun() -> None:
    screen, held = photograph(), Held()
    aside = Aside(Drawing({"blocks": held}))
    expected = HalfBlocks().draw(screen, (), VIEW)
    done = asyncio.get_running_loop().create_future()
    aside.begin(screen, VIEW, lambda frame, _seconds: done.set_result(frame))
    # The loop goes on, takes the next update, and is not drawn beside.
    screen.packed[50:60] = 0xFFFFFF
    screen.touch(Rect(0, 50, 320, 10))
    called = list[str]()
    aside.then(lambda: called.append("after"))
    assert aside.busy
    assert not called
    held.may.set()
    async with asyncio.timeout(SECONDS):
        assert (await done).frame == expected
    assert called == ["after"]
    aside.then(lambda: called.append("at once"))
    assert called == ["after", "at once"]
    assert (await drawn(aside, screen)).frame == HalfBlocks().draw(screen, (), VIEW)
    assert held.parts[-1] == [Rect(0, 50, 320, 10)], "only what changed is copied and drawn"


async def test_another_size_or_screen_is_drawn_whole() -> None:
    screen, held = photograph(), Held()
    held.may.set()
    aside = Aside(Drawing({"blocks": held}))
    await drawn(aside, screen)
    screen.resize(160, 100)
    assert (await drawn(aside, screen)).frame == HalfBlocks().draw(screen, (), VIEW)
    other = photograph()
    assert (await drawn(aside, other)).frame == HalfBlocks().draw(other, (), VIEW)
    other.packed[...] = 0
    aside.forget()
    assert (await drawn(aside, other)).frame == HalfBlocks().draw(other, (), VIEW)
