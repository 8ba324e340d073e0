"""A large site: 100 hosts of 100 running nodes each, seen whole, at rest, and asked beside `virsh`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from bench.result import Row, at_most, below, median, times_faster
from bench.sshd import sshd, virsh
from bench.workshop import CLUSTER, Bench, Workshop, console_script, run
from pilot import wire
from pilot.demo.fleet import Fleet
from pilot.link.link import Link
from pilot.records import Host, Node
from pilot.store import Store
from tests.support.airboss import Airboss

HOSTS, EACH = 100, 100
WHOLE_SECONDS = 120.0
SETTLE_SECONDS = 15.0
REST_SECONDS = 60.0
SNAPSHOTS = 7
LISTED = 20
RUNS = 5


async def measure(workshop: Workshop) -> list[Row]:
    """Start airboss over all of them, let it rest, ask it."""
    raise_file_limit()
    async with fleets_of(workshop, HOSTS, EACH) as fleets:
        workshop.say(f"{HOSTS} libvirtds with {EACH} running domains each are up")
        airboss = Airboss(workshop.fresh("a"), {fleet.host.name: fleet.uri for fleet in fleets})
        airboss.editor.add_cluster(CLUSTER, None, False)
        site = Bench(airboss, await airboss.person("ada", "*", "admin"))
        try:
            whole = await _start(site)
            await site.remember()
            pid = airboss.process.pid if airboss.process is not None else 0
            await asyncio.sleep(SETTLE_SECONDS)
            unseen = await busy(pid, REST_SECONDS / 2)
            snapshots = [await _snapshot(site) for _ in range(SNAPSHOTS)]
            async with _watching(site):
                await asyncio.sleep(SETTLE_SECONDS)
                seen = await busy(pid, REST_SECONDS)
                memory = resident(pid)
            ours, theirs, local = await _asked(workshop, site, fleets[:LISTED])
        finally:
            await airboss.stop()
    nodes = HOSTS * EACH
    workshop.notes.append(
        f"Large site: {HOSTS} libvirtds serve the test driver, {EACH} running domains each; airboss starts "
        f"as a process, and a watcher waits until it has all hosts up and all {nodes:,} nodes. At rest one "
        f"watcher of everything, usage, load and interfaces included, looks on for {REST_SECONDS:.0f} s. "
        f"Slowest snapshot {max(snapshots):.0f} ms. Hosts are other machines, so `virsh` goes over SSH, to "
        f"an sshd on loopback; by local sockets, which a site does not have, it takes {median(local):.2f} s."
    )
    what = f"{HOSTS} hosts x {EACH} nodes"
    return [
        below(f"{what}: airboss from its start to the whole inventory", whole, "s", 10),
        at_most("the same at rest, with a watcher of everything: a core's time", seen, "%", 15),
        Row("the same, while nobody watches", unseen, "%"),
        at_most("the same: memory", memory, "MB", 400),
        below(f"snapshot of {nodes:,} nodes to a new watcher, in its store", median(snapshots), "ms", 300),
        times_faster(
            f"`pilot hosts`, all {HOSTS}, the process", median(ours), "s",
            f"`virsh list` over SSH on each of {LISTED} hosts", median(theirs), 5,
        ),
    ]  # fmt: skip


@asynccontextmanager
async def fleets_of(workshop: Workshop, hosts: int, each: int) -> AsyncIterator[list[Fleet]]:
    """So many libvirtds with so many running nodes each."""
    fleets = [
        Fleet(workshop.fresh("f") / "h", f"vm-container-0-{n}", each, CLUSTER, n * each) for n in range(hosts)
    ]
    with ThreadPoolExecutor(4) as threads:
        try:
            await asyncio.gather(
                *(asyncio.get_running_loop().run_in_executor(threads, _begin, fleet) for fleet in fleets)
            )
            yield fleets
        finally:
            await asyncio.gather(
                *(asyncio.get_running_loop().run_in_executor(threads, fleet.stop) for fleet in fleets)
            )


def _begin(fleet: Fleet) -> None:
    fleet.start()
    assert fleet._keeper is not None
    for domain in fleet._keeper.listAllDomains():
        domain.create()


async def _start(site: Bench) -> float:
    """Seconds from the start of airboss's process until a watcher has everything."""
    begin = time.perf_counter()
    await site.airboss.start()
    store = Store()
    async with asyncio.timeout(WHOLE_SECONDS), await site.ada.link() as link:
        async for frame in link.watch():
            store.apply(frame)
            up = sum(host.state == "up" for host in store.of(Host))
            if up == HOSTS and sum(node.state == "on" for node in store.of(Node)) == HOSTS * EACH:
                break
    return time.perf_counter() - begin


async def _snapshot(site: Bench) -> float:
    """Milliseconds until a new watcher on an open connection has all records."""
    async with await site.ada.link() as link:
        begin, store = time.perf_counter(), Store()
        async for frame in link.watch():
            store.apply(frame)
            if store.complete:
                break
        taken = (time.perf_counter() - begin) * 1000
        assert sum(1 for _ in store.nodes()) == HOSTS * EACH
        return taken


@asynccontextmanager
async def _watching(site: Bench) -> AsyncIterator[None]:
    """One who looks at everything."""
    async with await site.ada.link() as link:
        task = asyncio.create_task(_watch(link))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _watch(link: Link) -> None:
    store = Store()
    async for frame in link.watch(usage=True, load="all"):
        if isinstance(frame, wire.Snapshot | wire.Delta):
            store.apply(frame)


async def _asked(
    workshop: Workshop, site: Bench, fleets: Sequence[Fleet]
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of `pilot hosts`, and of `virsh list` on one host after the other, over SSH and without."""
    ours, theirs, local = [], [], []
    folder = workshop.fresh("s")
    async with sshd(folder) as (options, address):
        for _ in range(RUNS):
            begin = time.perf_counter()
            out = await run([*console_script("pilot"), "hosts"], site.ada.environment)
            ours.append(time.perf_counter() - begin)
            assert out.count(b"vm-container-0-") >= HOSTS
            begin = time.perf_counter()
            for fleet in fleets:
                words = virsh(
                    folder, options, address, fleet.host.socket, "list", driver="test", path="default"
                )
                assert (await run(words)).count(b"running") == EACH
            theirs.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            for fleet in fleets:
                await run(["virsh", "-c", fleet.uri, "list"])
            local.append(time.perf_counter() - begin)
    return ours, theirs, local


async def busy(pid: int, seconds: float) -> float:
    """Percent of a core that a process uses over some time."""
    before, begin = _ticks(pid), time.monotonic()
    await asyncio.sleep(seconds)
    used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    return 100 * used / (time.monotonic() - begin)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident(pid: int) -> float:
    """MB of memory that a process has now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def raise_file_limit() -> None:
    """Each host takes several connections: a service's limit, in place of a shell's."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
