"""Pages of a site's journal as they come on a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise

from pilot import wire
from pilot.errors import WireError
from pilot.link import paging
from pilot.link.channel import Channel

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
    coming = paging.pages(channel, wire.JournalPage, "journal's stream", SILENCE_SECONDS, follow)
    async with aclosing(coming):
        async for page in coming:
            for places in (page.records, page.sealed):
                ids = [last, *(place.id for place in places)]
                if any(after <= before for before, after in pairwise(ids)):
                    raise WireError("airboss sent records of the journal out of order")
            last = max([last, *(place.id for one in (page.records, page.sealed) for place in one)])
            yield page
