"""One look at a screen, and another one after it: for scripts, which have no use for what moves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from pilot.errors import DeadlineError, VncError
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.rfb import RfbClient
from pilot.vnc.stream import Stream

BLANK_SECONDS = 0.7
"""For how long more is awaited after a picture of one colour. QEMU's VNC server draws nothing while nobody is
connected, and answers the first who is with what it has: nothing, sometimes twice. What there is to see comes
after 80 ms to 100 ms where the machine has time."""


class Looking:
    """At one screen. An async context manager; nothing is sent to the guest."""

    def __init__(self, stream: Stream, seconds: float) -> None:
        """A stream that has just been opened; `seconds` is the longest wait for a picture."""
        self._stream = stream
        self._seconds = seconds
        self._client = RfbClient(stream)
        self._drawn = asyncio.Event()
        self._client.updated = self._drawn.set
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._client.handshake()
        except BaseException:
            self._client.close()
            raise
        self._reading = asyncio.create_task(self._client.run(), name="look")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def whole(self) -> Framebuffer:
        """All of it, as it is now.

        Raises:
            VncError, UnreachableError: the server, or the way to it, failed.
            DeadlineError: no picture came in time.
        """
        try:
            async with asyncio.timeout(self._seconds):
                size = None
                # Another size is told before its picture: what is seen then is not drawn yet.
                while size != (size := (self._client.screen.width, self._client.screen.height)):
                    await self._update(incremental=False)
                with suppress(TimeoutError):
                    async with asyncio.timeout(BLANK_SECONDS):
                        while self._is_blank:
                            await self._update(incremental=True)
        except TimeoutError:
            raise DeadlineError(
                f"the screen was not drawn for {self._seconds:g} s",
                "Its VM may be hung or paused: `pilot nodes` shows its state.",
            ) from None
        return self._client.screen

    async def changed(self) -> Framebuffer:
        """It, once something on it has changed; the caller sets the deadline. Raises as `whole` does."""
        await self._update(incremental=True)
        return self._client.screen

    @property
    def _is_blank(self) -> bool:
        packed = self._client.screen.packed
        return bool((packed == packed[0, 0]).all())

    async def _update(self, incremental: bool) -> None:
        assert self._reading is not None
        self._drawn.clear()
        self._client.request(incremental)
        drawn = asyncio.ensure_future(self._drawn.wait())
        try:
            await asyncio.wait({drawn, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drawn.cancel()
        if self._reading.done() and not self._drawn.is_set():
            self._reading.result()
            raise VncError("the VNC server ended the connection", "The node may be off: `pilot nodes`.")
