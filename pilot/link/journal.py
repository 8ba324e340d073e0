"""Pages of a site's journal as they come on a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import pairwise

from pilot import wire
from pilot.errors import DeadlineError, UnreachableError, WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

SILENCE_SECONDS = 20.0
"""Pages come at least every few seconds, empty ones if nothing is written."""


async def pages(channel: Channel, follow: bool) -> AsyncGenerator[wire.JournalPage, None]:
    """What airboss sends once it has accepted to; ends with the past, or not at all with `follow`.

    Raises:
        UnreachableError: the connection was lost, or is silent.
        WireError: what came does not belong there, or is not in the order of ids.
        PilotError: why airboss ended it.
    """
    last = 0
    while True:
        try:
            frame = await channel.receive(SILENCE_SECONDS)
        except DeadlineError:
            raise UnreachableError(f"airboss has been silent for {SILENCE_SECONDS:.0f} s") from None
        if isinstance(frame, wire.JournalPage):
            for places in (frame.records, frame.sealed):
                ids = [last, *(place.id for place in places)]
                if any(after <= before for before, after in pairwise(ids)):
                    raise WireError("airboss sent records of the journal out of order")
            last = max([last, *(place.id for one in (frame.records, frame.sealed) for place in one)])
            yield frame
            if not (frame.more or follow):
                return
        elif isinstance(frame, wire.Reply) and frame.fault is not None:
            raise error_of(frame.fault)
        elif frame is None:
            raise UnreachableError("airboss ended the journal's stream", "It may be restarting.")
        else:
            raise WireError(f"a {type(frame).__name__} frame in the journal's stream")
