"""The recordings that there are, whose they are, and how many: the oldest make room for newer ones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from pilot.agent.consoles.tenant import Tenant
from pilot.agent.recordings import catalogue
from pilot.agent.recordings.catalogue import Kept
from pilot.agent.recordings.notary import Notary
from pilot.agent.settings import RecordingSettings
from pilot.errors import PilotError

SWEEP_SECONDS = 3600.0
_DAY = 86_400.0

_log = logging.getLogger(__name__)


class Shelf:
    """Used from the event loop."""

    def __init__(
        self,
        root: Path,
        settings: RecordingSettings,
        notary: Notary,
        clock: Callable[[], float],
        added: Callable[[str], float],
    ) -> None:
        """`added` says when a cluster was added, in seconds since the epoch; 0 if there is none so called."""
        self.root = root
        self.settings = settings
        self._notary = notary
        self._clock = clock
        self._added = added
        self._kept: dict[str, Kept] = {}
        self._room = asyncio.Lock()
        self._due = asyncio.Event()

    async def load(self) -> None:
        """Find what there is on the disk, and delete what was to be deleted before.

        Raises:
            OSError: the folder cannot be used.
        """
        self._kept = await asyncio.to_thread(catalogue.scan, self.root)
        for name in await asyncio.to_thread(catalogue.strays, self.root, set(self._kept)):
            _log.warning("%s: nothing says of what it is a recording", self.root / name)

    @property
    def unfinished(self) -> list[Kept]:
        """Those that go on; after `load`, those that an earlier airboss could not end."""
        return [kept for kept in self._kept.values() if not kept.recording.ended and not kept.deleting]

    def tenant(self, cluster: str) -> Tenant:
        """Who has the cluster's name now."""
        return Tenant(cluster, self._added(cluster))

    def visible(self, cluster: str) -> list[Kept]:
        """The recordings of a cluster's nodes, newest first; none of those who had its name before."""
        own = [kept for kept in self._of(self.tenant(cluster)) if not kept.deleting]
        return sorted(own, key=lambda kept: (kept.recording.started, kept.id), reverse=True)

    def find(self, id: str, cluster: str) -> Kept | None:
        """One of those."""
        kept = self._kept.get(id)
        return (
            kept if kept is not None and not kept.deleting and kept.tenant == self.tenant(cluster) else None
        )

    def put(self, kept: Kept) -> None:
        """A recording as it is now."""
        self._kept[kept.id] = kept

    def drop(self, id: str) -> None:
        """There is no such recording any more."""
        self._kept.pop(id, None)

    async def enter(self, kept: Kept) -> bool:
        """Put a new one there, if there is room. Raises as `room` does."""
        async with self._room:
            fits = await self._make_room(kept.tenant, 1)
            if fits:
                self.put(kept)
            return fits

    async def room(self, tenant: Tenant) -> bool:
        """A tenant's have grown: whether there is room for them, once the oldest that have ended are gone.

        Raises:
            StorageError, BusyError, DeadlineError: one cannot be deleted.
        """
        async with self._room:
            return await self._make_room(tenant, 0)

    async def recover(self, unfinished: Sequence[Kept]) -> None:
        """End those that an earlier airboss could not end."""
        async for kept, now in self._notary.recovered(unfinished):
            if now is None:
                self.drop(kept.id)
            else:
                self.put(now)

    def look(self) -> None:
        """Clusters have changed: some may not be anybody's any more."""
        self._due.set()

    async def sweep(self) -> None:
        """Delete what was kept long enough, or is nobody's, now and then, until cancelled."""
        while True:
            self._due.clear()
            for kept in tuple(self._kept.values()):
                if why := self._why_not(kept):
                    try:
                        await self._delete(kept, why)
                    except PilotError as error:
                        _log.warning("the recording %s is not deleted: %s", kept.id, error.message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._due.wait()

    def _why_not(self, kept: Kept) -> str:
        """Why one is to be deleted; empty if it is not."""
        days, about = self.settings.keep_days, kept.recording
        if kept.deleting or not about.ended:
            return kept.deleting
        if not kept.tenant.is_still(self.tenant(about.cluster)):
            return f"others have the name {about.cluster} now"
        return f"kept for {days:g} days" if days and about.ended < self._clock() - days * _DAY else ""

    def _of(self, tenant: Tenant) -> list[Kept]:
        return [kept for kept in self._kept.values() if kept.tenant == tenant]

    async def _make_room(self, tenant: Tenant, more: int) -> bool:
        limits = self.settings
        while True:
            own = self._of(tenant)
            size = sum(kept.recording.size for kept in own) + more
            if len(own) + more <= limits.cluster_count and size <= limits.cluster_size:
                return True
            ended = [kept for kept in own if kept.recording.ended]
            if not ended:
                return False
            oldest = min(ended, key=lambda kept: kept.recording.started)
            await self._delete(oldest, "newer ones needed its room")

    async def _delete(self, kept: Kept, why: str) -> None:
        await self._notary.deleted(kept, why)
        self.drop(kept.id)
        _log.info("the recording %s of %s was deleted: %s", kept.id, kept.recording.name, why)
