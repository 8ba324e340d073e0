"""100,000 slots in a real collector: from the question to records, what airboss's loop notices of it, and a
key's echo on a real VM meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench import slots_echo
from bench.result import Row, below, median
from bench.workshop import Workshop
from pilot.agent.inventory import Inventory
from pilot.backends.condor.process import environment
from pilot.backends.condor.provider import CondorPools, PoolSettings
from pilot.backends.provider import Extra, Used
from pilot.records import Machine, Source
from tests.support.condor_pool import CondorPool

MACHINES, SLOTS = 2_000, 50
_DEADLINE = 120.0


class _Sink(Inventory):
    """The inventory, that says when a pool is up."""

    def __init__(self) -> None:
        super().__init__()
        self.up = asyncio.Event()

    def extras(self, records: Iterable[Extra]) -> None:
        some = list(records)
        super().extras(some)
        if any(isinstance(record, Source) and record.state == "up" for record in some):
            self.up.set()

    def usage(self, used: Mapping[str, Used]) -> None:
        """Pools tell of none."""

    async def starting(self, node_id: str) -> None:
        """No node of theirs starts."""


async def measure(workshop: Workshop) -> list[Row]:
    """Fill a collector, then look at it as airboss does."""
    folder = Path(tempfile.mkdtemp(prefix="rp-slots-", dir="/tmp"))
    pool: CondorPool | None = None
    try:
        pool = await asyncio.to_thread(CondorPool, folder)
        bases = await asyncio.to_thread(_bases, pool)
        await _fill(workshop, pool, bases)
        return [*await _look(workshop, pool), *await slots_echo.measure(workshop, pool)]
    finally:
        if pool is not None:
            await asyncio.to_thread(pool.close)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _bases(pool: CondorPool) -> str:
    pool.add("compute-0-0", 10)
    pool.wait(1)
    pool.submit(3600)
    pool.wait(1, 'State == "Claimed"')
    text = pool.run("condor_status", "-long")
    pool.end("compute-0-0")
    # It would take all slots' ads every few seconds, and 2 GB of memory.
    pool.run("condor_off", "-negotiator")
    return text


async def _fill(workshop: Workshop, pool: CondorPool, bases: str) -> None:
    token = await asyncio.to_thread(pool.token, "nobody", "ADVERTISE_STARTD", "READ")
    tokens = pool.folder / "tokens"
    tokens.mkdir(mode=0o700)
    (tokens / "nobody").write_bytes(token.read_bytes())
    (tokens / "nobody").chmod(0o600)
    settings = PoolSettings("bench", collector=pool.address, token=str(token))
    filler = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.slots_filler", pool.address, str(MACHINES), str(SLOTS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=environment(settings, tokens, str(token)),
    )  # fmt: skip
    out, _ = await asyncio.wait_for(filler.communicate(bases.encode()), _DEADLINE)
    workshop.say(f"{MACHINES * SLOTS:,} slots advertised in {float(out):.1f} s")


async def _look(workshop: Workshop, pool: CondorPool) -> list[Row]:
    token = await asyncio.to_thread(pool.token, "pilot", "READ")
    whole, again, longest = list[float](), list[float](), list[float]()
    for _ in range(3):
        sink = _Sink()
        pools = CondorPools([PoolSettings("bench", collector=pool.address, token=str(token), every=3600)])
        ticking = asyncio.create_task(_longest())
        begun = time.monotonic()
        await pools.start(sink)
        await asyncio.wait_for(sink.up.wait(), _DEADLINE)
        whole.append(time.monotonic() - begun)
        workshop.say(f"{whole[-1]:.2f} s")
        found = sum(len(r.slots) for r in sink.records.values() if isinstance(r, Machine))
        if found < MACHINES * (SLOTS - 1):
            raise RuntimeError(f"only {found} slots of {MACHINES * (SLOTS - 1)} came")
        memory = _memory(pools.watch("bench").pid)
        sink.up.clear()
        begun = time.monotonic()
        pools.watch("bench").poke()
        await asyncio.wait_for(sink.up.wait(), _DEADLINE)
        again.append(time.monotonic() - begun)
        ticking.cancel()
        longest.append(await ticking)
        await pools.stop()
    workshop.notes.append(f"slots: the process that asks for 100,000 slots takes {memory:.0f} MB at most.")
    return [
        below("100,000 slots: from the question to machines in the inventory", median(whole), "s", 5),
        Row("the same again, when nothing has changed", median(again), "s"),
        below("airboss's loop meanwhile: busy with it at a time, at most", max(longest) * 1000, "ms", 20),
    ]


async def _longest() -> float:
    """How much processor time the loop's thread used between two of its turns at most, until cancelled.

    Processor time: what else runs on the machine is not the loop's fault.
    """
    longest = 0.0
    try:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - begun)
    except asyncio.CancelledError:
        return longest


def _memory(pid: int) -> float:
    """The most that a process has had, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
