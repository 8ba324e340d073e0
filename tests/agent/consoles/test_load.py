"""How much and how fast: floods, echoes, and many consoles. asyncio's debug mode is off here."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import time
import tracemalloc

import pytest

from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Viewer
from pilot.wire import Notice, Output
from tests.agent.consoles.lines import Lines, Machine, longest_stall, node
from tests.agent.consoles.recordings import boot_log
from tests.support.waiting import until


@pytest.fixture
async def machine(hub: ConsoleHub, lines: Lines) -> Machine:
    """A node that is on."""
    asyncio.get_running_loop().set_debug(False)
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    return lines["a"]


class Drain:
    """Reads a viewer and keeps only how much came, and a digest of it."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.size = 0
        self.skipped = False
        self.digest = hashlib.blake2b()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.viewer:
            if isinstance(frame, Output):
                self.size += len(frame.data)
                self.digest.update(frame.data)
            elif isinstance(frame, Notice):
                self.skipped |= frame.what == "skipped"


async def test_a_hundred_viewers_of_a_flood_all_get_all_of_it(hub: ConsoleHub, machine: Machine) -> None:
    readers = [Drain(await hub.attach("a", f"viewer{n}", "watch", may_write=False)) for n in range(100)]
    flood = boot_log(60_000)
    with longest_stall() as stall:
        started = time.perf_counter()
        await machine.print(flood)
        ring = hub._consoles["a"].ring
        await until(lambda: ring.end > len(flood), 30)
        await until(lambda: all(one.size >= ring.end or one.skipped for one in readers), 30)
        seconds = time.perf_counter() - started
    print(
        f"\n{len(flood) / 1e6:.1f} MB to 100 viewers: {seconds:.2f} s, longest stall {stall[0] * 1e3:.0f} ms"
    )
    assert len({one.digest.digest() for one in readers}) == 1
    for one in readers:
        one.viewer.close()
    assert not any(one.skipped for one in readers)
    assert stall[0] < 1


async def _output(viewer: Viewer) -> bytes:
    """What was printed, in the next frames in which there is anything of that."""
    while True:
        frames = await viewer.next_frames()
        if output := b"".join(frame.data for frame in frames if isinstance(frame, Output)):
            return output


FLOODS = {
    "a boot log": boot_log(20_000),
    "shifts": b"\x0e\x0f" * 400_000,
    "private modes": b"\x1b[?1h\x1b[?1l" * 80_000,
    "saved cursors": b"\x1b7a\x1b8b" * 130_000,
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_on_one_console_does_not_starve_another(
    hub: ConsoleHub, machine: Machine, lines: Lines, name: str
) -> None:
    lines["b"].power_on()
    await hub.hold("b")
    hub.node_changed(node("on", "b"))
    readers = [Drain(await hub.attach("a", f"viewer{n}", "watch", may_write=False)) for n in range(10)]
    echo = await hub.attach("b", "ann", "write", may_write=True)
    await _output(echo)

    async def flood() -> None:
        while True:
            await machine.print(FLOODS[name])

    flooding = asyncio.create_task(flood())
    times = []
    for _ in range(200):
        started = time.perf_counter()
        await lines["b"].print(b"x")
        await _output(echo)
        times.append(time.perf_counter() - started)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    times.sort()
    print(
        f"\necho beside a flood of {name}: p50 {times[100] * 1e3:.2f} ms, p95 {times[190] * 1e3:.2f} ms,"
        f" p99 {times[198] * 1e3:.2f} ms; {readers[0].size / sum(times) / 1e6:.1f} MB/s"
    )
    for one in readers:
        one.viewer.close()
    assert readers[0].size > 200_000


async def test_a_key_comes_back_at_once(hub: ConsoleHub, machine: Machine) -> None:
    ann = await hub.attach("a", "ann", "write", may_write=True)
    await _output(ann)
    times = []
    for _ in range(300):
        started = time.perf_counter()
        await ann.write(b"k")
        await machine.print(await machine.typed(1))
        assert await _output(ann) == b"k"
        times.append(time.perf_counter() - started)
    times.sort()
    print(f"\nkey echo through the hub: p50 {times[150] * 1e6:.0f} us, p99 {times[297] * 1e6:.0f} us")


async def test_a_thousand_idle_consoles(hub: ConsoleHub, lines: Lines) -> None:
    asyncio.get_running_loop().set_debug(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    for number in range(1000):
        lines[str(number)].power_on()
    log = boot_log(100)
    tracemalloc.start()
    started = time.perf_counter()
    for number in range(1000):
        hub.node_changed(node("on", str(number)))
    await until(lambda: all(machine.held for machine in lines.machines.values()), 30)
    seconds = time.perf_counter() - started
    for machine in lines.machines.values():
        await machine.print(log)
    await until(lambda: all(hub._consoles[i].ring.end > len(log) for i in lines.machines), 30)
    used = tracemalloc.get_traced_memory()[0] / 1000
    tracemalloc.stop()
    print(f"\n{used:,.0f} bytes a console that printed {len(log):,}; 1,000 held in {seconds:.2f} s")
    assert used < len(log) + 20_000
