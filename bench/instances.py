"""2,000 EC2 instances: seen whole, at rest, what airboss's loop notices; and trees beside what hangs.

EC2 is moto's server behind the demo's stand-in, both in processes of their own. The stand-in keeps moto's
answers until something changes, so that what is measured is airboss.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import msgspec

from bench.hosts import busy, resident
from bench.result import Row, at_most_times, below, median, percentile
from bench.workshop import CLUSTER, Bench, Workshop
from pilot.agent.inventory import Inventory
from pilot.agent.joining import Joining
from pilot.backends.ec2.provider import Ec2Provider, Ec2Settings
from pilot.backends.provider import Extra, Used
from pilot.records import Instance, Node, Source
from pilot.store import Store
from tests.support.airboss import Airboss

COUNT = 2_000
REGION, HUNG = "us-east-1", "eu-west-1"
FLEET = 100
SETTLE_SECONDS = 100.0
"""Until all dry runs have been made."""
REST_SECONDS = 60.0
LOOP_SECONDS = 75.0
"""Five looks, a reading of status checks, and all dry runs."""
ROUNDS, ASKED = 8, 10
_DEADLINE = 300.0
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "PRETENDED", "AWS_SECRET_ACCESS_KEY": "pretended",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


async def measure(workshop: Workshop) -> list[Row]:
    """Watch them in a loop of our own, then with an airboss, then beside a region and a pool that hang."""
    with _environment():
        async with _cloud() as (url, alone):
            workshop.say(f"moto lists {COUNT:,} instances in {alone:.2f} s by itself")
            longest, late = await _loop(url)
            rows = await _airboss(workshop, url, alone)
            rows += await _beside(workshop, url)
    workshop.notes.append(
        f"EC2: moto's server needs {alone:.1f} s to list {COUNT:,} instances, before anything of ours sees a "
        f"byte; AWS does not. The loop was watched for {LOOP_SECONDS:.0f} s from the start: five looks at "
        f"all, status checks, dry runs; 99 of 100 of its turns came at most {percentile(late, 99):.1f} ms "
        f"late. Trees are asked in turns at two airbosses, {ROUNDS * ASKED} times each: both have a host of "
        f"{FLEET} nodes and {COUNT:,} instances; one has, besides, a region that never answers and a "
        f"collector that takes connections and never answers."
    )
    return [
        below(f"{COUNT:,} EC2 instances: airboss's loop late at most", longest, "ms", 50),
        *rows,
    ]


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _CREDENTIALS}
    os.environ.update(_CREDENTIALS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@asynccontextmanager
async def _cloud() -> AsyncIterator[tuple[str, float]]:
    """The stand-in's URL, and the seconds that moto needs to list all instances."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.instances_cloud", str(COUNT), REGION, HUNG, CLUSTER,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_DEADLINE):
            words = (await process.stdout.readline()).decode().split()
        if len(words) != 2:
            raise RuntimeError("the pretended EC2 does not start")
        yield words[0], float(words[1])
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class _Sink(Inventory):
    """What airboss has: the inventory, and what joins machines to instances."""

    def __init__(self) -> None:
        super().__init__()
        self.up = asyncio.Event()
        self._joining = Joining(super().extras, super().gone)
        self.on_node.append(self._joining.node_changed)

    def extras(self, records: Iterable[Extra]) -> None:
        some = list(records)
        self._joining.extras(some)
        if any(isinstance(record, Source) and record.state == "up" for record in some):
            self.up.set()

    def gone(self, ids: Iterable[str]) -> None:
        self._joining.gone(ids)

    def usage(self, used: Mapping[str, Used]) -> None:
        """EC2 tells of none."""

    async def starting(self, node_id: str) -> None:
        """None starts paused."""


