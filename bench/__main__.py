"""`python -m bench`: runs the measurements and prints one table."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench import table
from bench.result import Row
from bench.workshop import Workshop, quiet_libvirt

PARTS = {
    "trip": "a signed request's round trip",
    "cold": "`pilot nodes --json` from nothing",
    "change": "a state change on its way to a client, among 1,000 nodes and 20 watchers",
    "burst": "200 nodes turned on by one message",
    "echo": "a key's echo on a real VM's console",
    "journal": "records made durable",
    "demo": "the demo's second start",
    "engine": "the terminal engine of console tabs",
    "screen": "a key at a VM's screen (VNC) in the app",
    "panic": "a kernel's panic as text, from a cold process",
    "thumbnails": "the screens of 100 real VMs looked at, and other verbs meanwhile",
    "text_decode": "text read from the pixels of a screen",
    "vnc_decode": "whole screens taken from a VNC server",
    "rows": "the table of nodes: filled, sorted, filtered, and keys while rows change",
    "attach": "a console of 1 MiB of history opened: the right screen, and the lines above it",
    "flood": "a key's echo while another console is flooded",
    "held": "1,000 consoles held while nothing happens",
    "terminal": "a guest that floods its console in the app",
    "slots": "100,000 slots of a real HTCondor pool, read",
    "instances": "2,000 EC2 instances, and trees beside a region and a collector that hang",
    "hosts": "100 hosts of 100 nodes each: seen whole, at rest, asked",
    "trees": "the app's trees with 10,000 nodes: first frame, keys while 500 of them a second change",
    "soak": "an hour in which 1,000 nodes change: memory",
    "cockpit": "the full-screen app: starts, 10,000 nodes, keys, at rest",
}

SLOW = frozenset({"held", "slots", "instances", "hosts", "trees", "soak"})
"""Parts that take minutes and most of the machine: measured only if they are named."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; 0 whatever the figures are, since a slow machine is no error; 1 if a part could not run."""
    parser = argparse.ArgumentParser(
        "python -m bench",
        description="Measure, beside what is compared with.",
        epilog="parts: " + "; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"only these parts; all but {', '.join(SLOW)} if none is named",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="put the table into this document, too, where these very parts have their place",
    )
    parser.add_argument(
        "--disk", type=Path, default=Path("/var/tmp"), help="folder whose disk the journal is measured on"
    )
    args = parser.parse_args(argv)
    if unknown := [name for name in args.parts if name not in PARTS]:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    # Debug mode makes asyncio several times slower; airboss would inherit it.
    for variable in ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE"):
        os.environ.pop(variable, None)
    quiet_libvirt()
    rows, notes, failed = asyncio.run(
        _run(args.parts or [name for name in PARTS if name not in SLOW], args.disk)
    )
    print(table.render(rows))
    print(f"On {table.machine()}.", *(f"- {note}" for note in notes), sep="\n")
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    elif args.write:
        table.write(args.write, rows, notes, args.parts)
    return 1 if failed else 0


async def _run(parts: Sequence[str], disk: Path) -> tuple[list[Row], list[str], list[str]]:
    """Rows and notes of the parts, and the parts that failed; one that does leaves the others alone."""
    rows, failed = list[Row](), list[str]()
    async with Workshop(disk) as workshop:
        for name in parts:
            begin = time.monotonic()
            print(f"{name}: {PARTS[name]}", file=sys.stderr, flush=True)
            try:
                rows += await importlib.import_module(f"bench.{name}").measure(workshop)
            except Exception:
                traceback.print_exc()
                failed.append(name)
            workshop.say(f"{time.monotonic() - begin:.0f} s")
        return rows, workshop.notes, failed


if __name__ == "__main__":
    sys.exit(main())
