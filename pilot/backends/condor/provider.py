"""HTCondor pools, as airboss sees them. They have no nodes: their machines are nodes of others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable

from pilot.backends.condor.drain import drain, of_file
from pilot.backends.condor.pools import PoolWatch
from pilot.backends.condor.settings import Bounds, PoolSettings
from pilot.backends.provider import Sink
from pilot.errors import NoSuchNodeError
from pilot.records import Machine, Source

__all__ = ["Bounds", "CondorPools", "PoolSettings"]


class CondorPools:
    """Watches pools, and drains their machines."""

    def __init__(
        self,
        pools: Iterable[PoolSettings],
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
        bounds: Bounds | None = None,
    ) -> None:
        """Nothing is asked before `start`.

        Args:
            pools: the site's.
            clock: seconds since the epoch.
            rng: from 0 to 1, spreads what would else happen at once.
            bounds: intervals and bounds.
        """
        self._settings = {pool.name: pool for pool in pools}
        self._clock = clock
        self._rng = rng
        self._bounds = bounds or Bounds()
        self._watches: dict[str, PoolWatch] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, sink: Sink) -> None:
        """Begin to watch. Returns at once: machines appear in the sink as pools answer."""
        for name, settings in self._settings.items():
            watch = PoolWatch(settings, self._bounds, sink, self._clock, self._rng)
            self._watches[name] = watch
            sink.extras([watch.source])
            self._tasks.append(asyncio.create_task(watch.run(), name=f"pool-{name}"))

    async def stop(self) -> None:
        """Stop watching and end the processes that ask."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def source(self, pool: str) -> Source | None:
        """How a pool is."""
        watch = self._watches.get(pool)
        return None if watch is None else watch.source

    def fresh(self, pool: str) -> bool:
        """Whether what is known of a pool's machines is what its collector says now."""
        source = self.source(pool)
        return source is not None and source.state == "up"

    def need_live(self, pool: str) -> None:
        """Let pass a pool that is asked itself.

        Raises:
            RefusedError: only a file of its ads is read, which may be of yesterday.
        """
        settings = self._settings.get(pool)
        if settings is not None and settings.file:
            raise of_file(settings)

    def watch(self, pool: str) -> PoolWatch:
        """A pool's watch. KeyError if there is no such pool."""
        return self._watches[pool]

    async def drain(self, machine: Machine, reason: str, undo: bool = False) -> None:
        """Drain a machine, or take that back.

        Raises:
            NoSuchNodeError: its pool is not one of these.
            RefusedError, BackendError, DeadlineError: see drain.drain.
        """
        settings = self._settings.get(machine.pool)
        if settings is None:
            raise NoSuchNodeError(f"there is no pool {machine.pool}", "`pilot slots` lists what is there.")
        try:
            await drain(settings, self._bounds, machine, reason, undo)
        finally:
            watch = self._watches.get(machine.pool)
            if watch is not None:
                watch.poke()
