"""`pilot vnc`: a node's screen in a viewer of the user's own."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from pilot.commands.context import Context
from pilot.errors import Exit, PilotError, UsageError

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream
    from pilot.vnc.outside import Door, Viewer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("node", metavar="NODE", help="name, MAC or UUID")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--listen", metavar="ADDR:PORT", help="at this address of the loopback")
    where.add_argument(
        "--unix", metavar="PATH", help="at a unix socket of this name, which must not exist yet"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--print", action="store_true", help="start no viewer, print the address for one")
    how.add_argument("--viewer", metavar="CMD", help="start this one; {} in it stands for the address")
    parser.add_argument("--view-only", action="store_true", help="neither keys nor pointer reach the guest")
    parser.add_argument("--exclusive", action="store_true", help="nobody else sees it meanwhile")


def run(args: argparse.Namespace) -> int:
    """Relay until one side ends it."""
    from pilot.vnc import outside

    listen = outside.parse_listen(args.listen) if args.listen else None
    if args.print:
        viewer = None
    elif args.viewer:
        viewer = outside.named_viewer(args.viewer)
    else:
        viewer = outside.find_viewer(args.view_only)
    if viewer is not None and args.unix and viewer.takes != "unix":
        raise UsageError(f"{viewer.words[0]} takes no unix socket", "Leave out --unix.")
    return asyncio.run(_run(Context(args), viewer, listen))


async def _run(context: Context, viewer: Viewer | None, listen: tuple[str, int] | None) -> int:
    from pilot.vnc.outside import Door

    args = context.args
    async with await context.connect() as link:
        cluster = context.cluster(link, needed=True)
        mode = "watch" if args.view_only else "control"
        stream = await link.screen(args.node, cluster, mode, args.exclusive)
        takes = viewer.takes if viewer is not None and listen is None else "tcp"
        if viewer is not None and listen is not None and viewer.takes == "uri":
            takes = "uri"
        if viewer is None and not args.unix:
            takes = "uri"
        with Door(takes, listen=listen, unix=args.unix or "") as door:
            await _show(context, viewer, door, stream)
    if stream.why:
        raise PilotError(stream.why, "`pilot nodes` shows how its VM is.")
    return Exit.OK


async def _show(context: Context, viewer: Viewer | None, door: Door, stream: ScreenStream) -> None:
    from pilot.vnc import outside

    name = stream.attached.name
    stream.notices = lambda notice: None if notice.final else context.talk.say(notice.text, "dim")
    seconds = context.args.timeout or outside.ACCEPT_SECONDS
    if not stream.attached.controlling and not context.args.view_only:
        context.talk.say(f"you only watch {name}", "busy")
    if viewer is not None:
        context.talk.say(f"{name} in {viewer.words[0]}", "dim")
        await outside.show(viewer, door, stream, seconds)
        return
    if context.talk.json:
        context.talk.data_json({"node": name, "address": door.address})
    else:
        context.talk.data([door.address])
    context.talk.say(f"for one viewer of yours, within {seconds:g} s; no password", "dim")
    await outside.relay(await door.accept(seconds), stream)
