"""`pilot lease`: airboss turns nodes off at a time, unless somebody renews that."""

from __future__ import annotations

import argparse
import asyncio
import time

from pilot.commands.context import Context
from pilot.commands.power import Power
from pilot.errors import Exit
from pilot.leasing import asked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "targets",
        nargs="+",
        metavar="NODE",
        help="names, MACs, UUIDs, ranges like compute-0-[0-9], globs, or @all",
    )
    parser.add_argument(
        "when",
        metavar="WHEN",
        help="19:00, 8h, 'tomorrow 8:00', 2026-11-24T08:00; renew: as long again; off: no lease any more",
    )


def run(args: argparse.Namespace) -> int:
    """Give, renew or end leases."""
    verb, given = asked(args.when, time.time())
    power = Power(Context(args), verb, given)
    try:
        return asyncio.run(power.run())
    except KeyboardInterrupt:
        power.interrupted()
        return Exit.INTERRUPTED
