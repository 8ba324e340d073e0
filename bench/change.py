"""A state change's way from libvirt to the record in a client's store, among many nodes and watchers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import libvirt

from bench.result import Row, below, median, percentile
from bench.workshop import CLUSTER, ROOT, Bench, Workshop, run
from pilot.demo.fleet import Fleet
from pilot.records import Node
from pilot.store import Store

NODES = 1000
WATCHERS = 20
SAMPLES = 500
PACE = 0.01
"""Seconds between two changes: a busy site, where every change still travels on its own."""
SNAPSHOTS = 7
DEADLINE = 10.0


async def measure(workshop: Workshop) -> list[Row]:
    """Changes one after the other; each is timed in the store and, beside it, in a bare libvirt client."""
    async with (
        workshop.fleet(NODES) as fleet,
        workshop.site({fleet.host.name: fleet.uri}, NODES) as site,
    ):
        snapshots, lists = await _snapshots(site, fleet)
        async with _others(site, WATCHERS - 1):
            stored, bare = await _changes(site, fleet)
    workshop.notes.append(
        f"State change: {SAMPLES} starts and stops of one node each through libvirt, {PACE * 1000:.0f} ms "
        f"after the one before was seen. The time begins before the call that makes the change, so that "
        f"call is in it. Slowest {max(stored):.1f} ms."
    )
    what = f"state change to record in a store, {NODES:,} nodes, {WATCHERS} watchers"
    event = "event in a bare libvirt client"
    return [
        below(f"{what}: p50", median(stored), "ms", 20, f"{event}: p50", median(bare)),
        below("the same: p99", percentile(stored, 99), "ms", 100, f"{event}: p99", percentile(bare, 99)),
        Row(
            f"connection, hello and {NODES:,} nodes in a store",
            median(snapshots),
            "ms",
            "`virsh list --all`, the process",
            median(lists),
        ),
    ]


async def _snapshots(site: Bench, fleet: Fleet) -> tuple[list[float], list[float]]:
    stores, lists = [], []
    for _ in range(SNAPSHOTS):
        begin = time.perf_counter()
        async with await site.ada.link() as link:
            store = Store()
            async for frame in link.watch(CLUSTER):
                store.apply(frame)
                if store.complete:
                    break
            stores.append((time.perf_counter() - begin) * 1000)
        assert sum(1 for _ in store.nodes()) == NODES
        begin = time.perf_counter()
        await run(["virsh", "-c", fleet.uri, "list", "--all"])
        lists.append((time.perf_counter() - begin) * 1000)
    return stores, lists


async def _changes(site: Bench, fleet: Fleet) -> tuple[list[float], list[float]]:
    store, stored, bare = Store(), list[float](), list[float]()
    arrivals: asyncio.Queue[tuple[str, str, float]] = asyncio.Queue()

    async def watch() -> None:
        async with await site.ada.link() as link:
            async for frame in link.watch(CLUSTER):
                complete = store.complete
                for key in store.apply(frame).keys:
                    record = store.records.get(key)
                    if complete and isinstance(record, Node):
                        arrivals.put_nowait((record.domain, record.state, time.perf_counter()))
                if store.complete and not complete:
                    arrivals.put_nowait(("", "", 0.0))

    watching = asyncio.create_task(watch())
    connection = libvirt.open(fleet.uri)
    try:
        await asyncio.wait_for(arrivals.get(), DEADLINE)
        with _Listener(fleet.uri) as listener:
            for name, state, call in _plan(connection, fleet):
                begin = time.perf_counter()
                await asyncio.to_thread(call)
                stored.append((await _arrival(arrivals, name, state) - begin) * 1000)
                bare.append((await asyncio.to_thread(listener.arrival, name, state) - begin) * 1000)
                await asyncio.sleep(PACE)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        connection.close()
    return stored, bare


def _plan(connection: Any, fleet: Fleet) -> Iterator[tuple[str, str, Any]]:
    """Which domain gets into which state by which call."""
    chance = random.Random(1)
    running: set[str] = set()
    for _ in range(SAMPLES):
        name = chance.choice(fleet.plans).domain
        domain = connection.lookupByName(name)
        if name in running:
            running.remove(name)
            yield name, "off", domain.destroy
        else:
            running.add(name)
            yield name, "on", domain.create


async def _arrival(arrivals: asyncio.Queue[tuple[str, str, float]], name: str, state: str) -> float:
    async with asyncio.timeout(DEADLINE):
        while True:
            domain, became, when = await arrivals.get()
            if (domain, became) == (name, state):
                return when


_EVENTS = {libvirt.VIR_DOMAIN_EVENT_STARTED: "on", libvirt.VIR_DOMAIN_EVENT_STOPPED: "off"}


class _Listener:
    """A client of libvirt with nothing in it but an event callback, in a thread of its own."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._news = threading.Condition()
        self._seen: dict[tuple[str, str], float] = {}
        self._ending = False

    def __enter__(self) -> _Listener:
        libvirt.virEventRegisterDefaultImpl()
        self._thread = threading.Thread(target=self._turn, daemon=True, name="listener")
        self._thread.start()
        self._connection = libvirt.open(self._uri)
        self._callback = self._connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._event, None
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.domainEventDeregisterAny(self._callback)
        self._connection.close()
        self._ending = True
        # The loop turns once more for a timer, and then sees that it is to end.
        libvirt.virEventAddTimeout(0, lambda *_: None, None)
        self._thread.join(5)

    def _turn(self) -> None:
        while not self._ending:
            libvirt.virEventRunDefaultImpl()

    def _event(self, _connection: Any, domain: Any, event: int, _detail: int, _opaque: None) -> None:
        now = time.perf_counter()
        if state := _EVENTS.get(event):
            with self._news:
                self._seen[domain.name(), state] = now
                self._news.notify_all()

    def arrival(self, name: str, state: str) -> float:
        """When the event came; waits for it."""
        with self._news:
            assert self._news.wait_for(lambda: (name, state) in self._seen, DEADLINE)
            return self._seen.pop((name, state))


@asynccontextmanager
async def _others(site: Bench, count: int) -> AsyncIterator[None]:
    """So many watchers in another process, with complete stores."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.watchers", str(site.ada.key), str(site.config.known_hosts)),
        *(str(site.airboss.port), CLUSTER, str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line, "the other watchers have ended"
        yield
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)