async def _loop(url: str) -> tuple[float, list[float]]:
    """By how many milliseconds turns of the loop were late: the most, and all."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.002)
            late.append((time.perf_counter() - begin - 0.002) * 1000)

    given = {"name": "bench", "regions": [REGION], "endpoint": url, "output": False, "prices": False}
    provider, sink = Ec2Provider(msgspec.convert(given, Ec2Settings)), _Sink()
    ticking = asyncio.create_task(tick())
    try:
        await provider.start(sink)
        await asyncio.wait_for(sink.up.wait(), _DEADLINE)
        await asyncio.sleep(LOOP_SECONDS)
    finally:
        ticking.cancel()
        await provider.stop()
    assert sum(isinstance(record, Instance) for record in sink.records.values()) == COUNT
    return max(late), late


def _toml(url: str, regions: str) -> str:
    return (
        f'[[ec2]]\nname = "bench"\nregions = [{regions}]\nendpoint = "{url}"\n'
        "output = false\nprices = false\n"
    )


@asynccontextmanager
async def _serving(workshop: Workshop, hosts: Mapping[str, str], extra: str) -> AsyncIterator[Bench]:
    airboss = Airboss(workshop.fresh("a"), hosts, extra)
    airboss.editor.add_cluster(CLUSTER, None, False)
    site = Bench(airboss, await airboss.person("ada", "*", "admin"))
    try:
        await airboss.start()
        await site.remember()
        yield site
    finally:
        await airboss.stop()


async def _whole(site: Bench, nodes: int) -> None:
    """Wait until one who watches has everything."""
    store = Store()
    async with asyncio.timeout(_DEADLINE), await site.ada.link() as link:
        async for frame in link.watch(also="machines"):
            store.apply(frame)
            if sum(1 for _ in store.of(Instance)) == COUNT and sum(1 for _ in store.of(Node)) >= nodes:
                return


async def _airboss(workshop: Workshop, url: str, alone: float) -> list[Row]:
    begin = time.perf_counter()
    async with _serving(workshop, {}, _toml(url, f'"{REGION}"')) as site:
        await _whole(site, COUNT)
        whole = time.perf_counter() - begin
        workshop.say(f"{whole:.2f} s from airboss's start to {COUNT:,} instances in a store")
        await asyncio.sleep(SETTLE_SECONDS)
        pid = site.airboss.process.pid if site.airboss.process is not None else 0
        return [
            Row(
                f"{COUNT:,} instances: airboss from its start to a store with all of them", whole, "s",
                "moto's server alone, to list them once", alone,
            ),
            below(
                "the same at rest, looked at every 15 s: a core's time", await busy(pid, REST_SECONDS), "%", 5
            ),
            Row("the same: memory", resident(pid), "MB"),
        ]  # fmt: skip


async def _beside(workshop: Workshop, url: str) -> list[Row]:
    times: dict[tuple[str, bool], list[float]] = {}
    with _silent() as port:
        hang = f'[[pool]]\nname = "silent"\ncollector = "127.0.0.1:{port}"\nevery = 2\ndeadline = 2\n'
        async with workshop.fleet(FLEET) as fleet, contextlib.AsyncExitStack() as stack:
            hosts = {fleet.host.name: fleet.uri}
            well = await stack.enter_async_context(_serving(workshop, hosts, _toml(url, f'"{REGION}"')))
            ill = await stack.enter_async_context(
                _serving(workshop, hosts, _toml(url, f'"{REGION}", "{HUNG}"') + hang)
            )
            for site in (well, ill):
                await _whole(site, COUNT + FLEET)
            await asyncio.sleep(SETTLE_SECONDS / 2)
            for _ in range(ROUNDS):
                for site in (well, ill):
                    for name, seconds in await _ask(site):
                        times.setdefault((name, site is ill), []).append(seconds)
    return [
        at_most_times(
            f"{name}, beside a region and a collector that hang", median(times[name, True]), "ms",
            "without them", median(times[name, False]), 1.1,
        )
        for name, bad in times if bad
    ]  # fmt: skip


async def _ask(site: Bench) -> list[tuple[str, float]]:
    """Milliseconds of each tree's answers to one who comes new to it, on an open connection."""
    out = []
    async with await site.ada.link() as link:
        for _ in range(ASKED):
            begin = time.perf_counter()
            await link.call("node.list", cluster=CLUSTER)
            out.append(("a cluster's nodes", (time.perf_counter() - begin) * 1000))
            begin, store = time.perf_counter(), Store()
            async with contextlib.aclosing(link.watch()) as frames:
                async for frame in frames:
                    store.apply(frame)
                    if store.complete:
                        break
            out.append(("hosts and instances", (time.perf_counter() - begin) * 1000))
            begin, store = time.perf_counter(), Store()
            async with contextlib.aclosing(link.watch(also="machines")) as frames:
                async for frame in frames:
                    store.apply(frame)
                    if store.complete:
                        break
            out.append(("slots", (time.perf_counter() - begin) * 1000))
            await asyncio.sleep(0.1)
    return out


@contextmanager
def _silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener.getsockname()[1]
