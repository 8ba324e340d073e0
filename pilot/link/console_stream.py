"""An open console on its channel: bytes, notices and presence in; keys, sizes and words out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from pilot import wire
from pilot.errors import WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

_CHUNK = 16 * 1024
"""Bytes of keys in one frame; a paste is cut into several."""


class ConsoleStream:
    """What `Link.console` gives. Iterate over it for `Output`, `Notice` and `Presence` frames."""

    def __init__(self, channel: Channel, attached: wire.Attached, reply: wire.Reply) -> None:
        self._channel = channel
        self.attached = msgspec.structs.replace(
            attached, name=wire.plain(attached.name), writer=wire.plain(attached.writer)
        )
        """What airboss said when it was opened; its words fit for a terminal."""
        self.reply = reply
        self.writing = attached.writing
        self.people: wire.Presence | None = None
        """Who is attached, as airboss said last; None until it has."""

    async def __aiter__(self) -> AsyncIterator[wire.Output | wire.Notice | wire.Presence]:
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
            elif isinstance(frame, wire.Presence):
                self.people = frame
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
        """Ask for the keyboard; who has it watches from then on."""
        self._channel.send(wire.Take())

    def join(self) -> None:
        """Ask to type beside those who do."""
        self._channel.send(wire.Join())

    def release(self, to: int = 0) -> None:
        """Give the keyboard back: to a person by id, or to whoever has asked for it first."""
        self._channel.send(wire.Release(to))

    def chat(self, text: str) -> None:
        """Say a line to the others here; what is longer than MAX_CHAT characters is cut."""
        self._channel.send(wire.Chat(text[: wire.MAX_CHAT]))

    async def drain(self) -> None:
        """Wait while airboss does not read."""
        await self._channel.drain()

    def close(self) -> None:
        """Leave the console."""
        self._channel.close()
