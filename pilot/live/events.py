"""What happened at a site, as a list that goes on through losses of the link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from pilot import wire
from pilot.errors import DeadlineError, PilotError, UnreachableError, WireError
from pilot.link.backoff import Backoff
from pilot.live.notifier import Notifier
from pilot.records import Happening

KEPT = 10_000
"""The newest; as many as airboss keeps."""


class EventsSite(Protocol):
    """A site that comes and goes, such as a `LiveSite`."""

    changed: Notifier

    @property
    def state(self) -> str:
        """`live` while there is a link."""

    def events(self, cluster: str, *, last: int = 500) -> AsyncGenerator[wire.Happened, None]:
        """What happened and what happens from now on."""


class EventsView:
    """Happenings by number, oldest first. Lives on the event loop's thread."""

    def __init__(self, site: EventsSite, cluster: str = "") -> None:
        """Of one cluster; with an empty one, of all that is in view."""
        self.cluster = cluster
        self.changed = Notifier()
        """Told when there are more."""
        self.error: PilotError | None = None
        """Why there are no more at the moment."""
        self.happenings: dict[int, Happening] = {}
        self._site = site

    async def run(self) -> None:
        """Read and follow until cancelled."""
        backoff = Backoff()
        while True:
            try:
                async with aclosing(self._site.events(self.cluster, last=KEPT)) as pages:
                    async for page in pages:
                        backoff.reset()
                        self.error = None
                        self._take(page.happenings)
                self.error = UnreachableError("airboss ended the events' stream")
            except PilotError as error:
                self.error = error
            self.changed.tell()
            lost = isinstance(self.error, UnreachableError | DeadlineError | WireError)
            await _linked(self._site, backoff.seconds() if lost else None)

    def _take(self, happenings: tuple[Happening, ...]) -> None:
        if not happenings:
            return
        if self.happenings and happenings[-1].number < next(iter(self.happenings)):
            # airboss has begun to count anew: it has lost what it kept.
            self.happenings = {}
        self.happenings.update((one.number, one) for one in happenings)
        for number in list(self.happenings)[: max(0, len(self.happenings) - KEPT)]:
            del self.happenings[number]
        self.changed.tell()


async def _linked(site: EventsSite, seconds: float | None) -> None:
    """Wait a while, and until there is a link; without a time, until it was lost and is back."""
    lost = asyncio.Event()
    linked = asyncio.Event()

    def look() -> None:
        if site.state != "live":
            lost.set()
            linked.clear()
        else:
            linked.set()

    unlisten: Callable[[], None] = site.changed.listen(look)
    try:
        look()
        if seconds is None:
            await lost.wait()
        else:
            await asyncio.sleep(seconds)
        await linked.wait()
    finally:
        unlisten()
