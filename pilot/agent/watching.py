"""A watcher's stream: a snapshot, then what changed; what the signer may see, as of now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.inventory import Inventory, Watcher
from pilot.agent.policy import View
from pilot.errors import RefusedError
from pilot.records import AnyRecord, Node

_RECORDS_PER_FRAME = 500
PULSE_SECONDS = 5.0
"""An empty delta is sent after this much silence: airboss is alive, and this is its clock."""


class _Sender(Protocol):
    def tell(self, frame: wire.ServerFrame) -> None: ...
    async def send(self, frame: wire.ServerFrame) -> None: ...


class _Seen:
    """What one watcher has been sent."""

    def __init__(self, inventory: Inventory, view: View) -> None:
        self._inventory = inventory
        self._view = view
        self._hosts: frozenset[str] = frozenset()
        self._sent: set[str] = set()

    def snapshot(self) -> list[AnyRecord]:
        """All that is in view."""
        self._hosts = self._view.hosts_in_view(self._inventory.records.values())
        shown = self._view.show_all(self._inventory.records.values())
        self._sent = set(shown)
        return list(shown.values())

    def delta(self, ids: set[str]) -> tuple[list[AnyRecord], list[str]]:
        """The newest records of these ids that are in view, and the ids that are not (any more)."""
        records = self._inventory.records
        nodes = [record for i in ids if isinstance(record := records.get(i), Node)]
        moved = any(node.host not in self._hosts and self._view.sees_cluster(node.cluster) for node in nodes)
        if moved or any(i in self._sent and i not in records for i in ids):
            hosts = self._view.hosts_in_view(records.values())
            ids = ids | {f"host:{name}" for name in hosts ^ self._hosts}
            self._hosts = hosts
        changed: list[AnyRecord] = []
        gone: list[str] = []
        for record_id in ids:
            record = records.get(record_id)
            shown = None if record is None else self._view.show(record, self._hosts)
            if shown is not None:
                changed.append(shown)
                self._sent.add(record_id)
            elif record_id in self._sent:
                gone.append(record_id)
                self._sent.discard(record_id)
        return changed, gone


async def stream(
    inventory: Inventory, caller: Caller, cluster: str, out: _Sender, clock: Callable[[], float]
) -> None:
    """Send snapshot and deltas until cancelled.

    Raises:
        RefusedError: the signer has no right to see anything of this any more.
    """
    watcher = inventory.watch()
    try:
        await _stream(inventory, watcher, caller, cluster, out, clock)
    finally:
        inventory.unwatch(watcher)


async def _stream(
    inventory: Inventory,
    watcher: Watcher,
    caller: Caller,
    cluster: str,
    out: _Sender,
    clock: Callable[[], float],
) -> None:
    seen = _Seen(inventory, View(()))
    while True:
        if watcher.everything:
            watcher.everything = False
            watcher.take()
            grants = caller.grants()
            if not grants or (cluster and caller.role(cluster) is None):
                raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
            seen = _Seen(inventory, View(grants, cluster))
            await _send_snapshot(inventory, seen, out)
        elif ids := watcher.take():
            changed, gone = seen.delta(ids)
            for start in range(0, max(len(changed), 1), _RECORDS_PER_FRAME):
                part = tuple(changed[start : start + _RECORDS_PER_FRAME])
                if part or gone:
                    await out.send(wire.Delta(inventory.version, part, tuple(gone), clock()))
                gone = []
        try:
            async with asyncio.timeout(PULSE_SECONDS):
                await watcher.changed()
        except TimeoutError:
            await out.send(wire.Delta(inventory.version, time=clock()))


async def _send_snapshot(inventory: Inventory, seen: _Seen, out: _Sender) -> None:
    version = inventory.version
    records = seen.snapshot()
    starts = range(0, max(len(records), 1), _RECORDS_PER_FRAME)
    for start in starts:
        part = tuple(records[start : start + _RECORDS_PER_FRAME])
        await out.send(wire.Snapshot(version, part, first=start == 0, last=start == starts[-1]))
