"""`pilot instances`: EC2 instances, why they are as they are, and what they cost."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.commands.looking import add_watch, look
from pilot.errors import RefusedError

if TYPE_CHECKING:
    from pilot.loads import Loads
    from pilot.render.instances import Instances
    from pilot.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="names of nodes or regions, EC2's ids, or globs; none for all",
    )
    add_watch(parser)


def run(args: argparse.Namespace) -> int:
    """Show them."""
    context = Context(args)

    def instances(store: Store) -> Instances:
        from pilot.render.instances import Instances

        found = Instances(store.records.values(), args.names)
        if args.names and not found.shown:
            raise RefusedError(
                f"no EC2 instance is called {' or '.join(args.names)}, or none of yours",
                "`pilot instances` lists them.",
            )
        return found

    def lines(store: Store, _loads: Loads, now: float) -> list[str]:
        from pilot.render.instances import instance_lines

        found = instances(store)
        if not found.shown:
            context.talk.say(
                "No EC2 instance of yours. The site's admin names accounts in agent.toml: [[ec2]]; instances "
                "belong to the cluster that their tag names.",
                "dim",
            )
        return instance_lines(found, now, context.talk.out_colour)

    def data(store: Store, _loads: Loads, now: float) -> list[dict[str, Any]]:
        from pilot.commands.as_json import instance_json

        found = instances(store)
        return [instance_json(one, found.node(one), found.source(one), now) for one in found.shown]

    return asyncio.run(look(context, "", lines, data))
