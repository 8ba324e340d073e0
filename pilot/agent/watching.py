"""A watcher's stream: a snapshot, then what changed; what the signer may see, as of now."""

from __future__ import annotations

import asyncio
from collections import Counter
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
    async def send(self, frame: wire.ServerFrame) -> None: ...


class _Seen:
    """What one watcher has been sent, and so which hosts it may see."""

    def __init__(self, inventory: Inventory, view: View) -> None:
        self._inventory = inventory
        self._view = view
        self._sent: dict[str, AnyRecord] = {}
        self._host_of: dict[str, str] = {}
        self._carried: Counter[str] = Counter()
        """How many nodes in view each host carries."""

    def snapshot(self) -> list[AnyRecord]:
        """All that is in view."""
        shown = self._view.show_all(self._inventory.records.values())
        self._sent = dict(shown)
        for record in shown.values():
            if isinstance(record, Node):
                self._carries(record.id, record.host)
        return list(shown.values())

    def delta(self, ids: set[str]) -> tuple[list[AnyRecord], list[str]]:
        """The newest records of these ids that are in view, and the ids that are not (any more)."""
        records = self._inventory.records
        hosts = set(self._carried)
        for record_id in ids:
            record = records.get(record_id)
            if isinstance(record, Node) and self._view.sees_cluster(record.cluster):
                self._carries(record_id, record.host)
            elif record_id in self._host_of:
                self._carries(record_id, "")
        ids = ids | {f"host:{name}" for name in hosts ^ set(self._carried)}
        changed: list[AnyRecord] = []
        gone: list[str] = []
        for record_id in ids:
            record = records.get(record_id)
            shown = None if record is None else self._view.show(record, self._carried.keys())
            if shown is None:
                if self._sent.pop(record_id, None) is not None:
                    gone.append(record_id)
            elif shown != self._sent.get(record_id):
                changed.append(shown)
                self._sent[record_id] = shown
        return changed, gone

    def concerns(self, ids: set[str]) -> bool:
        """Whether any of these changes is of something in view, or that was."""
        records = self._inventory.records
        for record_id in ids:
            record = records.get(record_id)
            shown = None if record is None else self._view.show(record, self._carried.keys())
            if shown != self._sent.get(record_id):
                return True
        return False

    def _carries(self, node_id: str, host: str) -> None:
        """A node in view is on this host now; on none in view if it is empty."""
        before = self._host_of.pop(node_id, "")
        if before:
            self._carried[before] -= 1
            if not self._carried[before]:
                del self._carried[before]
        if host:
            self._host_of[node_id] = host
            self._carried[host] += 1


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
    loop = asyncio.get_running_loop()
    seen = _Seen(inventory, View(()))
    version = 0
    while True:
        frames: list[wire.Snapshot | wire.Delta] = []
        if watcher.everything:
            watcher.everything = False
            watcher.take()
            grants = caller.grants()
            if not grants or (cluster and caller.role(cluster) is None):
                raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
            seen = _Seen(inventory, View(grants, cluster))
            version += 1
            frames += _snapshot(version, seen.snapshot())
        elif any(told := seen.delta(watcher.take())):
            version += 1
            frames += _deltas(version, *told, clock())
        else:
            frames.append(wire.Delta(version, time=clock()))
        for frame in frames:
            await out.send(frame)
        silent_until = loop.time() + PULSE_SECONDS
        # Changes that this watcher does not see must not keep the pulse from it.
        while not watcher.everything and not seen.concerns(watcher.dirty):
            watcher.take()
            try:
                async with asyncio.timeout_at(silent_until):
                    await watcher.changed()
            except TimeoutError:
                break


def _snapshot(version: int, records: list[AnyRecord]) -> list[wire.Snapshot | wire.Delta]:
    starts = range(0, max(len(records), 1), _RECORDS_PER_FRAME)
    return [
        wire.Snapshot(
            version,
            tuple(records[start : start + _RECORDS_PER_FRAME]),
            first=start == 0,
            last=start == starts[-1],
        )
        for start in starts
    ]


def _deltas(
    version: int, changed: list[AnyRecord], gone: list[str], now: float
) -> list[wire.Snapshot | wire.Delta]:
    return [
        wire.Delta(
            version,
            tuple(changed[start : start + _RECORDS_PER_FRAME]),
            tuple(gone) if start == 0 else (),
            now,
        )
        for start in range(0, max(len(changed), 1), _RECORDS_PER_FRAME)
    ]
