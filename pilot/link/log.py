"""Pages of a console's log as they come on a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pilot import wire
from pilot.errors import WireError
from pilot.link import paging
from pilot.link.channel import Channel

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
    coming = paging.pages(channel, wire.LogPage, "log's stream", SILENCE_SECONDS, follow)
    async with aclosing(coming):
        async for page in coming:
            for line in page.lines:
                if line.offset < upto or not line.data:
                    raise WireError("airboss sent lines of a console's log out of order")
                upto = line.offset + len(line.data)
            yield page
