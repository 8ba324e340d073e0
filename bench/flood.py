"""One console that is flooded and looked at, and a key's echo on another one of the same host meanwhile."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.keystrokes import Typist, over_a_link
from bench.result import Row, below, median, percentile
from bench.tiny import start_paused, tiny_xml
from bench.workshop import CLUSTER, ROOT, Bench, Workshop, node_plans
from pilot.demo import domains
from pilot.demo import guest as guest_module
from tests.support.vms import SerialLine, Vm

RATES = (100_000, 1_000_000, 10_000_000)
"""Bytes per second that are offered."""
ROUNDS = 3
KEYS = 100
"""Of each rate in a round."""
WARM = 20
SETTLE = 1.0
SECONDS = 30.0


async def measure(workshop: Workshop) -> list[Row]:
    """Without a flood and at each rate, in turns."""
    guest = domains.share(await asyncio.to_thread(guest_module.build), workshop.folder / "guest")
    quiet, loud = node_plans(2)
    times: dict[int, list[float]] = {rate: [] for rate in (0, *RATES)}
    taken: dict[int, list[float]] = {rate: [] for rate in (0, *RATES)}
    async with workshop.host([], guest) as host:
        await asyncio.to_thread(start_paused, host, [tiny_xml(loud)])
        vm = await asyncio.to_thread(Vm, host, guest, quiet)
        try:
            vm.start()
            async with SerialLine(vm.serial_path()) as line:
                await line.log_in(60)
                line.send(b"cat > /dev/null\r")
                await line.expect(b"null\r\n")
            async with (
                workshop.site({host.name: host.uri}, 2) as site,
                _onlooker(site, loud.name),
                _process("flood_source", str(host.qemu_pids()[loud.domain])) as source,
                await site.ada.link() as link,
                over_a_link(link, quiet.name) as typist,
            ):
                await typist.time_keys(WARM)
                for _ in range(ROUNDS):
                    for rate, each in times.items():
                        taken[rate].append(await _at(rate, source, typist, each) / 1e6)
        finally:
            vm.close()
    return _rows(workshop, times, {rate: median(each) for rate, each in taken.items()})


async def _at(rate: int, source: asyncio.subprocess.Process, typist: Typist, times: list[float]) -> float:
    """Time keys while the flood goes on; bytes per second of it that were taken."""
    await _ask(source, rate)
    await asyncio.sleep(SETTLE)
    await _ask(source, rate)
    begin = time.perf_counter()
    times += await typist.time_keys(KEYS)
    seconds = time.perf_counter() - begin
    return await _ask(source, 0) / seconds


async def _ask(source: asyncio.subprocess.Process, rate: int) -> int:
    assert source.stdin is not None
    assert source.stdout is not None
    source.stdin.write(f"{rate}\n".encode())
    async with asyncio.timeout(SECONDS):
        return int(await source.stdout.readline())


def _rows(workshop: Workshop, times: dict[int, list[float]], taken: dict[int, float]) -> list[Row]:
    tails = {rate: percentile(each, 95) for rate, each in times.items()}
    said = "; ".join(
        f"{rate / 1e6:g} MB/s offered, {taken[rate]:.1f} MB/s taken: p50 {median(times[rate]):.1f} ms, "
        f"p95 {tails[rate]:.1f} ms, slowest {max(times[rate]):.0f} ms"
        for rate in RATES
    )
    workshop.notes.append(
        f"Flood: {said}; without one p95 {tails[0]:.1f} ms. {ROUNDS * KEYS} keys each, over a link to a "
        "real VM. The flooded console is another one of the same host and cluster, so on the same connection "
        "to libvirt; a script writes to QEMU's pty, and somebody in another process looks at it."
    )
    top = RATES[-1]
    return [
        below(
            f"others' key echo, a console flooded with up to {top / 1e6:g} MB/s: p95",
            max(tails[rate] for rate in RATES),
            "ms",
            30,
            "without a flood",
            tails[0],
        )
    ]


@asynccontextmanager
async def _process(module: str, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A module of the bench as a process that has said it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.{module}", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            if not await process.stdout.readline():
                raise RuntimeError(f"bench.{module} ended at once")
        yield process
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _onlooker(site: Bench, node: str) -> AsyncIterator[None]:
    known: Path = site.config.known_hosts
    words = (str(site.ada.key), str(known), str(site.airboss.port), CLUSTER, node)
    async with _process("onlooker", *words):
        yield
