"""`pilot login`: first contact with a site, and who one is there."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pilot.client_config import Site, parse_address
from pilot.commands.context import Context, config_of
from pilot.errors import Exit

if TYPE_CHECKING:
    from pilot.link.link import Link


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("address", nargs="?", metavar="HOST[:PORT]", help="the airboss, or a site's name")
    parser.add_argument("--name", metavar="NAME", help="what to call the site here (the host's first word)")
    parser.add_argument("--user", metavar="NAME", help="the SSH user name; certificates need their principal")
    parser.epilog = "With --key or --cluster, that key or cluster is meant at this site from then on."


def run(args: argparse.Namespace) -> int:
    """Connect, remember the site, tell."""
    context = Context(args, _site(args))
    return asyncio.run(_run(context))


def _site(args: argparse.Namespace) -> Site:
    config = config_of(args)
    wanted = args.address or args.site
    known = {site.name: site for site in config.sites().site}
    if not wanted:
        site = config.find(None)
    elif wanted in known:
        site = known[wanted]
    else:
        host, port = parse_address(wanted)
        site = next((s for s in known.values() if (s.host, s.port) == (host, port)), None) or Site(
            args.name or _free_name(host, known), host, port
        )
    changes = {
        "name": args.name or site.name,
        "user": args.user or site.user,
        "key": str(Path(args.key).expanduser().absolute()) if args.key else site.key,
        "cluster": args.cluster or site.cluster,
    }
    # Made anew rather than replaced field by field, so that the fields are checked.
    return Site(host=site.host, port=site.port, **changes)


def _free_name(host: str, known: dict[str, Site]) -> str:
    """The host's first word, or its address; with a number if that is another site's name already."""
    numeric = host.replace(".", "").isdecimal() or ":" in host
    name = host.replace(":", "-").strip("-") if numeric else host.split(".")[0]
    name = name or "site"
    candidates = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next(candidate for candidate in candidates if candidate not in known)


async def _run(context: Context) -> int:
    async with await context.connect() as link:
        context.config.remember(context.site)
        if context.talk.json:
            context.talk.data_json(
                {
                    "site": context.site.name,
                    "address": context.site.address,
                    "airboss": link.hello.airboss,
                    "airboss_site": link.hello.site,
                    "version": link.hello.version,
                    "principal": link.hello.principal,
                    "key": link.hello.key,
                    "grants": [msgspec.structs.asdict(grant) for grant in link.grants],
                    "verbs": link.hello.verbs,
                }
            )
        else:
            _tell(context, link)
    return Exit.OK


def _tell(context: Context, link: Link) -> None:
    from pilot.wire import plain

    hello, talk = link.hello, context.talk
    talk.data(
        [
            f"site       {plain(hello.site)} ({context.site.address}), known here as {context.site.name}",
            f"airboss    {hello.airboss}, version {plain(hello.version)}",
            f"you        {plain(hello.principal)}, by the key {hello.key} ({plain(link.signer.comment)})",
        ]
    )
    for grant in hello.grants:
        where = "the whole site" if grant.cluster == "*" else f"cluster {plain(grant.cluster)}"
        talk.data([f"           {grant.role} of {where}"])
    power = [verb.removeprefix("power.") for verb in hello.verbs if verb.startswith("power.")]
    if power:
        journal = "journal, " if "journal.read" in hello.verbs else ""
        talk.data([f"you may    see, watch, console, {journal}and power: {', '.join(map(plain, power))}"])
    else:
        talk.data(["you may    see and watch, consoles too"])
    default = context.config.sites().default
    if default != context.site.name:
        talk.say(f"The default site is still {default}: `pilot sites --default {context.site.name}`")
