"""`pilot slots`: HTCondor pools with their machines and slots, and who waits for some."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.commands.looking import add_watch, look
from pilot.errors import RefusedError

if TYPE_CHECKING:
    from pilot.loads import Loads
    from pilot.render.machines import Pools
    from pilot.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="pools, machines or nodes, or globs; none for all"
    )
    add_watch(parser)


def run(args: argparse.Namespace) -> int:
    """Show them."""
    context = Context(args)

    def pools(store: Store) -> Pools:
        from pilot.render.machines import Pools

        found = Pools(store.records.values(), args.names)
        if args.names and not found.names:
            raise RefusedError(
                f"no pool, machine or node in a pool is called {' or '.join(args.names)}, or none of yours",
                "`pilot slots` lists them.",
            )
        return found

    def lines(store: Store, _loads: Loads, now: float) -> list[str]:
        from pilot.render.machines import pool_lines

        found = pools(store)
        if not found.known:
            context.talk.say("No HTCondor pool. The site's admin names some in agent.toml: [[pool]]", "dim")
        return pool_lines(found, now, context.talk.out_colour)

    def data(store: Store, _loads: Loads, _now: float) -> list[dict[str, Any]]:
        from pilot.commands.as_json import pool_json

        found = pools(store)
        return [
            pool_json(name, found.sources.get(name), found.machines.get(name, []), found.queues)
            for name in found.names
        ]

    return asyncio.run(look(context, "", lines, data, also="machines"))
