"""A key's echo on the serial console of a real VM: through airboss, virsh and ConMan, in turns on one VM."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence

from bench.conman import conman
from bench.keystrokes import PACE, on_a_pty, over_a_link, time_keys
from bench.result import Row, at_most_times, median, percentile
from bench.workshop import Bench, Workshop, console_script, node_plans
from pilot.demo import domains
from pilot.demo import guest as guest_module
from tests.support.vms import SerialLine, Vm

ROUNDS = 4
KEYS = 40
"""Keys of each kind in a round."""
WARM = 10


async def measure(workshop: Workshop) -> list[Row]:
    """Only one may hold a console: each has it in turn, airboss being stopped and started in between."""
    guest = domains.share(await asyncio.to_thread(guest_module.build), workshop.folder / "guest")
    (plan,) = node_plans(1)
    async with workshop.host([], guest) as host:
        vm = await asyncio.to_thread(Vm, host, guest, plan)
        try:
            vm.start()
            async with SerialLine(vm.serial_path()) as line:
                await line.log_in(60)
                line.send(b"cat > /dev/null\r")  # now the guest's kernel echoes, and nothing else answers
                await line.expect(b"null\r\n")
            virsh = ["virsh", "-c", host.uri, "console", plan.domain]
            times: dict[str, list[float]] = {name: [] for name in ("link", "pilot", "virsh", "conman")}
            async with workshop.site({host.name: host.uri}, 1) as site:
                for number in range(ROUNDS):
                    if number:
                        await site.airboss.start()
                    await _airboss(site, plan.name, times)
                    await site.airboss.stop()
                    times["virsh"] += await asyncio.to_thread(_on_pty, virsh, os.environ, b"\x1d")
                    async with conman(workshop.fresh("c"), vm.serial_path()) as client:
                        times["conman"] += await asyncio.to_thread(_on_pty, client, os.environ, b"&.")
        finally:
            vm.close()
    workshop.notes.append(
        f"Key echo: {ROUNDS * KEYS} keys each, {PACE * 1000:.0f} ms after the echo of the one before; p95: "
        f"Link {percentile(times['link'], 95):.2f}, pilot {percentile(times['pilot'], 95):.2f}, virsh "
        f"{percentile(times['virsh'], 95):.2f}, ConMan {percentile(times['conman'], 95):.2f} ms. The VM runs "
        f"under {guest.accelerator.upper()}. ConMan reads the VM's pty itself, without libvirt in between."
    )
    mid = {name: median(values) for name, values in times.items()}
    beside = "`virsh console`"
    return [
        at_most_times("key echo through airboss, over a Link", mid["link"], "ms", beside, mid["virsh"], 1.3),
        at_most_times("key echo in `pilot console`", mid["pilot"], "ms", beside, mid["virsh"], 1.3),
        Row("the same", mid["pilot"], "ms", "ConMan's client and daemon", mid["conman"]),
    ]


async def _airboss(site: Bench, node: str, times: dict[str, list[float]]) -> None:
    async with await site.ada.link() as link, over_a_link(link, node) as type_keys:
        await type_keys(WARM)
        times["link"] += await type_keys(KEYS)
    command = [*console_script("pilot"), "console", node]
    times["pilot"] += await asyncio.to_thread(_on_pty, command, site.ada.environment, b"\x1d")


def _on_pty(command: Sequence[str], environment: Mapping[str, str], leave: bytes) -> list[float]:
    with on_a_pty(command, environment, leave) as terminal:
        time_keys(terminal, WARM)
        return time_keys(terminal, KEYS)
