"""`pilot hosts`: the hypervisors, how they are, how busy they are, and what is on them."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from pilot.commands.context import Context
from pilot.commands.looking import add_watch, look
from pilot.errors import RefusedError

if TYPE_CHECKING:
    from pilot.loads import Loads
    from pilot.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="only these; none for all")
    parser.add_argument(
        "--storage", action="store_true", help="storage pools and volumes instead, and who uses them"
    )
    add_watch(parser)


def run(args: argparse.Namespace) -> int:
    """Show them."""
    context = Context(args)

    def lines(store: Store, loads: Loads, now: float) -> list[str]:
        from pilot.render.hosts import Site, host_table, storage_table

        colour = context.talk.out_colour
        site = Site(store.records.values(), args.hosts)
        _check(args.hosts, site)
        if not site.hosts:
            context.talk.say("No host carries a node of yours, or the site has none.", "dim")
            return []
        if not args.storage:
            return host_table(site, loads, now, colour)
        if not any(site.pools.values()):
            context.talk.say("No storage pool is known; they are shown to the site's own people.", "dim")
            return []
        return storage_table(site, colour)

    def data(store: Store, loads: Loads, _now: float) -> list[dict[str, Any]]:
        from pilot.commands.as_json import host_json
        from pilot.render.hosts import Site

        site = Site(store.records.values(), args.hosts)
        _check(args.hosts, site)
        return [
            host_json(host, site.nodes[host.name], site.pools[host.name], loads.host(host.name), loads.step)
            for host in site.hosts
        ]

    return asyncio.run(look(context, "hosts", lines, data))


def _check(wanted: list[str], site: Any) -> None:
    known = {host.name for host in site.hosts}
    for name in wanted:
        if name not in known:
            raise RefusedError(
                f"there is no host '{name}', or none of your nodes is on it", "`pilot hosts` lists them."
            )
