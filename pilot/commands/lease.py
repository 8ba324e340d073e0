"""`pilot lease`: airboss turns nodes off at a time, unless somebody renews that."""

from __future__ import annotations

import argparse
import asyncio
import time

from pilot.commands.context import Context
from pilot.commands.power import Power
from pilot.commands.when import coming
from pilot.errors import Exit
from pilot.verbs import BY_ID, Value, Verb


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
        help="19:00, 2026-11-24T08:00, or +8h from now; renew: as long again; off: no lease any more",
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


def asked(when: str, now: float) -> tuple[Verb, dict[str, Value]]:
    """The verb that is meant, and what it is given.

    Raises:
        UsageError: it is no time to come.
    """
    if when == "off":
        return BY_ID["lease.cancel"], {}
    if when == "renew":
        return BY_ID["lease.renew"], BY_ID["lease.renew"].arguments({})
    verb = BY_ID["lease.set"]
    ends, seconds = coming(when, now)
    return verb, verb.arguments({"seconds": seconds} if seconds else {"ends": ends})
