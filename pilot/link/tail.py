"""The last of what a node's console printed, and what follows, as bytes for a glance at it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from pilot import wire
from pilot.errors import WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of


class Tail(AsyncIterator[bytes]):
    """What `Link.tail` gives: bytes of the guest's, to be filtered or parsed before a terminal sees them.

    It is opened when it is first read. What airboss has to say, such as how much it skipped, is a dim line of
    its own among the bytes; why it has ended is in `why`. Close it, or nothing ends it but the link's end.
    """

    def __init__(self, open_channel: Callable[[], Awaitable[Channel]]) -> None:
        self._open = open_channel
        self._bytes = self._read()
        self.why = ""
        """Why airboss ended it; empty while it goes on."""

    async def __anext__(self) -> bytes:
        """The next bytes.

        Raises:
            RefusedError: the node is not the signer's.
            BusyError: this signer has as many tails as there may be.
            UnreachableError: the connection was lost.
        """
        return await anext(self._bytes)

    async def aclose(self) -> None:
        """Give it up. Not while another task awaits its bytes: cancel that one."""
        await self._bytes.aclose()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        channel = await self._open()
        try:
            while (frame := await channel.receive()) is not None:
                if isinstance(frame, wire.Output):
                    yield frame.data
                elif isinstance(frame, wire.Notice):
                    if frame.final:
                        self.why = wire.plain(frame.text)
                        return
                    # What was skipped may have ended within a control sequence: CAN gives that up.
                    yield b"\x18\x1b[m\r\n\x1b[2m[pilot: " + wire.plain(frame.text).encode() + b"]\x1b[m\r\n"
                elif isinstance(frame, wire.Reply) and frame.fault is not None:
                    raise error_of(frame.fault)
                else:
                    raise WireError(f"a {type(frame).__name__} frame in a tail")
            self.why = "airboss ended it"
        finally:
            channel.close()
