"""`pilot nodes`: what there is, and how it is."""

from __future__ import annotations

import argparse
import asyncio
import time

from pilot.commands.context import Context
from pilot.errors import Exit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="NODE",
        help="names, MACs, UUIDs, ranges like compute-0-[0-9], globs; none for all",
    )


def run(args: argparse.Namespace) -> int:
    """List."""
    return asyncio.run(_run(Context(args), args.targets))


async def _run(context: Context, targets: list[str]) -> int:
    from pilot.commands import names
    from pilot.records import Node
    from pilot.render.nodes import in_order, node_table

    async with await context.connect() as link:
        cluster = context.cluster(link, needed=bool(targets))
        reply = await link.call("node.list", cluster, targets)
    nodes = in_order(record for record in reply.records if isinstance(record, Node))
    talk = context.talk
    if talk.json:
        from pilot.commands.as_json import node_json

        talk.data_json([node_json(node) for node in nodes])
    elif nodes:
        talk.data(node_table(nodes, time.time(), talk.out_colour))
    elif not targets:
        where = f"in {cluster}" if cluster else "in your clusters"
        talk.say(f"No node {where} yet. The site's admin puts VMs there: pilot-agent cluster adopt", "dim")
    if not targets:
        names.remember(context.config.state, context.site.name, nodes)
    for outcome in reply.outcomes:
        if outcome.fault is not None:
            talk.say(f"{outcome.target}: {outcome.fault.message}", "bad")
    if not reply.outcomes:
        return Exit.OK
    return Exit.FAILED if nodes else Exit.REFUSED
