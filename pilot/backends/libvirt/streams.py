"""A pair of streams, of asyncio or asyncssh, as a provider's Screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import asyncssh

READ_AHEAD = 256 * 1024
"""Bytes that are read from a VNC server before somebody wants them."""


Reader: TypeAlias = "asyncio.StreamReader | asyncssh.SSHReader[bytes]"
Writer: TypeAlias = "asyncio.StreamWriter | asyncssh.SSHWriter[bytes]"


class StreamScreen:
    """A connection to a VNC server; a provider.Screen. However it is lost, that is its end."""

    def __init__(self, reader: Reader, writer: Writer, closed: Callable[[], None] = lambda: None) -> None:
        """`closed` is called once, when it is let go."""
        self._reader = reader
        self._writer = writer
        self._closed: Callable[[], None] | None = closed

    async def read(self, limit: int) -> bytes:
        """What the server sent next; empty at the end."""
        try:
            return await self._reader.read(limit)
        except (OSError, asyncssh.Error):
            return b""

    def write(self, data: bytes) -> None:
        """Send; what is sent after the end is lost."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait while the server does not read."""
        try:
            await self._writer.drain()
        except (OSError, asyncssh.Error):
            return  # the reader sees the end

    def close(self) -> None:
        """Let it go; may be called twice. What the server has not taken yet is dropped: it may hang."""
        closed, self._closed = self._closed, None
        if closed is not None:
            if isinstance(self._writer, asyncssh.SSHWriter):
                self._writer.channel.abort()
            else:
                self._writer.transport.abort()
            closed()
