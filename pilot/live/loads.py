"""How busy hosts are and what interfaces carry, while somebody looks at a tree that shows it.

Hosts are few, and come with the site's watch. Interfaces may be many thousands: what they carry comes on a
watch of its own, which lasts as long as a screen asks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from pilot import wire
from pilot.errors import PilotError
from pilot.live.notifier import Notifier
from pilot.loads import Loads

if TYPE_CHECKING:
    from pilot.link.watching import Watched

AGAIN_SECONDS = 2.0
_log = logging.getLogger(__name__)


class LiveLoads:
    """The samples of a site's hosts or interfaces. `changed` is told once for each frame that is taken."""

    def __init__(self) -> None:
        self.known = Loads()
        self.changed = Notifier()

    def begin_anew(self) -> None:
        """A new snapshot: airboss tells the past anew."""
        self.known.begin_anew()

    def take(self, frame: wire.Load) -> None:
        """Take samples in."""
        self.known.take(frame)
        self.changed.tell()


async def follow(watch: Callable[[], AsyncGenerator[Watched, None]], loads: LiveLoads) -> None:
    """Take in what a watch tells of loads until cancelled; again after each loss of the link.

    `watch` raises UnreachableError while there is no link. Its records are the site's own watch's business.
    """
    while True:
        try:
            async with aclosing(watch()) as frames:
                async for frame in frames:
                    if isinstance(frame, wire.Snapshot):
                        if frame.first:
                            loads.begin_anew()
                        # It comes in many frames: whoever shares the loop has their turn in between.
                        await asyncio.sleep(0)
                    elif isinstance(frame, wire.Load):
                        loads.take(frame)
                        await asyncio.sleep(0)
        except PilotError as error:
            # The title says that the link is lost, and why; what was known stays meanwhile.
            _log.info("interfaces' loads: %s", error.message)
        await asyncio.sleep(AGAIN_SECONDS)
