"""What a link that is back does not show yet.

An airboss that was restarted knows its clusters at once, and each host's nodes once it has read that host.
Until then nodes that were known would go and come again, and whoever looks at one would lose their place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from pilot.records import AnyRecord, Cluster, Host, Node
from pilot.store import Store
from pilot.wire import Delta, Snapshot

KEEP_SECONDS = 15.0
"""For how long after a comeback a record that is missing is kept, marked as old."""


class Returning:
    """Takes snapshots into a store, and keeps for a while what the first of a new link leaves out."""

    def __init__(self, store: Store, gone: Callable[[Sequence[str]], None]) -> None:
        """`gone` is told the ids of what has not come back."""
        self._store = store
        self._gone = gone
        self._kept: dict[str, AnyRecord] = {}
        self._timer: asyncio.TimerHandle | None = None

    def take(self, frame: Snapshot, mine: Callable[[str], bool], *, first: bool) -> None:
        """Take a snapshot, or a part of one. `mine`: whether a cluster is (still) the user's to see;
        the empty name stands for the whole site.

        `first` says that it is the first snapshot of its link.
        """
        before, since = self._store.records, self._store.stale_since
        self._store.apply(frame)
        if not frame.last:
            return
        now = self._store.records
        if first:
            missing = [record for record in before.values() if record.id not in now]
            old = [_aged(record, since) for record in missing if not isinstance(record, Cluster)]
        else:
            old = [record for record in self._waiting(before) if record.id not in now]
        old = _in_view(old, mine)
        self._kept = {record.id: record for record in old}
        if old:
            self._store.apply(Delta(self._store.version, tuple(old)))
        if first:
            self.stop()
            if old:
                self._timer = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._enough)

    def stop(self) -> None:
        """The link is lost again, or is given up: what is kept stays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waiting(self, records: dict[str, AnyRecord]) -> list[AnyRecord]:
        """Those kept in whose place nothing newer has come."""
        return [record for key, record in self._kept.items() if records.get(key) is record]

    def _enough(self) -> None:
        self._timer = None
        gone = tuple(record.id for record in self._waiting(self._store.records))
        self._kept = {}
        if gone:
            self._store.apply(Delta(self._store.version, gone=gone))
            self._gone(gone)


def _in_view(records: list[AnyRecord], mine: Callable[[str], bool]) -> list[AnyRecord]:
    """The nodes of the user's clusters, and the hosts that carry them; all hosts for who sees the site."""
    nodes = [record for record in records if isinstance(record, Node) and mine(record.cluster)]
    carrying, whole = {node.host for node in nodes}, mine("")
    hosts = (record for record in records if isinstance(record, Host))
    return [*nodes, *(host for host in hosts if whole or host.name in carrying)]


def _aged(record: AnyRecord, since: float | None) -> AnyRecord:
    """A record as it is shown while it is not known to hold still."""
    if isinstance(record, Node) and record.stale_since is None:
        return msgspec.structs.replace(record, stale_since=since)
    if isinstance(record, Host):
        detail = "airboss has not said yet how it is"
        return msgspec.structs.replace(record, state="connecting", detail=detail, words="")
    return record
