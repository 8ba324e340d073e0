"""`pilot-agent cluster add|list|remove`."""

from __future__ import annotations

import argparse

from pilot.agent.admin.context import Context, put_json, put_table, say
from pilot.agent.admin.times import show_date
from pilot.agent.registry import read_clusters, read_signers
from pilot.errors import Exit


def add(args: argparse.Namespace) -> int:
    """Add a cluster, or set it anew."""
    with Context(args) as context:
        change = context.editor.add_cluster(args.name, args.vlan, args.protected)
        vlan = f"VLAN {args.vlan}" if args.vlan else "no VLAN"
        say(f"cluster {args.name} {change}: {vlan}, {'protected' if args.protected else 'not protected'}")
        if change == "added":
            say(f"  next: pilot-agent cluster adopt {args.name}, pilot-agent key add {args.name} FILE.pub")
        if context.json:
            put_json({"cluster": args.name, "change": change})
    return Exit.OK


def show(args: argparse.Namespace) -> int:
    """Print the clusters."""
    with Context(args) as context:
        with context.database.read() as connection:
            clusters, signers = read_clusters(connection), read_signers(connection)
        keys = {c.name: sum(entry.cluster == c.name for entry in signers) for c in clusters}
        if context.json:
            put_json(
                [
                    {
                        "name": c.name,
                        "vlan": c.vlan,
                        "protected": c.protected,
                        "keys": keys[c.name],
                        "added": c.added,
                        "added_by": c.added_by,
                    }
                    for c in clusters
                ]
            )
        else:
            rows = [
                (
                    c.name,
                    c.vlan or "-",
                    "yes" if c.protected else "no",
                    keys[c.name],
                    show_date(c.added),
                    c.added_by,
                )
                for c in clusters
            ]
            put_table(("CLUSTER", "VLAN", "PROTECTED", "KEYS", "ADDED", "BY"), rows)
    return Exit.OK


def remove(args: argparse.Namespace) -> int:
    """Remove a cluster."""
    with Context(args) as context:
        keys = context.editor.remove_cluster(args.name, args.keys)
        say(f"cluster {args.name} removed; keys removed with it: {keys}")
        say("  its VMs run on untouched and keep their tags; only site admins see them now")
        if context.json:
            put_json({"cluster": args.name, "change": "removed", "keys": keys})
    return Exit.OK
