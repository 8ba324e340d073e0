"""Many nodes turned on by one signed message, beside a `virsh start` for each on the same daemon."""

from __future__ import annotations

import asyncio
import time

import libvirt

from bench.result import Row, median, times_faster
from bench.workshop import CLUSTER, Workshop, run
from pilot.demo.fleet import Fleet
from pilot.link.link import Link
from pilot.records import Node
from tests.support.airboss import Person

NODES = 200
ROUNDS = 3
SIDE_BY_SIDE = 8


async def measure(workshop: Workshop) -> list[Row]:
    """One message, then the processes one after the other, then several at once; and again."""
    ours, one_by_one, at_once = [], [], []
    async with (
        workshop.fleet(NODES) as fleet,
        workshop.site({fleet.host.name: fleet.uri}, NODES) as site,
        await site.ada.link() as link,
    ):
        await _by_message(link)
        for _ in range(ROUNDS):
            await _all_off(fleet, site.ada)
            ours.append(await _by_message(link))
            await _all_off(fleet, site.ada)
            one_by_one.append(await _by_virsh(fleet, 1))
            await _all_off(fleet, site.ada)
            at_once.append(await _by_virsh(fleet, SIDE_BY_SIDE))
    figure = median(ours)
    return [
        times_faster(
            f"`power.on` of {NODES} nodes in one message",
            figure,
            "s",
            f"{NODES} x `virsh start`, one by one",
            median(one_by_one),
            10,
        ),
        Row("the same", figure, "s", f"{NODES} x `virsh start`, {SIDE_BY_SIDE} at once", median(at_once)),
    ]


async def _by_message(link: Link) -> float:
    """Until the reply with all outcomes and its receipt, which is checked."""
    begin = time.perf_counter()
    reply = await link.call("power.on", CLUSTER, ("@all",))
    took = time.perf_counter() - begin
    assert [outcome.result for outcome in reply.outcomes] == ["done"] * NODES, reply.outcomes
    return took


async def _by_virsh(fleet: Fleet, side_by_side: int) -> float:
    """Until the last process has ended."""
    names = iter([plan.domain for plan in fleet.plans])

    async def work() -> None:
        for name in names:
            await run(["virsh", "-q", "-c", fleet.uri, "start", name])

    begin = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(side_by_side)))
    return time.perf_counter() - begin


async def _all_off(fleet: Fleet, person: Person) -> None:
    """Turn all off by libvirt alone, and wait until airboss has seen it."""

    def destroy() -> None:
        connection = libvirt.open(fleet.uri)
        try:
            for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                domain.destroy()
        finally:
            connection.close()

    await asyncio.to_thread(destroy)
    off: set[str] = set()
    async with asyncio.timeout(30), await person.link() as link:
        async for frame in link.watch(CLUSTER):
            for record in getattr(frame, "records", ()) or getattr(frame, "changed", ()):
                if isinstance(record, Node):
                    (off.add if record.state == "off" else off.discard)(record.id)
            if len(off) == NODES:
                return
