"""A key's echo on the serial console of a real VM: through airboss, virsh and ConMan, in turns on one VM."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench.conman import conman
from bench.keystrokes import PACE, on_a_pty, over_a_link, time_keys
from bench.result import Row, at_most_times, median, percentile
from bench.sshd import sshd
from bench.workshop import Bench, Workshop, console_script, node_plans
from pilot.demo import domains
from pilot.demo import guest as guest_module
from tests.support.vms import SerialLine, Vm

ROUNDS = 4
KEYS = 40
"""Keys of each kind in a round."""
WARM = 10
LEAVE = b"\x1d"

Times = dict[str, list[float]]


async def measure(workshop: Workshop) -> list[Row]:
    """Only one may hold a console: each has it in turn, airboss being stopped and started in between."""
    guest = domains.share(await asyncio.to_thread(guest_module.build), workshop.folder / "guest")
    (plan,) = node_plans(1)
    times: Times = defaultdict(list)
    async with workshop.host([], guest) as host, sshd(workshop.fresh("s")) as (options, address):
        vm = await asyncio.to_thread(Vm, host, guest, plan)
        try:
            vm.start()
            async with SerialLine(vm.serial_path()) as line:
                await line.log_in(60)
                line.send(b"cat > /dev/null\r")  # now the guest's kernel echoes, and nothing else answers
                await line.expect(b"null\r\n")
            virsh = ["virsh", "-c", host.uri, "console", plan.domain]
            server, _, port = address.partition(":")
            over_ssh = ["ssh", *options, "-tt", "-e", "none", "-p", port, server, *virsh]
            async with workshop.site({host.name: host.uri}, 1) as site:
                for number in range(ROUNDS):
                    if number:
                        await site.airboss.start()
                        await site.await_nodes(1)
                    await _airboss(site, plan.name, times)
                    await site.airboss.stop()
                    await asyncio.to_thread(_on_a_pty, times, "virsh", virsh, os.environ, LEAVE)
                    await asyncio.to_thread(_on_a_pty, times, "ssh", over_ssh, os.environ, LEAVE)
                    async with conman(workshop.fresh("c"), vm.serial_path()) as daemon:
                        await asyncio.to_thread(_on_a_pty, times, "conman", daemon.client, os.environ, b"&.")
        finally:
            vm.close()
    tails = ", ".join(f"{name} {percentile(values, 95):.2f}" for name, values in times.items())
    workshop.notes.append(
        f"Key echo: {ROUNDS * KEYS} keys of each kind on one VM ({guest.accelerator.upper()}) whose kernel "
        f"echoes them; a pause of {PACE * 1000:.0f} ms after each echo unless said otherwise, since who "
        f"types pauses, and caches cool. p95 in ms: {tails}. ConMan reads the VM's pty itself."
    )
    return _rows({name: median(values) for name, values in times.items()})


def _rows(mid: dict[str, float]) -> list[Row]:
    link, pilot = "key echo through airboss, over a Link", "key echo in `pilot console`"
    hot, hot_virsh = mid["link, no pause"], mid["virsh, no pause"]
    virsh = "`virsh console` on the host"
    return [
        at_most_times(link, mid["link"], "ms", virsh, mid["virsh"], 1.3),
        at_most_times("the same, keys without a pause", hot, "ms", virsh, hot_virsh, 1.3),
        Row(pilot, mid["pilot"], "ms", virsh, mid["virsh"]),
        Row(pilot, mid["pilot"], "ms", "`ssh -t HOST virsh console`", mid["ssh"]),
        Row(pilot, mid["pilot"], "ms", "ConMan's client and daemon", mid["conman"]),
    ]


async def _airboss(site: Bench, node: str, times: Times) -> None:
    async with await site.ada.link() as link, over_a_link(link, node) as typist:
        await typist.time_keys(WARM)
        times["link"] += await typist.time_keys(KEYS)
        times["link, no pause"] += await typist.time_keys(KEYS, 0)
    command = [*console_script("pilot"), "console", node]
    await asyncio.to_thread(_on_a_pty, times, "pilot", command, site.ada.environment, LEAVE)


def _on_a_pty(
    times: Times, name: str, command: Sequence[str], environment: Mapping[str, str], leave: bytes
) -> None:
    with on_a_pty(command, environment, leave) as terminal:
        time_keys(terminal, WARM)
        times[name] += time_keys(terminal, KEYS)
        times[f"{name}, no pause"] += time_keys(terminal, KEYS, 0)
