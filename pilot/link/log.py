"""Pages of a console's log as they come on a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pilot import wire
from pilot.errors import DeadlineError, UnreachableError, WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

SILENCE_SECONDS = 30.0
"""Pages come at least every few seconds, empty ones if nothing is printed; a slow disk has its time."""


async def pages(channel: Channel, follow: bool) -> AsyncGenerator[wire.LogPage, None]:
    """What airboss sends once it has accepted to; ends with the past, or not at all with `follow`.

    Raises:
        UnreachableError: the connection was lost, or is silent.
        WireError: what came does not belong there, or is not in the order of offsets.
        PilotError: why airboss ended it.
    """
    upto = 0
    while True:
        try:
            frame = await channel.receive(SILENCE_SECONDS)
        except DeadlineError:
            raise UnreachableError(f"airboss has been silent for {SILENCE_SECONDS:.0f} s") from None
        if isinstance(frame, wire.LogPage):
            for line in frame.lines:
                if line.offset < upto or not line.data:
                    raise WireError("airboss sent lines of a console's log out of order")
                upto = line.offset + len(line.data)
            yield frame
            if not (frame.more or follow):
                return
        elif isinstance(frame, wire.Reply) and frame.fault is not None:
            raise error_of(frame.fault)
        elif frame is None:
            raise UnreachableError("airboss ended the log's stream", "It may be restarting.")
        else:
            raise WireError(f"a {type(frame).__name__} frame in a log's stream")
