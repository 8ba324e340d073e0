"""A thousand consoles that are held while nothing happens: what that takes of memory and processor."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import libvirt

from bench.conman import conman
from bench.result import Row, at_most
from bench.tiny import MIB, start_paused, tiny_xml
from bench.workshop import Workshop, node_plans
from pilot.demo.hypervisor import PrivateHost
from tests.support.waiting import until

NODES = 1000
HOSTS = 8
SPARE_MIB = 3000
"""Of the machine's memory that is left to everything else."""
SETTLE = 15.0
SECONDS = 120.0
"""Over which the processor's time is taken."""
ROUNDS = 2
"""Each with an airboss of its own."""
AT_ONCE = 2
"""Hosts that start QEMUs."""
HELD_SECONDS = 180.0
LIMIT_MB = 300
LIMIT_PERCENT = 3


class Rest(NamedTuple):
    """What a process takes at rest."""

    percent: float
    """Of one processor."""
    resident: float
    """Megabytes."""
    share: float
    """Megabytes, of what it has in common with other processes its share (PSS)."""


async def measure(workshop: Workshop) -> list[Row]:
    """As many real QEMUs as there is memory for, NODES at most; airboss holds them all, then ConMan."""
    count = min(NODES, (_available_mib() - SPARE_MIB) // MIB)
    if count < HOSTS:
        raise RuntimeError(f"no memory for QEMUs: each takes about {MIB} MiB")
    plans = node_plans(count)
    async with AsyncExitStack() as stack:
        hosts = [
            PrivateHost(workshop.fresh("h") / "h", f"vm-container-0-{number}") for number in range(HOSTS)
        ]
        for host in hosts:
            stack.push_async_callback(asyncio.to_thread, host.clear)
            await asyncio.to_thread(host.start)
            await asyncio.to_thread(host.ask_capabilities)
        begin = time.monotonic()
        room = asyncio.Semaphore(AT_ONCE)

        async def fill(number: int) -> None:
            documents = [tiny_xml(plan) for plan in plans[number::HOSTS]]
            async with room:
                await asyncio.to_thread(start_paused, hosts[number], documents)

        await asyncio.gather(*map(fill, range(HOSTS)))
        workshop.say(f"{count} QEMUs after {time.monotonic() - begin:.0f} s")
        ptys = await asyncio.to_thread(_ptys, hosts)
        assert len(ptys) == count
        ours = [await _airboss(workshop, hosts, count) for _ in range(ROUNDS)]
        folder = workshop.fresh("c")
        async with conman(folder, *ptys) as daemon:
            theirs = await _at_rest(daemon.pid)
            assert _opened_by([daemon.pid]) == count
    each = "; ".join(f"{one.percent:.2f} %, {one.resident:.0f} MB, PSS {one.share:.0f} MB" for one in ours)
    workshop.notes.append(
        f"Held consoles: {count:,} QEMUs, paused before their first instruction, on {HOSTS} private "
        "libvirtds. airboss holds them all, with logs and all else as it is by default; nobody is connected. "
        "Then ConMan holds the QEMUs' ptys itself, with a log of each. Resident memory of the one process; "
        f"its processor time over {SECONDS:.0f} s, {SETTLE:.0f} s after the last was taken; the worse of "
        f"{ROUNDS} airbosses: {each}. ConMan's PSS {theirs.share:.0f} MB."
    )
    worst_memory, worst_time = max(one.resident for one in ours), max(one.percent for one in ours)
    what = f"airboss, {count:,} held consoles, idle"
    return [
        at_most(f"{what}: memory", worst_memory, "MB", LIMIT_MB, "ConMan's daemon", theirs.resident),
        at_most(f"{what}: processor", worst_time, "%", LIMIT_PERCENT, "ConMan's daemon", theirs.percent),
    ]


async def _airboss(workshop: Workshop, hosts: Sequence[PrivateHost], count: int) -> Rest:
    """An airboss that holds all consoles of the hosts."""
    async with workshop.site({host.name: host.uri for host in hosts}, count) as site:

        def held() -> bool:
            return _opened_by([host.pid for host in hosts]) == count

        assert site.airboss.process is not None
        begin = time.monotonic()
        await until(held, HELD_SECONDS, "airboss holds all consoles")
        workshop.say(f"all held after {time.monotonic() - begin:.0f} s more")
        rest = await _at_rest(site.airboss.process.pid)
        assert held()
        return rest


def _ptys(hosts: Sequence[PrivateHost]) -> list[str]:
    """The ptys of all serial lines, as libvirt names them."""
    found = []
    for host in hosts:
        connection = libvirt.open(host.uri)
        for domain in connection.listAllDomains():
            source = ET.fromstring(domain.XMLDesc()).find("devices/serial/source")
            assert source is not None
            found.append(source.attrib["path"])
        connection.close()
    return found


def _opened_by(pids: Sequence[int | None]) -> int:
    """How many ptys processes have opened: those of consoles, since these daemons have no terminal."""
    count = 0
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                count += link.readlink().parent == Path("/dev/pts")
    return count


async def _at_rest(pid: int) -> Rest:
    """What a process takes that has had time to settle."""
    await asyncio.sleep(SETTLE)
    before, begin = _processor_seconds(pid), time.monotonic()
    await asyncio.sleep(SECONDS)
    percent = 100 * (_processor_seconds(pid) - before) / (time.monotonic() - begin)
    resident = _field(Path(f"/proc/{pid}/status"), "VmRSS"), _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")
    return Rest(percent, *(size * 1024 / 1e6 for size in resident))


def _processor_seconds(pid: int) -> float:
    """Of all its threads so far (proc(5))."""
    fields = (
        Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _available_mib() -> int:
    return _field(Path("/proc/meminfo"), "MemAvailable") // 1024


def _field(path: Path, name: str) -> int:
    """KiB."""
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise RuntimeError(f"{path} has no {name}")
