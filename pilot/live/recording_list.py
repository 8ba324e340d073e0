"""The recordings of a site's clusters as a list that is read anew now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from pilot.errors import PilotError
from pilot.live.notifier import Notifier
from pilot.live.recordings import Source, find, listed
from pilot.wire import Recording

MOST_CLUSTERS = 100
"""Whose recordings are asked for; there is more to be seen with one cluster in scope."""
READ_SECONDS = 30.0


class RecordedSite(Source, Protocol):
    """A site that comes and goes, such as a `LiveSite`."""

    def clusters(self) -> list[str]:
        """The clusters that are this user's to see."""

    def may(self, verb_id: str, cluster: str) -> bool:
        """Whether the role reaches for a verb."""


class RecordingList:
    """Of one site. Lives on the event loop's thread."""

    def __init__(self, site: RecordedSite) -> None:
        """Nothing is read yet."""
        self._site = site
        self.recordings: tuple[Recording, ...] = ()
        self.changed = Notifier()
        """Told when there are others, or another error."""
        self.read = False
        """Whether it was read once."""
        self.error: PilotError | None = None
        """Why it could not be read the last time."""

    async def look(self, scope: str) -> None:
        """Read the recordings of a cluster; with an empty scope, of all that are the user's."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                self.recordings = tuple(await self._listed(scope))
            self.read, self.error = True, None
        except PilotError as error:
            self.error = error
        except TimeoutError:
            self.error = PilotError(f"airboss has not said it within {READ_SECONDS:.0f} s", "r asks again.")
        self.changed.tell()

    async def find(self, scope: str, wanted: str) -> Recording:
        """The one that is meant: see `pilot.live.recordings.find`.

        Raises:
            RefusedError, UsageError: there is none, or several.
            PilotError: they could not be read.
        """
        return find(await self._listed(scope), wanted)

    async def _listed(self, scope: str) -> Sequence[Recording]:
        clusters = (
            [scope] if scope else [c for c in self._site.clusters() if self._site.may("record.list", c)]
        )
        found: list[Recording] = []
        for cluster in clusters[:MOST_CLUSTERS]:
            found += await listed(self._site, cluster)
        return found
