"""`pilot nodes --json` from a cold process to its end, beside Python's share of it and virsh over SSH."""

from __future__ import annotations

import json
import os
import sys
import time

from bench.result import Row, at_most_times, median
from bench.sshd import sshd, virsh
from bench.workshop import Workshop, console_script, node_plans, run

NODES = 5
ROUNDS = 11


async def measure(workshop: Workshop) -> list[Row]:
    """Three commands in turns."""
    folder = workshop.fresh("s")
    async with (
        workshop.host(node_plans(NODES)) as host,
        workshop.site({host.name: host.uri}, NODES) as site,
        sshd(folder) as (options, address),
    ):
        ours = site.ada.environment
        commands: dict[str, tuple[list[str], dict[str, str]]] = {
            "pilot": ([*console_script("pilot"), "nodes", "--json"], ours),
            "asyncssh": ([sys.executable, "-c", "import asyncssh"], ours),
            "virsh": (virsh(folder, options, address, host.socket, "list", "--all"), dict(os.environ)),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):
            for name, (command, environment) in commands.items():
                begin = time.perf_counter()
                out = await run(command, environment)
                if number:  # the first round brings the files into the page cache
                    times[name].append((time.perf_counter() - begin) * 1000)
                elif name == "pilot":
                    assert len(json.loads(out)) == NODES, out
                elif name == "virsh":
                    assert out.count(b"vm-") == NODES, out
        textual = await run([sys.executable, "-c", _LOADED], ours)
    workshop.notes.append(
        f"`pilot nodes --json` imports {'Textual, which it must not' if b'yes' in textual else 'no Textual'}."
    )
    figure = median(times["pilot"])
    return [
        at_most_times(
            "`pilot nodes --json`, cold process",
            figure,
            "ms",
            "`python -c 'import asyncssh'`",
            median(times["asyncssh"]),
            1.5,
        ),
        Row(
            "the same",
            figure,
            "ms",
            "`virsh -c qemu+ssh://localhost/… list --all`",
            median(times["virsh"]),
        ),
    ]


_LOADED = """
import sys
from pilot.cli import main
main(["nodes", "--json"])
print("textual:", "yes" if "textual" in sys.modules else "no")
"""
