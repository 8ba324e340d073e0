"""The client's mirror of the inventory: what airboss showed, by id, and who wants to know of changes.

It has no screen and no connection: frames go in, records and `Changed` come out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import msgspec

from pilot.records import AnyRecord, Node, Record
from pilot.wire import Delta, Snapshot

R = TypeVar("R", bound=Record)


class Changed(msgspec.Struct, frozen=True):
    """Ids whose record is new, different or gone."""

    keys: frozenset[str]
    version: int


class Subscription:
    """Changes since they were last taken, in one. A slow owner costs a set of ids and no more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: set[str] = set()
        self._event = asyncio.Event()
        self._closed = False

    def add(self, keys: frozenset[str]) -> None:
        """Called by the store."""
        self._keys |= keys
        self._event.set()

    def close(self) -> None:
        """No more changes are wanted."""
        self._closed = True
        self._store.unsubscribe(self)
        self._event.set()

    async def __aiter__(self) -> AsyncIterator[Changed]:
        """Changes as they come, coalesced; ends when closed. An empty one: the link was lost or is back."""
        while True:
            await self._event.wait()
            if self._closed:
                return
            self._event.clear()
            keys, self._keys = frozenset(self._keys), set()
            yield Changed(keys, self._store.version)


class Store:
    """Keyed, versioned records of one site."""

    def __init__(self) -> None:
        self.records: dict[str, AnyRecord] = {}
        self.version = 0
        self.complete = False
        """Whether a whole snapshot has come."""
        self.stale_since: float | None = None
        """Since when there is no link: what is here is the last that was known. None while it is live."""
        self._staged: dict[str, AnyRecord] | None = None
        self._kinds: dict[type[Record], dict[str, AnyRecord]] = {}
        """The records by kind: among 10,000 nodes the few clusters are asked for at every frame."""
        self._subscriptions: list[Subscription] = []

    def apply(self, frame: Snapshot | Delta) -> Changed:
        """Take a frame in; which ids it changed."""
        keys = self._snapshot(frame) if isinstance(frame, Snapshot) else self._delta(frame)
        return self._tell(keys)

    def lost(self, since: float) -> None:
        """The link is lost: keep everything, and remember since when it is old (seconds since the epoch)."""
        if self.stale_since is None:
            self.stale_since = since
            self._tell(frozenset(), always=True)

    def nodes(self) -> Iterator[Node]:
        """The nodes."""
        return self.of(Node)

    def of(self, kind: type[R]) -> Iterator[R]:
        """The records of one kind."""
        return (record for record in self._kinds.get(kind, {}).values() if isinstance(record, kind))

    def subscribe(self) -> Subscription:
        """Be told of changes from now on."""
        subscription = Subscription(self)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """No longer be told."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _snapshot(self, frame: Snapshot) -> frozenset[str]:
        if frame.first or self._staged is None:
            self._staged = {}
        self._staged.update((record.id, record) for record in frame.records)
        if not frame.last:
            return frozenset()
        before, self.records, self._staged = self.records, self._staged, None
        self._kinds = {}
        for record in self.records.values():
            self._kinds.setdefault(type(record), {})[record.id] = record
        # A snapshot counts whatever its version: airboss begins anew when it is restarted.
        self.version = frame.version
        self.complete = True
        if self.stale_since is not None:
            self.stale_since = None
            self._tell(frozenset(), always=True)
        now = self.records
        return frozenset(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))

    def _delta(self, frame: Delta) -> frozenset[str]:
        if not self.complete or frame.version < self.version:
            return frozenset()
        self.version = frame.version
        keys = set()
        for record in frame.changed:
            if self.records.get(record.id) != record:
                self.records[record.id] = record
                self._kinds.setdefault(type(record), {})[record.id] = record
                keys.add(record.id)
        for record_id in frame.gone:
            if (gone := self.records.pop(record_id, None)) is not None:
                del self._kinds[type(gone)][record_id]
                keys.add(record_id)
        return frozenset(keys)

    def _tell(self, keys: frozenset[str], always: bool = False) -> Changed:
        if keys or always:
            for subscription in self._subscriptions:
                subscription.add(keys)
        return Changed(keys, self.version)
