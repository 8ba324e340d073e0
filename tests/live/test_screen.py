"""A screen that is kept open: what it asks for, what it sends, and how it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import numpy as np
import pytest

from pilot import wire
from pilot.errors import BackendError, PilotError, RefusedError, UnreachableError
from pilot.link.screen_stream import ScreenStream
from pilot.live.opening import LONGEST_SECONDS, SETTLED_SECONDS, Opening
from pilot.live.screen import ScreenMode, ScreenSession
from pilot.vnc import keys
from tests.support.vnc_guest import VncGuest
from tests.support.waiting import until

RED = 0x0000FF


class Door:
    """Opens the screen of a guest, or does not."""

    def __init__(self) -> None:
        self.guest = VncGuest()
        self.error: PilotError | None = None
        self.reason = ""
        self.asked: list[tuple[ScreenMode, bool]] = []

    async def open(self, mode: ScreenMode, exclusive: bool) -> ScreenStream:
        self.asked.append((mode, exclusive))
        if self.error is not None:
            raise self.error
        stream = self.guest.stream(controlling=mode == "control", exclusive=exclusive)
        return cast("ScreenStream", stream)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def session(door: Door) -> AsyncIterator[ScreenSession]:
    """A session that runs, and that somebody looks at."""
    made = ScreenSession("id", "compute-0-0", door.open, why_not=lambda: door.reason)
    made.looking = True
    running = asyncio.create_task(made.run())
    yield made
    made.close()
    async with asyncio.timeout(20):
        await running


async def becomes(session: ScreenSession, state: str) -> None:
    await until(lambda: session.state == state, 20, f"{state}, is {session.state}: {session.why}")


async def is_red(session: ScreenSession, seconds: float = 20) -> None:
    def red() -> bool:
        screen = session.screen
        return screen is not None and bool((screen.packed & 0xFFFFFF == RED).all())

    await until(red, seconds)


async def test_the_picture_follows_the_guest(door: Door, session: ScreenSession) -> None:
    drawn: list[int] = []
    session.drawn.listen(lambda: drawn.append(1))
    await becomes(session, "live")
    await until(lambda: session.screen is not None, 20)
    assert session.controlling
    door.guest.draw(np.full((48, 64), RED, np.uint32))
    await is_red(session)
    assert session.pacing.per_second > 0
    assert len(drawn) >= 2


async def test_nothing_is_asked_while_nobody_looks(door: Door, session: ScreenSession) -> None:
    await until(lambda: session.screen is not None, 20)
    session.looking = False
    # What had been asked before may still be answered, once.
    door.guest.changed()
    await until(lambda: door.guest.requests >= 1, 20)
    updated = session.updated
    await asyncio.sleep(0)
    asked = door.guest.requests
    for _ in range(20):
        door.guest.draw(np.full((48, 64), RED, np.uint32))
        await asyncio.sleep(0.01)
    assert door.guest.requests <= asked + 1
    session.looking = True
    await is_red(session)
    assert updated is not None


async def test_there_are_pauses_between_questions(door: Door, session: ScreenSession) -> None:
    session.pacing.rate = 5.0
    await until(lambda: session.screen is not None, 20)
    loop = asyncio.get_running_loop()
    begun, asked = loop.time(), door.guest.requests
    while door.guest.requests < asked + 4:
        door.guest.changed()
        await asyncio.sleep(0.01)
    assert loop.time() - begun > 3 / 5.0 - 0.1


async def test_keys_pointer_and_paste_reach_the_guest(door: Door, session: ScreenSession) -> None:
    guest = door.guest
    stroke = keys.stroke("ctrl+a", None)
    assert stroke is not None
    await until(lambda: session.screen is not None, 20)
    assert session.press(stroke)
    assert guest.scancodes == [(0x1D, True), (0x1E, True), (0x1E, False), (0x1D, False)]
    assert session.point(10, 20, 1)
    assert session.point(9999, -5, 0)
    assert guest.pointed == [(10, 20, 1), (63, 0, 0)]
    guest.scancodes.clear()
    typing = session.as_typed("ls\n")
    assert session.paste(typing)
    assert session.pasting.going
    await until(lambda: not session.pasting.going, 20)
    assert guest.keys == [0x26, 0x1F, 0x1C]
    guest.scancodes.clear()
    session.paste(session.as_typed("x" * 5000))
    await until(lambda: len(guest.keys) > 3, 20)
    assert session.pasting.cancel()
    await asyncio.sleep(0.05)
    assert len(guest.keys) < 4000


async def test_watching_sends_nothing(door: Door, session: ScreenSession) -> None:
    await until(lambda: session.screen is not None, 20)
    session.turn("watch")
    await until(lambda: door.asked[-1] == ("watch", False), 20)
    await becomes(session, "live")
    stroke = keys.stroke("a", "a")
    assert stroke is not None
    assert not session.press(stroke)
    assert not session.point(1, 1, 1)
    assert not session.paste(session.as_typed("a"))
    assert not session.ask_size(10, 10)
    session.turn("control", exclusive=True)
    await until(lambda: door.asked[-1] == ("control", True) and session.takes_keys, 20)
    assert door.guest.shared == [True, True, False]
    assert not [notice for notice in session.notices if "again" in notice.text]


async def test_control_is_lost_by_notice(door: Door, session: ScreenSession) -> None:
    await until(lambda: session.takes_keys, 20)
    stream = door.guest.streams[-1]
    assert stream.notices is not None
    session.paste(session.as_typed("x" * 500))
    stream.notices(wire.Notice("joined", "bob has joined and watches"))
    assert session.others == 1
    stream.notices(wire.Notice("left", "bob has left"))
    assert session.others == 0
    stream.notices(wire.Notice("writer", "bob has it alone", writing=False))
    assert not session.takes_keys
    assert not session.pasting.going
    assert session.notices[-1].text == "bob has it alone"


async def test_it_comes_back(door: Door, session: ScreenSession) -> None:
    door.guest.draw(np.full((48, 64), RED, np.uint32))
    await is_red(session)
    door.error = UnreachableError("there is no link")
    door.guest.streams[-1].end("airboss is stopping")
    await becomes(session, "lost")
    assert session.why in ("airboss is stopping", "there is no link")
    await is_red(session)
    assert not session.takes_keys
    door.error = BackendError("libvirt says no", "")
    session.retry()
    await until(lambda: session.why == "libvirt says no", 20)
    door.error = None
    session.retry()
    await becomes(session, "live")
    assert session.notices[-1].text == "connected again"
    assert door.guest.shared == [True, True]


async def test_it_is_not_opened_while_there_is_a_reason(door: Door) -> None:
    door.reason = "it is off"
    session = ScreenSession("id", "n", door.open, why_not=lambda: door.reason)
    running = asyncio.create_task(session.run())
    await becomes(session, "waiting")
    session.retry()
    session.retry()
    await asyncio.sleep(0.05)
    assert (session.why, door.asked) == ("it is off", [])
    door.reason = ""
    session.retry()
    await becomes(session, "live")
    door.reason = "it hangs"
    door.guest.streams[-1].end("the node was turned off")
    await becomes(session, "waiting")
    assert session.why == "it hangs"
    session.close()
    async with asyncio.timeout(20):
        await running


async def test_a_reason_that_is_known_late(door: Door, session: ScreenSession) -> None:
    await becomes(session, "live")
    door.error = BackendError("it is off", "")
    door.guest.streams[-1].end("the node was turned off")
    await until(lambda: session.why == "it is off", 20)
    asked = len(door.asked)
    door.reason = "○ off"
    session.retry()
    await becomes(session, "waiting")
    assert len(door.asked) == asked


async def test_a_refusal_ends_it_until_it_is_tried_again(door: Door, session: ScreenSession) -> None:
    await becomes(session, "live")
    door.error = RefusedError("not yours", "Ask the admin.")
    door.guest.streams[-1].end("your key was removed")
    await becomes(session, "ended")
    assert session.notices[-1].text == "not yours Ask the admin."
    door.error = None
    session.retry()
    await becomes(session, "live")


@pytest.mark.parametrize(
    "rubbish", [b"HTTP/1.1 400 Bad Request\r\n", b"RFB 003.008\n\x00\x00\x00\x00\x03bad"]
)
async def test_a_server_that_speaks_something_else(rubbish: bytes) -> None:
    class Rude:
        attached = wire.ScreenAttached("id", "n", True)
        notices: Callable[[wire.Notice], None] | None = None
        why = ""
        sent = False

        async def read(self) -> bytes:
            if self.sent:
                return b""
            self.sent = True
            return rubbish

        def write(self, data: bytes) -> None: ...
        async def drain(self) -> None: ...
        def close(self) -> None: ...

    async def open(_mode: ScreenMode, _exclusive: bool) -> ScreenStream:
        return cast("ScreenStream", Rude())

    opens: Callable[[ScreenMode, bool], Awaitable[ScreenStream]] = open
    session = ScreenSession("id", "n", opens)
    running = asyncio.create_task(session.run())
    await becomes(session, "lost")
    assert session.why
    session.close()
    async with asyncio.timeout(20):
        await running


async def test_one_that_is_closed_while_it_opens_is_let_go(door: Door) -> None:
    asked, may, opened = asyncio.Event(), asyncio.Event(), list[ScreenStream]()

    async def slowly(mode: ScreenMode, exclusive: bool) -> ScreenStream:
        asked.set()
        await may.wait()
        opened.append(await door.open(mode, exclusive))
        return opened[0]

    session = ScreenSession("id", "compute-0-0", slowly)
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(20):
        await asked.wait()
        session.close()
        may.set()
        await running
    assert await opened[0].read() == b""


async def test_the_pauses_grow_while_it_never_stays_open(door: Door) -> None:
    now = 1000.0
    waits = list[float]()

    async def soon(seconds: float | None) -> bool:
        assert seconds is not None
        waits.append(seconds)
        return True

    opening = Opening(door.open, lambda: now)
    opening.wait = soon  # type: ignore[method-assign]
    for _ in range(9):
        stream = await opening.stream(lambda: ("control", False), lambda error: None)
        assert stream is not None
        stream.close()
    assert len(waits) == 8  # the first attempt waits for nothing
    assert waits[0] <= 0.25
    assert waits[-1] >= LONGEST_SECONDS / 2
    now += SETTLED_SECONDS + 1
    assert await opening.stream(lambda: ("control", False), lambda error: None) is not None
    assert len(waits) == 8
