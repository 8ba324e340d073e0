"""A watcher's stream: a snapshot, then what changed and what is used; what the signer may see, as of now."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.history import Feed as LoadFeed
from pilot.agent.history import History
from pilot.agent.inventory import Inventory, Watcher
from pilot.agent.policy import View
from pilot.agent.usage import Feed, Usage
from pilot.errors import RefusedError, WireError
from pilot.records import AnyRecord, Machine, Node, Queue

_RECORDS_PER_FRAME = 500
PULSE_SECONDS = 5.0
"""An empty delta is sent after this much silence: airboss is alive, and this is its clock."""


class _Sender(Protocol):
    async def send(self, frame: wire.ServerFrame) -> None: ...


class _Outlet(_Sender, Protocol):
    async def receive(self) -> wire.AnyClientFrame: ...


class Loads(NamedTuple):
    """What a watcher wants to know of how busy hosts are."""

    history: History
    nics: bool
    """Whether of nodes' interfaces, too."""


class _Seen:
    """What one watcher has been sent, and so which hosts it may see."""

    def __init__(self, inventory: Inventory, view: View, machines: bool) -> None:
        self._inventory = inventory
        self._machines = machines
        """Whether HTCondor's machines and queues are sent, too."""
        self._view = view
        self._sent: dict[str, AnyRecord] = {}
        self._host_of: dict[str, str] = {}
        self._carried: Counter[str] = Counter()
        """How many nodes in view each host carries."""

    def snapshot(self) -> list[AnyRecord]:
        """All that is in view."""
        records = self._inventory.records.values()
        shown = self._view.show_all(record for record in records if self._wanted(record))
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
            shown = self._show(record)
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
            shown = self._show(record)
            if shown != self._sent.get(record_id):
                return True
        return False

    def _show(self, record: AnyRecord | None) -> AnyRecord | None:
        if record is None or not self._wanted(record):
            return None
        return self._view.show(record, self._carried.keys())

    def _wanted(self, record: AnyRecord) -> bool:
        return self._machines or not isinstance(record, Machine | Queue)

    def shows(self, record_id: str) -> bool:
        """Whether the watcher was sent this record."""
        return record_id in self._sent

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


async def serve(
    inventory: Inventory,
    usage: Usage | None,
    caller: Caller,
    cluster: str,
    outlet: _Outlet,
    clock: Callable[[], float],
    loads: Loads | None = None,
    machines: bool = False,
) -> None:
    """Send what `stream` sends, and answer pings, until cancelled.

    Raises:
        RefusedError: the signer has no right to see anything of this any more.
        WireError: the watcher sent what does not belong on a watch's channel.
    """
    ways = [
        asyncio.create_task(stream(inventory, usage, caller, cluster, outlet, clock, loads, machines)),
        asyncio.create_task(_answer(outlet)),
    ]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            way.result()
    finally:
        for way in ways:
            way.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await way


async def _answer(outlet: _Outlet) -> None:
    """Give pings back, each once the watcher reads: who does not is held back like any other."""
    while True:
        frame = await outlet.receive()
        if not isinstance(frame, wire.Ping):
            raise WireError(
                f"a {type(frame).__name__} frame on a watch's channel", "Only pings belong there."
            )
        await outlet.send(wire.Pong(frame.token))
        await asyncio.sleep(0)  # others have their turn, however many pings wait


async def stream(
    inventory: Inventory,
    usage: Usage | None,
    caller: Caller,
    cluster: str,
    out: _Sender,
    clock: Callable[[], float],
    loads: Loads | None = None,
    machines: bool = False,
) -> None:
    """Send snapshot and deltas until cancelled, with `usage` and `loads` how busy what is in view is, too.

    Raises:
        RefusedError: the signer has no right to see anything of this any more.
    """
    watcher = inventory.watch()
    feed = None if usage is None else usage.watch(watcher.wake)
    load_feed = None if loads is None else loads.history.watch(watcher.wake, loads.nics)
    try:
        await _Stream(inventory, watcher, feed, load_feed, caller, cluster, out, clock, machines).run()
    finally:
        if loads is not None and load_feed is not None:
            loads.history.unwatch(load_feed)
        inventory.unwatch(watcher)
        if usage is not None and feed is not None:
            usage.unwatch(feed)


class _Stream:
    def __init__(
        self,
        inventory: Inventory,
        watcher: Watcher,
        feed: Feed | None,
        loads: LoadFeed | None,
        caller: Caller,
        cluster: str,
        out: _Sender,
        clock: Callable[[], float],
        machines: bool,
    ) -> None:
        self._inventory = inventory
        self._machines = machines
        self._watcher = watcher
        self._feed = feed
        self._loads = loads
        self._caller = caller
        self._cluster = cluster
        self._out = out
        self._clock = clock
        self._view = View(())
        self._seen = _Seen(inventory, self._view, machines)
        self._version = 0

    async def run(self) -> None:
        while True:
            for frame in self._records():
                await self._out.send(frame)
            if self._feed is not None and self._feed.due:
                for used in self._feed.frames(self._sees):
                    await self._out.send(used)
                    await asyncio.sleep(0)  # many nodes must not hold up everybody else
            if self._loads is not None and self._loads.due:
                for load in self._loads.frames(self._shows):
                    await self._out.send(load)
                    await asyncio.sleep(0)
            await self._news()

    def _records(self) -> list[wire.Snapshot | wire.Delta]:
        """What is to be told of records; a pulse if there is nothing at all to tell."""
        watcher = self._watcher
        if watcher.everything:
            watcher.everything = False
            watcher.take()
            grants = self._caller.grants()
            if not grants or (self._cluster and self._caller.role(self._cluster) is None):
                raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
            self._view = View(grants, self._cluster)
            self._seen = _Seen(self._inventory, self._view, self._machines)
            self._version += 1
            shown = self._seen.snapshot()
            if self._feed is not None:
                self._feed.anew()
                self._feed.shown((record.id for record in shown if isinstance(record, Node)), ())
            if self._loads is not None:
                self._loads.anew()
            return _snapshot(self._version, shown)
        changed, gone = self._seen.delta(watcher.take())
        if changed or gone:
            self._version += 1
            if self._feed is not None:
                self._feed.shown((record.id for record in changed if isinstance(record, Node)), gone)
            if self._loads is not None:
                self._loads.shown((record.id for record in changed), gone)
            return _deltas(self._version, changed, gone, self._clock())
        if self._due:
            return []
        return [wire.Delta(self._version, time=self._clock())]

    async def _news(self) -> None:
        """Wait for something to tell, or for the time of the next pulse."""
        watcher = self._watcher
        silent_until = asyncio.get_running_loop().time() + PULSE_SECONDS
        # Changes that this watcher does not see must not keep the pulse from it.
        while not watcher.everything and not self._seen.concerns(watcher.dirty):
            if self._due:
                return
            watcher.take()
            try:
                async with asyncio.timeout_at(silent_until):
                    await watcher.changed()
            except TimeoutError:
                return

    @property
    def _due(self) -> bool:
        """Whether there is something to tell besides records."""
        return any(feed is not None and feed.due for feed in (self._feed, self._loads))

    def _shows(self, record_id: str) -> bool:
        return self._seen.shows(record_id)

    def _sees(self, node_id: str) -> bool:
        node = self._inventory.node(node_id)
        return node is not None and self._view.sees_cluster(node.cluster)


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
