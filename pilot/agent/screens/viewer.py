"""One who looks at a screen: a connection to the node's VNC server of their own, relayed both ways.

Whoever does not read is not read for: the server is held back, by its own connection alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from pilot import wire
from pilot.agent.screens.rfb_gate import RfbGate
from pilot.backends.provider import Screen
from pilot.wire import Notice

MAX_NOTICES = 64
"""Notices that wait for a viewer who does not read; the oldest are dropped."""


class Outlet(Protocol):
    """Where frames go and the viewer's frames come from."""

    async def receive(self) -> wire.AnyClientFrame:
        """The viewer's next frame."""

    def tell(self, frame: wire.ServerFrame) -> None:
        """Send without waiting."""

    async def send(self, frame: wire.ServerFrame) -> None:
        """Send, and wait while the other side does not read."""


class ScreenViewer:
    """A principal at a screen."""

    def __init__(
        self, principal: str, screen: Screen, *, asks: bool, controlling: bool, exclusive: bool
    ) -> None:
        """`asks`: it wants to control the screen, if the role lets it; `controlling`: it does now."""
        self.principal = principal
        self.exclusive = exclusive
        """Nobody else is to see it meanwhile."""
        self._asks = asks
        self._screen = screen
        self._gate = RfbGate(controlling=controlling, exclusive=exclusive)
        self._notices: deque[Notice] = deque()
        self._news = asyncio.Event()
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def controlling(self) -> bool:
        """Whether keys and pointer reach the guest."""
        return self._gate.controlling

    async def relay(self, outlet: Outlet, lost: Callable[[], Awaitable[str]]) -> None:
        """Relay until one of the sides ends it, or `close`; the last words are said then.

        `lost` is asked why the server has ended the connection.

        Raises:
            WireError: the viewer does not speak RFB.
        """
        parts = [
            asyncio.create_task(part)
            for part in (self._to_viewer(outlet, lost), self._to_server(outlet), self._tell(outlet))
        ]
        ends: list[asyncio.Future[None] | asyncio.Future[str]] = [*parts, self._over]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        for part in parts:
            if not part.cancelled() and (error := part.exception()) is not None:
                raise error
        outlet.tell(Notice("closed", self._over.result(), final=True))

    def tell(self, notice: Notice) -> None:
        """Something that the viewer should know; the oldest is dropped if they are not read."""
        if len(self._notices) == MAX_NOTICES:
            dropped, oldest = self._notices.popleft(), self._notices[0]
            if dropped.writing is not None and oldest.writing is None:
                self._notices[0] = msgspec.structs.replace(oldest, writing=dropped.writing)
        self._notices.append(notice)
        self._news.set()

    def only_watch(self, text: str) -> None:
        """Let no input through from now on, and say why."""
        if self.controlling:
            self._screen.write(self._gate.only_watch())
            self.tell(Notice("writer", text, writing=False))

    def may_control(self, text: str) -> None:
        """The role lets it control the screen now: if it had asked for that, it does."""
        if self._asks and not self.controlling:
            self._gate.controlling = True
            self.tell(Notice("writer", text, writing=True))

    def close(self, text: str) -> None:
        """End it, and say why."""
        if not self._over.done():
            self._over.set_result(text)

    def let_go(self) -> None:
        """Close the connection to the server."""
        self._screen.close()

    async def _to_viewer(self, outlet: Outlet, lost: Callable[[], Awaitable[str]]) -> None:
        while data := await self._screen.read(wire.MAX_SCREEN_CHUNK):
            await outlet.send(wire.Output(data))
        self.close(await lost())

    async def _to_server(self, outlet: Outlet) -> None:
        while True:
            frame = await outlet.receive()
            if isinstance(frame, wire.Input):
                self._screen.write(self._gate.feed(frame.data))
                await self._screen.drain()

    async def _tell(self, outlet: Outlet) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._notices:
                await outlet.send(self._notices.popleft())
