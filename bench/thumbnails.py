"""The screens of 100 real VMs on a wall: how soon all are new, and what that does to other verbs."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import libvirt
import msgspec

from bench.result import Row, below, median, percentile
from bench.workshop import CLUSTER, ROOT, Bench, Workshop, node_plans, run
from pilot.commands.wall import look_at
from pilot.demo.guest import Guest
from pilot.link.link import Link
from pilot.records import Node
from pilot.vnc.thumbnail import Seen, plain_text

NODES = 100
MEMORY_MIB = 16
"""Enough for a BIOS that finds nothing to boot."""
ROUNDS = 8
EVERY = 3.0
"""Seconds from one look at all of them to the next."""
CALLS = 300
PAUSE = 0.02
READY_SECONDS = 200.0
LOOK_AGAIN_SECONDS = 10.0


async def measure(workshop: Workshop) -> list[Row]:
    """QEMUs that are paused with a BIOS's words on their screens, so that what they do costs nothing."""
    disk = workshop.fresh("g") / "empty.img"
    disk.write_bytes(bytes(1 << 20))
    disk.chmod(0o444)
    plans = [msgspec.structs.replace(plan, memory_mib=MEMORY_MIB) for plan in node_plans(NODES)]
    async with (
        workshop.host(plans, Guest(disk, "tcg")) as host,
        workshop.site({host.name: host.uri}, NODES) as site,
        await site.ada.link() as link,
    ):
        await asyncio.to_thread(_each, host.uri, "create")
        nodes = await _all_are(link, "on")
        # Somebody else's: so many screens in a minute are what one signer may open.
        waiting = await site.airboss.person("eve", CLUSTER)
        async with await waiting.link() as theirs:
            await _all_say_something(nodes, theirs)
        await asyncio.to_thread(_each, host.uri, "suspend")
        await _all_are(link, "paused")
        workshop.say(f"{NODES} VMs are there")
        alone = await _verbs(link)
        async with _on_wall(site) as wall:
            followed = await _verbs(link)
            rounds, anew = await _rounds(wall, link)
        alone += await _verbs(link)
        shell = await _shell(host.uri)
    workshop.notes.append(
        f"Thumbnails: {NODES} QEMUs of {MEMORY_MIB} MiB, paused when their BIOS had found nothing to boot; a "
        "wall in a process of its own that follows 40 of them at a time and decodes them as text. Slowest "
        f"of {len(rounds)} rounds: {max(rounds):.2f} s. p95 of the verb: alone {percentile(alone, 95):.1f} "
        f"ms, beside a wall {percentile(followed, 95):.1f} ms, beside one that looks at all every 3 s "
        f"{percentile(anew, 95):.1f} ms."
    )
    verb = "a verb (`node.list` of one node), p50"
    return [
        below(f"{NODES} thumbnails, all new", median(rounds), "s", 3, f"{NODES} x `virsh screenshot`", shell),
        _at_most_slower(f"{verb}, beside a wall of {NODES}", median(followed), median(alone)),
        _at_most_slower(f"{verb}, while all are looked at anew every 3 s", median(anew), median(alone)),
    ]


def _at_most_slower(what: str, figure: float, alone: float) -> Row:
    return Row(what, figure, "ms", "alone", alone, "<= 1.1x", figure <= 1.1 * alone)


def _each(uri: str, method: str) -> None:
    """Do something with each VM."""
    connection = libvirt.open(uri)
    try:
        for domain in connection.listAllDomains():
            getattr(domain, method)()
    finally:
        connection.close()


async def _all_are(link: Link, state: str) -> list[Node]:
    """Await that airboss knows it."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            reply = await link.call("node.list", CLUSTER)
            nodes = [record for record in reply.records if isinstance(record, Node)]
            if sum(node.state == state for node in nodes) == NODES:
                return nodes
            await asyncio.sleep(0.5)


async def _all_say_something(nodes: list[Node], link: Link) -> None:
    """Await that each BIOS has come to its end."""
    async with asyncio.timeout(READY_SECONDS):
        while nodes:
            seen = await look_at(link, nodes, 6)
            nodes = [node for node, one in zip(nodes, seen, strict=True) if not _has_ended(one)]
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _has_ended(seen: Seen) -> bool:
    return any("No bootable device" in line for line in plain_text(seen.lines))


async def _verbs(link: Link, until: asyncio.Event | None = None) -> list[float]:
    """Milliseconds of a verb, so often or until something has happened."""
    times = list[float]()
    while len(times) < CALLS if until is None else not until.is_set():
        begin = time.perf_counter()
        await link.call("node.list", CLUSTER, ("compute-0-0",))
        times.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(PAUSE)
    return times


async def _rounds(wall: Process, link: Link) -> tuple[list[float], list[float]]:
    """Let the wall look at all of them every few seconds; its seconds, and the verb's milliseconds."""
    over = asyncio.Event()
    verbs = asyncio.create_task(_verbs(link, over))
    assert wall.stdin is not None
    rounds = []
    for _ in range(ROUNDS):
        wall.stdin.write(b"\n")
        rounds.append(float(await _line(wall)))
        await asyncio.sleep(max(0.0, EVERY - rounds[-1]))
    over.set()
    return rounds, await verbs


@asynccontextmanager
async def _on_wall(site: Bench) -> AsyncIterator[Process]:
    """The wall, once it has drawn them all."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.onwall", str(site.ada.key), str(site.config.known_hosts)),
        *(str(site.airboss.port), CLUSTER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert int(await _line(process)) == NODES
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        return await process.stdout.readline()


async def _shell(uri: str) -> float:
    """Seconds of the pictures of all of them, as a shell's loop on the host takes them; from ten of them."""
    begin = time.perf_counter()
    for number in range(10):
        await run(["virsh", "-c", uri, "screenshot", f"vm-{number}", "/dev/null"])
    return (time.perf_counter() - begin) * NODES / 10
