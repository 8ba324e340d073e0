"""`pilot screen`: one look at a node's screen, as text or as a picture; a crashed node's last words."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pilot.commands.context import Context
from pilot.errors import BackendError, Exit, NotSeenError, PilotError, UsageError
from pilot.patterns import LINE, Compiled, compile_pattern

if TYPE_CHECKING:
    from pilot.link.link import Link
    from pilot.vnc.framebuffer import Framebuffer
    from pilot.vnc.look import Looking
    from pilot.vnc.text.decode import Decoder
    from pilot.vnc.text.screen import TextScreen

DRAW_SECONDS = 10.0
WAIT_SECONDS = 60.0
ENOUGH = 0.95
"""The part of a screen's cells that must be read for it to pass for text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("node", metavar="NODE", help="name, MAC or UUID")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--text", action="store_true", help="the text on it (this is what it does by itself)")
    form.add_argument("--ansi", action="store_true", help="the text, with its colours")
    form.add_argument(
        "--png", metavar="FILE", help="a picture of it (of an EC2 instance, too); - for standard output"
    )
    parser.add_argument(
        "--wait-for",
        metavar="REGEX",
        help=f"wait until it is found in a line of the screen; --timeout says how long ({WAIT_SECONDS:g})",
    )


def run(args: argparse.Namespace) -> int:
    """Look."""
    if args.png == "-" and sys.stdout.isatty():
        raise UsageError("a picture is nothing for a terminal", "Name a file: --png FILE.")
    if args.png and args.json:
        raise UsageError("--png and --json exclude each other", "--json has the text of each line.")
    pattern = compile_pattern(args.wait_for) if args.wait_for else None
    return asyncio.run(_run(Context(args), pattern))


async def _run(context: Context, pattern: Compiled | None) -> int:
    # While the connection is made, a thread loads what works on pixels.
    loading = asyncio.get_running_loop().run_in_executor(None, _load)
    async with await context.connect() as link:
        cluster = context.cluster(link, needed=True)
        if context.args.png and await _is_instance(link, cluster, context.args.node):
            await loading
            from pilot.vnc import jpeg

            _write(context, await jpeg.decoded(await link.picture(context.args.node, cluster)))
            return Exit.OK
        stream = await link.screen(context.args.node, cluster, "watch")
        looking, decoder = await loading
        async with looking(stream, DRAW_SECONDS) as look:
            screen = await look.whole()
            text = decoder.decode(screen.packed)
            if pattern is not None:
                text = await _await(context, look, decoder, pattern, text)
            name = stream.attached.name
            if context.args.png:
                _write(context, screen)
            elif text is None or text.hit_rate < ENOUGH:
                raise _picture(name, screen, text)
            else:
                _tell(context, name, screen, text)
    return Exit.OK


async def _is_instance(link: Link, cluster: str, name: str) -> bool:
    from pilot.records import Node

    reply = await link.call("node.list", cluster, (name,))
    found = [record for record in reply.records if isinstance(record, Node)]
    return len(found) == 1 and found[0].provider == "ec2"


def _load() -> tuple[type[Looking], Decoder]:
    from pilot.vnc.look import Looking
    from pilot.vnc.text.decode import Decoder
    from pilot.vnc.text.fonts import Fonts

    return Looking, Decoder(Fonts.built_in())


async def _await(
    context: Context, look: Looking, decoder: Decoder, pattern: Compiled, text: TextScreen | None
) -> TextScreen:
    """Look again at each change until the pattern is found in a line."""
    seconds = context.args.timeout or WAIT_SECONDS
    try:
        async with asyncio.timeout(seconds):
            while text is None or not _found(pattern, text):
                screen = await look.changed()
                text = decoder.decode(screen.packed)
    except TimeoutError:
        raise NotSeenError(
            f"'{context.args.wait_for}' was not on the screen within {seconds:g} s",
            "`pilot screen NODE` shows what is; --timeout waits longer.",
        ) from None
    return text


def _found(pattern: Compiled, text: TextScreen) -> bool:
    """Whether it is in a line; of one longer than what a pattern is good for, in a piece of it."""
    lines = (text.text(row) for row in range(text.rows))
    pieces = (line[at : at + LINE] for line in lines for at in range(0, max(len(line), 1), LINE // 2))
    return any(pattern.pattern.search(piece) for piece in pieces)


def _tell(context: Context, name: str, screen: Framebuffer, text: TextScreen) -> None:
    if context.talk.json:
        cursor = text.cursor
        context.talk.data_json(
            {
                "node": name,
                "columns": text.columns,
                "rows": text.rows,
                "width": screen.width,
                "height": screen.height,
                "read": round(text.hit_rate, 5),
                "cursor": [cursor.column, cursor.row] if cursor is not None and cursor.visible else None,
                "lines": [text.text(row) for row in range(text.rows)],
            }
        )
        return
    rows = text.rows
    while rows and not text.text(rows - 1):
        rows -= 1
    if not rows:
        context.talk.say(f"the screen of {name} is empty", "dim")
    if context.args.ansi:
        from pilot.console.ansi import ansi

        context.talk.data(ansi(text.line(row)) for row in range(rows))
    else:
        context.talk.data(text.text(row) for row in range(rows))


def _picture(name: str, screen: Framebuffer, text: TextScreen | None) -> PilotError:
    read = f": {text.hit_rate:.0%} of its cells can be read" if text is not None else ""
    return BackendError(
        f"the screen of {name} ({screen.width} by {screen.height} pixels) shows a picture, not text{read}",
        "--png FILE keeps it as a picture; `pilot` shows it (v).",
    )


def _write(context: Context, screen: Framebuffer) -> None:
    from pilot.vnc.png import png

    _keep(context, png(screen), f"{screen.width} by {screen.height} pixels")


def _keep(context: Context, data: bytes, what: str) -> None:
    where = context.args.png
    if where == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    path = Path(where)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{where} cannot be written: {error.strerror}", "Name another file.") from None
    context.talk.say(f"{where}: {what}")
