"""What all screens share: the site that is looked at, the scope in it, what was asked, what is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig
from pilot.errors import PilotError
from pilot.live.activity import Activities
from pilot.live.notifier import Notifier
from pilot.live.site import LiveSite
from pilot.live.sites import LiveSites
from pilot.records import AnyRecord, Cluster, Node
from pilot.render.palette import Tone
from pilot.saved_filters import SavedFilters

FLASH_SECONDS = 8.0
MOST_STEPS = 50
"""Links that one can go back."""


class Flash(msgspec.Struct, frozen=True):
    """Something said in passing."""

    text: str
    tone: Tone
    until: float
    """When it is no longer shown, on the monotonic clock."""
    link: str = ""
    """The state of the link when it was said: what happens to the link later is the greater news."""


class Opened(msgspec.Struct, frozen=True):
    """A tab that the user opened."""

    mode: str
    title: str
    news: bool = False


class Desk:
    """One site as the user works at it."""

    def __init__(self, live: LiveSite, activities: Activities, scope: str) -> None:
        self.live = live
        self.activities = activities
        self.scope = scope
        """The cluster that is looked at; empty for all that are the user's."""

    def nodes(self) -> Iterator[Node]:
        """The nodes in scope."""
        return (node for node in self.live.store.nodes() if not self.scope or node.cluster == self.scope)

    def others(self) -> list[AnyRecord]:
        """What is no node, in scope."""
        records = self.live.store.records.values()
        return [
            record
            for record in records
            if not isinstance(record, Node)
            and (not self.scope or getattr(record, "cluster", self.scope) == self.scope)
        ]

    def cluster(self, name: str) -> Cluster | None:
        """The record of a cluster, if there is one."""
        record = self.live.store.records.get(f"cluster:{name}")
        return record if isinstance(record, Cluster) else None


class Cockpit:
    """The app's state that is no widget's. `changed` is told when any of it is another."""

    def __init__(
        self,
        config: ClientConfig,
        settings: AppConfig,
        sites: LiveSites,
        *,
        scope: str = "",
        readonly: bool = False,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.settings = settings
        self.sites = sites
        self.readonly = readonly or settings.readonly
        self.clock = clock
        self.monotonic = monotonic
        self.changed = Notifier()
        self.opened: list[Opened] = []
        self.trail: list[tuple[str, str]] = []
        """Area and line of where links were followed, the newest last."""
        self._scope = scope or settings.cluster
        self._desks: dict[str, Desk] = {}
        self._flash: Flash | None = None
        self.filters = SavedFilters(config, settings.filters)
        sites.changed.listen(self.changed.tell)

    @property
    def desk(self) -> Desk:
        """The site that is looked at."""
        live = self.sites.current
        desk = self._desks.get(live.site.name)
        if desk is None:
            activities = Activities(
                live, undo_seconds=self.settings.undo_seconds, readonly=self.readonly, clock=self.clock
            )
            activities.changed.listen(self.changed.tell)
            live.changed.listen(self.changed.tell)
            desk = Desk(live, activities, self._scope or live.site.cluster)
            self._desks[live.site.name] = desk
        return desk

    def desks(self) -> Iterator[Desk]:
        """The sites that were looked at so far."""
        return iter(tuple(self._desks.values()))

    def leave_trail(self, mode: str, key: str) -> None:
        """A link is followed from this line."""
        self.trail.append((mode, key))
        del self.trail[:-MOST_STEPS]

    def look_at(self, cluster: str) -> None:
        """Another scope, in the site at hand."""
        self.desk.scope = cluster
        self.changed.tell()

    def flash(self, text: str, tone: Tone = "", seconds: float = FLASH_SECONDS) -> None:
        """Say something in passing."""
        self._flash = Flash(text, tone, self.monotonic() + seconds, self.sites.current.state)
        self.changed.tell()

    def flash_error(self, error: PilotError) -> None:
        """Say what failed, and what to do next."""
        self.flash(f"{error.message}. {error.hint}" if error.hint else error.message, "bad")

    def flashed(self) -> Flash | None:
        """What was said last, while it is to be shown."""
        if self._flash is not None and self.monotonic() > self._flash.until:
            self._flash = None
        return self._flash

    def open_tab(self, tab: Opened) -> None:
        """A tab is there, or has another title."""
        at = next((i for i, known in enumerate(self.opened) if known.mode == tab.mode), len(self.opened))
        self.opened[at : at + 1] = [tab]
        self.changed.tell()

    def close_tab(self, mode: str) -> None:
        """A tab is no more."""
        self.opened = [tab for tab in self.opened if tab.mode != mode]
        self.changed.tell()
