"""An open screen, as the client sees it: RFB bytes both ways, and notices beside them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pilot import wire
from pilot.errors import WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

_CHUNK = 32 * 1024
"""Bytes in one frame; a long text for the guest's clipboard is cut into several."""
_WORDS = 400
"""Characters of a notice."""


class ScreenStream:
    """What `Link.screen` gives: the stream of an RFB client, from the server's version on."""

    def __init__(self, channel: Channel, attached: wire.ScreenAttached, reply: wire.Reply) -> None:
        self._channel = channel
        self.attached = msgspec.structs.replace(attached, name=wire.plain(attached.name))
        """What airboss said when it was opened; its words fit for a terminal."""
        self.reply = reply
        self.controlling = attached.controlling
        """Whether keys and pointer reach the guest now."""
        self.notices: Callable[[wire.Notice], None] | None = None
        """Told of each notice, the last words too; fit for a terminal."""
        self.why = ""
        """airboss's last words, once it has ended the stream."""

    async def read(self) -> bytes:
        """What the server sent next; empty once airboss has ended the stream.

        Raises:
            UnreachableError: the connection was lost.
            PilotError: airboss ended the stream for what this client did.
        """
        while not self.why and (frame := await self._channel.receive()) is not None:
            if isinstance(frame, wire.Output):
                return frame.data
            if isinstance(frame, wire.Notice):
                self._notice(frame)
            elif isinstance(frame, wire.Reply) and frame.fault is not None:
                raise error_of(frame.fault)
            else:
                raise WireError(f"a {type(frame).__name__} frame in a screen")
        return b""

    def write(self, data: bytes) -> None:
        """Send to the server, as far as airboss lets it through."""
        for start in range(0, len(data), _CHUNK):
            self._channel.send(wire.Input(data[start : start + _CHUNK]))

    async def drain(self) -> None:
        """Wait while airboss does not read."""
        await self._channel.drain()

    def close(self) -> None:
        """Leave the screen."""
        self._channel.close()

    def _notice(self, notice: wire.Notice) -> None:
        notice = msgspec.structs.replace(notice, text=wire.plain(notice.text, _WORDS))
        if notice.writing is not None:
            self.controlling = notice.writing
        if notice.final:
            self.why = notice.text or "airboss ended it"
        if self.notices is not None:
            self.notices(notice)
