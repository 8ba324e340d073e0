"""An open console on its channel: bytes and notices in, keys and sizes out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pilot import wire
from pilot.errors import WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

_CHUNK = 16 * 1024
"""Bytes of keys in one frame; a paste is cut into several."""


class ConsoleStream:
    """What `Link.console` gives. Iterate over it for `Output` and `Notice` frames."""

    def __init__(self, channel: Channel, attached: wire.Attached, reply: wire.Reply) -> None:
        self._channel = channel
        self.attached = attached
        self.reply = reply
        self.writing = attached.writing

    async def __aiter__(self) -> AsyncIterator[wire.Output | wire.Notice]:
        """Frames until airboss ends the console.

        Raises:
            UnreachableError: the connection was lost.
        """
        while (frame := await self._channel.receive()) is not None:
            if isinstance(frame, wire.Notice):
                self.writing = self.writing if frame.writing is None else frame.writing
                yield frame
                if frame.final:
                    return
            elif isinstance(frame, wire.Output):
                yield frame
            elif isinstance(frame, wire.Reply) and frame.fault is not None:
                raise error_of(frame.fault)
            else:
                raise WireError(f"a {type(frame).__name__} frame in a console")

    def type(self, data: bytes) -> None:
        """Send keys."""
        for start in range(0, len(data), _CHUNK):
            self._channel.send(wire.Input(data[start : start + _CHUNK]))

    def resize(self, cols: int, rows: int) -> None:
        """The window has another size."""
        self._channel.send(wire.Resize(cols, rows))

    def take(self) -> None:
        """Ask for the keyboard."""
        self._channel.send(wire.Take())

    async def drain(self) -> None:
        """Wait while airboss does not read."""
        await self._channel.drain()

    def close(self) -> None:
        """Leave the console."""
        self._channel.close()
