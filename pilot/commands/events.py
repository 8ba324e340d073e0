"""`pilot events`: what happened to nodes, hosts, instances and machines, whoever wanted it."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from pilot.commands.context import Context
from pilot.errors import DeadlineError, Exit, UnreachableError

if TYPE_CHECKING:
    from pilot.records import Happening

LAST = 100
MOST = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--last", type=_count, default=LAST, metavar="N", help=f"so many of the newest ({LAST})"
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what happens from now on")


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= MOST:
        raise argparse.ArgumentTypeError(f"from 0 to {MOST}")
    return count


def run(args: argparse.Namespace) -> int:
    """List or follow."""
    return asyncio.run(_run(Context(args), args))


async def _run(context: Context, args: argparse.Namespace) -> int:
    from pilot.link.backoff import Backoff
    from pilot.link.reconnect import again

    link = await context.connect()
    cluster = context.cluster(link, needed=False)
    backoff, last, shown = Backoff(), args.last, 0
    while True:
        try:
            async for page in link.events(cluster, last=last, follow=args.follow):
                backoff.reset()
                news = [one for one in page.happenings if one.number > shown]
                shown = max([shown, *(one.number for one in news)])
                _show(context, news)
        except (UnreachableError, DeadlineError) as error:
            if not args.follow:
                raise
            context.talk.say(f"{error.message}; trying again.", "busy")
        else:
            return Exit.OK
        finally:
            await link.close()
        # What happened meanwhile is told then.
        link, last = await again(context.connect, backoff), MOST


def _show(context: Context, happenings: list[Happening]) -> None:
    from pilot.render.happenings import plain_line

    if context.talk.json:
        for one in happenings:
            context.talk.data_json(msgspec.structs.asdict(one))
    elif happenings:
        now = time.time()
        context.talk.data([plain_line(one, now, context.talk.out_colour) for one in happenings])
