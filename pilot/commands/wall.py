"""`pilot wall`: one look at the screens of many nodes, side by side."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from typing import TYPE_CHECKING

from pilot.commands.context import Context
from pilot.errors import Exit, PilotError, UsageError

if TYPE_CHECKING:
    from pilot.link.link import Link
    from pilot.records import Node
    from pilot.vnc.thumbnail import Seen

LOOK_SECONDS = 5.0
"""For one node: an answer, and its picture."""
WIDTH = 100
"""Columns of what is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("targets", nargs="*", metavar="NODE", help="names, ranges, globs; none for all")
    parser.add_argument("--watch", action="store_true", help="in the full-screen app, and go on")
    parser.add_argument("--columns", type=_count, metavar="N", help="so many side by side")
    parser.add_argument("--lines", type=_count, default=6, metavar="N", help="so many lines of each (6)")


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 200:
        raise argparse.ArgumentTypeError("from 1 to 200")
    return count


def run(args: argparse.Namespace) -> int:
    """Look once, or open the app on it."""
    if args.watch:
        if args.targets or args.json:
            raise UsageError(
                "--watch takes no nodes and no --json", "Mark or filter them in the app, then W."
            )
        from pilot.commands import app

        return app.run(args, "wall")
    return asyncio.run(_run(Context(args), args.targets))


async def _run(context: Context, targets: list[str]) -> int:
    from pilot.records import Node
    from pilot.render.nodes import in_order

    # While the connection is made, a thread loads what works on pixels.
    loading = asyncio.get_running_loop().run_in_executor(None, _load)
    async with await context.connect() as link:
        cluster = context.cluster(link, needed=bool(targets))
        reply = await link.call("node.list", cluster, targets)
        nodes = in_order(record for record in reply.records if isinstance(record, Node))
        await loading
        seen = await look_at(link, nodes, context.args.lines)
    _tell(context, nodes, seen)
    for outcome in reply.outcomes:
        if outcome.fault is not None:
            context.talk.say(f"{outcome.target}: {outcome.fault.message}", "bad")
    return Exit.OK if nodes else Exit.FAILED


def _load() -> None:
    from pilot.live import wall  # noqa: F401
    from pilot.vnc import look  # noqa: F401


async def look_at(link: Link, nodes: list[Node], lines: int) -> list[Seen]:
    """What stands on their screens now, so many at once as the wall has; None of it stays open."""
    from pilot.live import wall
    from pilot.vnc.text import Fonts

    # Some are empty at first, and waited for: meanwhile others are opened.
    turns, opening, fonts = asyncio.Semaphore(wall.MOST), asyncio.Semaphore(wall.AT_ONCE), Fonts.built_in()

    async def one(node: Node) -> Seen:
        async with turns:
            return await _look(link, node, fonts, lines, opening)

    return list(await asyncio.gather(*map(one, nodes)))


async def _look(link: Link, node: Node, fonts: object, lines: int, opening: asyncio.Semaphore) -> Seen:
    """One node's screen, or the last of its console."""
    from pilot.live.wall_tile import last_words, source
    from pilot.vnc.drawing import ALL, READ
    from pilot.vnc.look import Looking
    from pilot.vnc.text import Fonts, TextRenderer
    from pilot.vnc.thumbnail import Seen, shrunk

    assert isinstance(fonts, Fonts)
    if node.hung_ms is not None:
        return Seen((), "it hangs: it is asked nothing")
    kind = source(node)
    try:
        if kind == "screen":
            async with opening:
                stream = await link.screen(node.id, node.cluster, "watch")
            async with Looking(stream, LOOK_SECONDS) as look:
                screen = await look.whole()
            frame = TextRenderer(fonts).draw(screen, (), ALL)
            if frame is not None and (frame.quality or 0.0) >= READ:
                return Seen(tuple(shrunk(frame, lines)), live=True)
            return Seen((), f"a picture of {screen.width} by {screen.height} pixels", live=True)
        if kind in ("serial", "words"):

            def log(node_id: str, cluster: str, last: int):  # type: ignore[no-untyped-def]
                return link.log(node_id, cluster, last=last)

            words, moment = await last_words(node, log)
            return Seen.of_words(words[-lines:], moment)
    except PilotError as error:
        return Seen((), error.message)
    return Seen((), "no screen, no serial console")


def _tell(context: Context, nodes: list[Node], seen: list[Seen]) -> None:
    from pilot.vnc.thumbnail import grid, plain_text

    talk, now = context.talk, time.time()
    if talk.json:
        talk.data_json(
            [
                {
                    "node": node.name,
                    "state": node.state,
                    "live": one.live,
                    "time": now if one.live else one.time,
                    "lines": plain_text(one.lines),
                    "why": one.why,
                }
                for node, one in zip(nodes, seen, strict=True)
            ]
        )
        return
    room = shutil.get_terminal_size((WIDTH, 0)).columns
    across = context.args.columns or max(1, (room + 2) // 40)
    talk.data(grid(nodes, seen, across, room, context.args.lines, now, talk.out_colour))
