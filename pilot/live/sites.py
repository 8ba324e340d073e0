"""Several sites at hand: one is looked at, and those that were looked at before stay connected."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pilot.client_config import ClientConfig, Site
from pilot.live.notifier import Notifier
from pilot.live.site import Connect, LiveSite

CONNECTED = 8
"""Sites that are connected at the same time: the one that was not looked at for longest gives way."""


class LiveSites:
    """The sites of a configuration. `changed` is told when another one is looked at."""

    def __init__(
        self,
        config: ClientConfig,
        connector: Callable[[Site], Connect],
        first: Site,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Look at the `first` site; nothing is connected before `start`.

        `connector` gives what makes links to a site.
        """
        self.changed = Notifier()
        self._config = config
        self._connector = connector
        self._clock = clock
        self._sites: dict[str, LiveSite] = {}
        """Those that were looked at."""
        self._running: dict[str, asyncio.Task[None]] = {}
        """Those that are connected, or trying to be; the one last looked at is the last."""
        self._ending: set[asyncio.Task[None]] = set()
        self._started = False
        self._closed = False
        self.current = self._live(first)
        """The site that is looked at."""

    def start(self) -> None:
        """Connect the site that is looked at, from now on each one at once."""
        self._started = True
        self._run(self.current)

    def names(self) -> list[str]:
        """The sites that are known, and the one that is looked at."""
        names = [site.name for site in self._config.sites().site]
        return names if self.current.name in names else [self.current.name, *names]

    def switch(self, name: str) -> LiveSite:
        """Look at another site; it is connected, and those that were looked at before stay so.

        Raises:
            UsageError: there is none of that name.
        """
        live = self._sites.get(name) or self._live(self._config.named(name))
        before, self.current = self.current, live
        if self._started:
            self._run(live)
        if live is not before:
            self.changed.tell()
        return live

    async def close(self) -> None:
        """End all links. What is known stays."""
        self._closed = True
        sites = [self._sites[name] for name in self._running]
        self._running = {}
        await asyncio.gather(*(live.close() for live in sites), *self._ending)

    def _live(self, site: Site) -> LiveSite:
        live = self._sites[site.name] = LiveSite(site, self._connector(site), clock=self._clock)
        return live

    def _run(self, live: LiveSite) -> None:
        if self._closed:
            return
        task = self._running.pop(live.name, None)
        if task is None or task.done():
            task = asyncio.get_running_loop().create_task(live.run(), name=f"site {live.name}")
        self._running[live.name] = task
        if len(self._running) > CONNECTED:
            longest = next(iter(self._running))
            del self._running[longest]
            ending = asyncio.get_running_loop().create_task(self._sites[longest].close())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
