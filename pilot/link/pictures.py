"""A picture as it comes on a channel, behind the reply that says how long it is."""

from __future__ import annotations

from pilot import wire
from pilot.errors import UnreachableError, WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

MOST = 16 * 1024 * 1024
SECONDS = 30.0


async def whole(channel: Channel) -> bytes:
    """All of it.

    Raises:
        UnreachableError: the connection was lost, or airboss ended it.
        WireError: what came is no picture.
        PilotError: why airboss ended it.
    """
    parts: list[bytes] = []
    size = 0
    while (frame := await channel.receive(SECONDS)) is not None:
        if isinstance(frame, wire.Reply) and frame.fault is not None:
            raise error_of(frame.fault)
        if not isinstance(frame, wire.Output):
            raise WireError(f"a {type(frame).__name__} frame in a picture")
        parts.append(frame.data)
        size += len(frame.data)
        if size > MOST:
            raise WireError(f"airboss sent a picture of more than {MOST:,} bytes")
    if not size:
        raise UnreachableError("airboss ended the picture before it began", "Ask again.")
    return b"".join(parts)
