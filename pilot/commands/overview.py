"""`pilot overview`: what needs attention now, worst first, with the command that mends it."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.commands.looking import add_watch, look

if TYPE_CHECKING:
    from pilot.loads import Loads
    from pilot.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_watch(parser)


def run(args: argparse.Namespace) -> int:
    """Show it."""
    return asyncio.run(_run(Context(args)))


async def _run(context: Context) -> int:
    flapped = await _flapped(context)

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
            one async for page in link.events(cluster, last=5000, follow=False) for one in page.happenings
        ]
    return flaps(happenings)
