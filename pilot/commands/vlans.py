"""`pilot vlans`: VLANs, what carries them on which host, who is on them, and what is wrong."""

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
    """Show them."""
    context = Context(args)

    def lines(store: Store, loads: Loads, _now: float) -> list[str]:
        from pilot.faults import network_faults
        from pilot.render.vlans import vlan_table

        records = list(store.records.values())
        shown = vlan_table(records, network_faults(records), loads, context.talk.out_colour)
        if len(shown) == 1:
            context.talk.say("No network and no interface of a node is known.", "dim")
            return []
        return shown

    def data(store: Store, loads: Loads, _now: float) -> dict[str, Any]:
        from pilot.commands.as_json import vlans_json

        return vlans_json(list(store.records.values()), loads)

    return asyncio.run(look(context, "all", lines, data))
