"""A crashed node's last words: a kernel's panic as text from its screen, by a cold `pilot screen --text`.

Beside it what libvirt has: a picture of the same screen, which no `grep` reads.
"""

from __future__ import annotations

import asyncio
import os
import time

import libvirt

from bench.result import Row, at_least, below, median
from bench.sshd import sshd, virsh
from bench.workshop import Bench, Workshop, console_script, node_plans, run
from pilot.demo import domains
from pilot.demo import guest as guest_module
from tests.support import panic

ROUNDS = 11
SECONDS = "120"


async def measure(workshop: Workshop) -> list[Row]:
    """Two commands in turns, at a real guest whose kernel has panicked."""
    guest = await asyncio.to_thread(guest_module.build)
    guest = await asyncio.to_thread(domains.share, guest, workshop.fresh("g"))
    (plan,) = node_plans(1)
    folder = workshop.fresh("s")
    async with (
        workshop.host([plan], guest) as host,
        workshop.site({host.name: host.uri}, 1) as site,
        sshd(folder) as (options, address),
    ):
        connection = libvirt.open(host.uri)
        try:
            connection.lookupByName(plan.domain).create()
        finally:
            connection.close()
        await _pilot(site, "console", plan.name, "--since-boot", "--timeout", SECONDS, *panic.STEPS)
        log = await _pilot(site, "log", plan.name, "--boot", "--time", "none")
        shot = virsh(folder, options, address, host.socket, "screenshot", plan.domain, str(folder / "shot"))
        ours, beside, right, rows = list[float](), list[float](), 0, 0
        for number in range(ROUNDS + 1):
            begin = time.perf_counter()
            screen = await _pilot(site, "screen", plan.name, "--text")
            between = time.perf_counter()
            await run(shot, dict(os.environ))
            if not number:  # the first round brings the files into the page cache
                continue
            ours.append(between - begin)
            beside.append(time.perf_counter() - between)
            seen = panic.rows_of(screen)
            told = panic.wrapped(panic.printed(log))[-len(seen) :]
            rows += len(seen)
            right += sum(row == line for row, line in zip(seen, told, strict=True))
    workshop.notes.append(
        f"Panic: a kernel of a real guest (TCG, 720x400) that was told to crash; {len(seen)} rows of it are "
        "on its screen, and each is compared with what it printed on its serial console. Slowest look "
        f"{max(ours):.2f} s."
    )
    return [
        below(
            "a panic as text, cold `pilot screen --text`",
            median(ours),
            "s",
            1,
            "`virsh screenshot` over SSH: a picture",
            median(beside),
        ),
        at_least("the same: rows that are as on the serial console", 100 * right / rows, "%", 100),
    ]


async def _pilot(site: Bench, *words: str) -> str:
    """What a command of `pilot` prints."""
    return (await run([*console_script("pilot"), *words], site.ada.environment)).decode()
