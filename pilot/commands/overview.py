"""`pilot overview`: what needs attention now, worst first, with the command that mends it."""

from __future__ import annotations

import argparse
import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.commands.looking import add_watch, look

MOST = 5000
"""Happenings that are looked through for nodes that go on and off."""

if TYPE_CHECKING:
    from pilot.loads import Loads
    from pilot.records import Happening
    from pilot.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_watch(parser)


def run(args: argparse.Namespace) -> int:
    """Show it."""
    return asyncio.run(_run(Context(args)))


async def _run(context: Context) -> int:
    flapped = await _flapped(context)
    following = asyncio.create_task(_follow(context, flapped)) if context.args.watch else None
    try:
        return await _look(context, flapped)
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait((following,))


async def _look(context: Context, flapped: Mapping[str, list[float]]) -> int:
    def lines(store: Store, _loads: Loads, now: float) -> list[str]:
        from pilot.attention import concerns
        from pilot.render.concerns import concern_table

        found = concerns(store.records, now, flapped)
        if not found:
            context.talk.say("Nothing needs attention.", "dim")
            return []
        return concern_table(found, store.records, now, context.talk.out_colour)

    def data(store: Store, _loads: Loads, now: float) -> list[dict[str, Any]]:
        from pilot.attention import concerns
        from pilot.commands.as_json import concern_json

        return [concern_json(one, store.records) for one in concerns(store.records, now, flapped)]

    return await look(context, "", lines, data, "machines")


async def _flapped(context: Context) -> dict[str, list[float]]:
    """Of each node: when it went on or off lately."""
    from pilot.attention import flaps

    async with await context.connect() as link:
        cluster = context.cluster(link, needed=False)
        happenings = [
            one async for page in link.events(cluster, last=MOST, follow=False) for one in page.happenings
        ]
    return flaps(happenings)


async def _follow(context: Context, flapped: dict[str, list[float]]) -> None:
    """Keep that up to date; what comes of a lost link is said where records are followed."""
    from pilot.attention import flaps
    from pilot.errors import DeadlineError, UnreachableError
    from pilot.link import reconnect
    from pilot.link.backoff import Backoff

    backoff = Backoff()
    while True:
        link = await reconnect.again(context.connect, backoff)
        known: deque[Happening] = deque(maxlen=MOST)
        try:
            async for page in link.events(context.cluster(link, needed=False), last=MOST):
                backoff.reset()
                known += page.happenings
                flapped.clear()
                flapped.update(flaps(known))
        except (UnreachableError, DeadlineError):
            continue
        finally:
            await link.close()
