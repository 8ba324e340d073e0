"""What a VNC connection travels on, and reading whole parts of it without ever keeping much."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Protocol

from pilot.errors import VncError

STALL_SECONDS = 60.0
"""How long a message that has begun may bring nothing more. Between messages there is no limit."""
BUSY_SECONDS = 0.008
"""How long decoding may keep others of the same event loop waiting."""
CHUNK = 256 * 1024
"""Bytes of a long part that are kept at once."""


class Stream(Protocol):
    """Bytes from and to a VNC server."""

    async def read(self) -> bytes:
        """What came next; empty at the end."""

    def write(self, data: bytes) -> object:
        """Send."""

    async def drain(self) -> object:
        """Wait while the server does not read."""

    def close(self) -> object:
        """Let it go."""


class Reader:
    """Takes numbers and parts of a known size from a stream."""

    def __init__(self, stream: Stream, stall_seconds: float = STALL_SECONDS) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._stall = stall_seconds
        self._rested = time.monotonic()

    async def begun(self) -> bool:
        """Wait for the next message's first byte, for ever; False if the stream ends before it."""
        if not self._buffer:
            self._buffer += await self._read()
        return bool(self._buffer)

    async def _read(self) -> bytes:
        try:
            return await self._stream.read()
        except OSError as error:
            raise VncError(f"the VNC connection was lost: {error}", "Open the screen again.") from None

    async def exactly(self, count: int) -> bytes:
        """So many bytes: callers take long parts in pieces of CHUNK.

        Raises:
            VncError: the stream ends before, or brings nothing for STALL_SECONDS.
        """
        buffer = self._buffer
        while len(buffer) < count:
            try:
                async with asyncio.timeout(self._stall):
                    data = await self._read()
            except TimeoutError:
                raise VncError(
                    f"the VNC server stopped in the middle of a message, {self._stall:.0f} s ago",
                    "Its VM may be hung or paused: look at the node's state.",
                ) from None
            if not data:
                raise VncError(
                    "the VNC connection ended in the middle of a message", "Open the screen again."
                )
            buffer += data
        part = bytes(memoryview(buffer)[:count])
        del buffer[:count]
        return part

    async def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Numbers."""
        return form.unpack(await self.exactly(form.size))

    async def text(self, limit: int, kept: int, what: str) -> bytes:
        """A text with its length before it; `kept` bytes of it at most.

        Raises:
            VncError: it is longer than `limit`.
        """
        (length,) = struct.unpack("!I", await self.exactly(4))
        if length > limit:
            raise VncError(
                f"the VNC server's {what} is {length:,} bytes long: more than {limit:,} is not believed"
            )
        text = await self.exactly(min(length, kept))
        await self.skip(length - len(text))
        return text

    async def skip(self, count: int) -> None:
        """Let so many bytes pass."""
        while count > 0:
            count -= len(await self.exactly(min(count, CHUNK)))

    async def rest(self) -> None:
        """Let the others run if this has been busy for long: a stream that is full never waits."""
        if time.monotonic() - self._rested > BUSY_SECONDS:
            await asyncio.sleep(0)
            self._rested = time.monotonic()
