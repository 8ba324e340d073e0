"""A key's echo on a real VM while a pool of 100,000 slots is asked, read, joined and sent to who looks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.keystrokes import Typist, over_a_link
from bench.result import Row, at_most_times, median, percentile
from bench.workshop import CLUSTER, Bench, Workshop, node_plans
from pilot.demo import domains
from pilot.demo import guest as guest_module
from pilot.link.link import Link
from pilot.records import Machine, Source
from pilot.store import Store
from tests.support.airboss import Airboss
from tests.support.condor_pool import CondorPool
from tests.support.vms import SerialLine, Vm

ROUNDS = 4
ALONE = 150
"""Keys of a round without a pool."""
SECONDS = 300.0


async def measure(workshop: Workshop, pool: CondorPool) -> list[Row]:
    """An airboss without the pool, and one that takes it in anew in each round, in turns on one VM."""
    guest = domains.share(await asyncio.to_thread(guest_module.build), workshop.folder / "guest")
    (plan,) = node_plans(1)
    token = await asyncio.to_thread(pool.token, "pilot", "READ")
    # Elsewhere the collector is another machine's.
    os.setpriority(os.PRIO_PROCESS, await asyncio.to_thread(pool.daemon, "condor_collector"), 10)
    lone, first, again = list[float](), list[float](), list[float]()
    took = list[float]()
    async with workshop.host([], guest) as host:
        vm = await asyncio.to_thread(Vm, host, guest, plan)
        try:
            vm.start()
            async with SerialLine(vm.serial_path()) as line:
                await line.log_in(60)
                line.send(b"cat > /dev/null\r")
                await line.expect(b"null\r\n")
            uris = {host.name: host.uri}
            for _ in range(ROUNDS):
                async with _site(workshop, uris, "") as site, _typing(site, plan.name) as typist:
                    lone += await typist.time_keys(ALONE)
                pools = (
                    f'[[pool]]\nname = "bench"\ncollector = "{pool.address}"\ntoken = "{token}"\nevery = 2\n'
                )
                async with _site(workshop, uris, pools) as site, _typing(site, plan.name) as typist:
                    meanwhile = asyncio.create_task(_sent(site))
                    try:
                        begin = time.perf_counter()
                        while not meanwhile.done():
                            first += await typist.time_keys(10)
                            if time.perf_counter() - begin > SECONDS:
                                raise TimeoutError("the pool never came")
                        took.append(await meanwhile)
                    finally:
                        meanwhile.cancel()
                    async with _watching(site):
                        end = time.perf_counter() + 10.0
                        while time.perf_counter() < end:
                            again += await typist.time_keys(10)
        finally:
            await asyncio.to_thread(vm.close)
    workshop.notes.append(
        f"slots, key echo: {len(lone)} keys without a pool, {len(first)} while the pool came whole for the "
        f"first time to airboss and to one who looks at it ({median(took):.1f} s from asking to look), "
        f"{len(again)} while it was asked again every 2 s. p95: {percentile(lone, 95):.2f} ms, "
        f"{percentile(first, 95):.2f} ms, {percentile(again, 95):.2f} ms."
    )
    beside = "without a pool"
    return [
        at_most_times(
            "key echo while 100,000 slots are asked, read, joined and sent", median(first), "ms", beside,
            median(lone), 1.1,
        ),
        at_most_times(
            "the same while they are asked again and again", median(again), "ms", beside, median(lone), 1.1
        ),
    ]  # fmt: skip


@asynccontextmanager
async def _site(workshop: Workshop, uris: dict[str, str], extra: str) -> AsyncIterator[Bench]:
    airboss = Airboss(workshop.fresh("a"), uris, extra)
    airboss.editor.add_cluster(CLUSTER, None, False)
    site = Bench(airboss, await airboss.person("ada", "*", "admin"))
    try:
        await airboss.start()
        await site.remember()
        yield site
    finally:
        await airboss.stop()


@asynccontextmanager
async def _typing(site: Bench, node: str) -> AsyncIterator[Typist]:
    await site.await_nodes(1)
    async with await site.ada.link() as link, over_a_link(link, node) as typist:
        await typist.time_keys(10)
        yield typist


async def _sent(site: Bench) -> float:
    """Seconds until one who looks at it has all of the pool."""
    begin = time.perf_counter()
    async with await site.ada.link() as link:
        await _until_whole(link)
    return time.perf_counter() - begin


async def _until_whole(link: Link, stay: bool = False) -> None:
    store = Store()
    async for frame in link.watch(also="machines"):
        store.apply(frame)
        up = any(source.type == "condor" and source.state == "up" for source in store.of(Source))
        if up and not stay and sum(1 for _ in store.of(Machine)) >= 2000:
            return


@asynccontextmanager
async def _watching(site: Bench) -> AsyncIterator[None]:
    async with await site.ada.link() as link:
        task = asyncio.create_task(_until_whole(link, stay=True))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
