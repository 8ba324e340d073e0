"""`pilot sites`: the sites that are known here."""

from __future__ import annotations

import argparse

import msgspec

from pilot.commands.context import config_of, talk_of
from pilot.errors import Exit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--default", metavar="NAME", help="the site that is meant when none is named")
    choice.add_argument("--forget", metavar="NAME", help="forget a site and its host key")


def run(args: argparse.Namespace) -> int:
    """List, choose or forget."""
    config, talk = config_of(args), talk_of(args)
    if args.default:
        config.set_default(args.default)
    elif args.forget:
        from pilot.link.trust import KnownHosts

        site = config.forget(args.forget)
        KnownHosts(config.known_hosts).forget(site.host, site.port)
        talk.say(f"{site.name} ({site.address}) and its host key are forgotten.")
        return Exit.OK
    sites = config.sites()
    if talk.json:
        talk.data_json(
            [{**msgspec.structs.asdict(s), "default": s.name == sites.default} for s in sites.site]
        )
    elif sites.site:
        from pilot.render.table import Cell, Column, table

        columns = [Column(title) for title in ("", "SITE", "ADDRESS", "CLUSTER", "USER", "KEY")]
        rows = [
            [
                Cell("✓" if site.name == sites.default else " "),
                Cell(site.name, "strong"),
                *(Cell(text) for text in (site.address, site.cluster, site.user, site.key)),
            ]
            for site in sites.site
        ]
        talk.data(table(columns, rows, talk.out_colour))
    else:
        talk.say("No site is known yet: `pilot login HOST` makes one known.", "dim")
    return Exit.OK
