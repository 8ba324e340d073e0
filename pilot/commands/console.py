"""`pilot console`: a node's serial console, in this terminal or in a pipe."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from pilot.commands import wait_for
from pilot.commands.context import Context
from pilot.console_keys import control
from pilot.errors import Exit, UsageError

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream
    from pilot.link.link import Link

Doing = Callable[[], Coroutine[Any, Any, str]]
LINGER_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("node", metavar="NODE", help="name, MAC or UUID")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--watch", action="store_true", help="only look")
    mode.add_argument("--take", action="store_true", help="take the keyboard from who has it")
    mode.add_argument("--join", action="store_true", help="type beside those who do")
    parser.add_argument(
        "--prefix",
        default="ctrl+^",
        metavar="KEY",
        help="what makes a command of the next key, such as ctrl+t; none: it is the guest's, too (ctrl+^)",
    )
    parser.add_argument(
        "--linger",
        type=float,
        default=LINGER_SECONDS,
        metavar="SECONDS",
        help="in a pipe: stay after the end of the input until the guest was quiet for so long (2)",
    )
    wait_for.add_arguments(parser)
    parser.add_argument("--no-replay", action="store_true", help="in a pipe: leave out what was before")


def run(args: argparse.Namespace) -> int:
    """Attach, or do the steps of a script."""
    if args.steps:
        return asyncio.run(wait_for.run(args))
    if args.since_boot:
        raise UsageError("--since-boot goes with --wait-for", "`pilot log --boot` prints what there is.")
    return asyncio.run(_run(Context(args)))


async def _run(context: Context) -> int:
    args = context.args
    _prefix(args.prefix)  # before anything is done
    mode = next((mode for mode in ("watch", "take", "join") if getattr(args, mode)), "write")
    link = await context.connect()
    try:
        cluster = context.cluster(link, needed=True)
        return await Stay(context, link, cluster, args.node).run(mode)
    finally:
        await link.close()


def _prefix(name: str) -> int | None:
    try:
        return control(name)
    except ValueError as error:
        raise UsageError(
            str(error), "A letter or one of @[\\^_ with Ctrl, such as ctrl+t; or none."
        ) from None


class Stay:
    """One stay at a console."""

    def __init__(self, context: Context, link: Link, cluster: str, node: str) -> None:
        from pilot.link.reconnect import ConsoleAgain

        self._context = context
        self._talk = context.talk
        self._console = ConsoleAgain(context.connect, link, node, cluster)

    async def run(self, mode: str, doing: Doing | None = None) -> int:
        """Attach, do what is to be done meanwhile, and stay; the exit code."""
        from pilot.console.terminal import window_size

        interactive = sys.stdin.isatty() and sys.stdout.isatty() and not self._talk.json
        cols, rows = window_size(sys.stdout.fileno()) if interactive else (80, 24)
        stream = await self._console.open(mode, cols, rows)
        try:
            if self._talk.json and doing is None:
                self._tell_json(stream)
                return Exit.OK
            if interactive:
                return await self._interactive(stream, doing)
            return await self._piped(stream, mode, doing)
        finally:
            if self._console.stream is not None:
                self._console.stream.close()
            await self._console.link.close()

    async def _interactive(self, stream: ConsoleStream, doing: Doing | None) -> int:
        from pilot.console.attach import Attached

        attached = Attached(
            self._console,
            sys.stdin.fileno(),
            sys.stdout.fileno(),
            prefix=_prefix(getattr(self._context.args, "prefix", "ctrl+^")),
            send_break=self._console.send_break,
        )
        ended_by = await attached.run(stream, doing() if doing is not None else None)
        if attached.doing is not None:
            await attached.doing
        return 128 + ended_by if ended_by is not None else Exit.OK

    async def _piped(self, stream: ConsoleStream, mode: str, doing: Doing | None) -> int:
        from pilot.console.pipe import pipe

        task = asyncio.create_task(doing()) if doing is not None else None
        loop = asyncio.get_running_loop()
        args = self._context.args
        ended = False
        piping = asyncio.create_task(
            pipe(
                stream,
                keys=None if mode == "watch" else sys.stdin.fileno(),
                # With --json stdout is for the outcome alone.
                out=sys.stderr.fileno() if self._talk.json else sys.stdout.fileno(),
                linger=getattr(args, "linger", LINGER_SECONDS),
                replay=not getattr(args, "no_replay", False),
                say=lambda text: self._talk.say(f"[pilot: {text}]", "dim"),
            )
        )

        def end() -> None:
            nonlocal ended
            ended = piping.cancel()

        # An orderly end: what was written is whole, and airboss hears of it.
        loop.add_signal_handler(signal.SIGTERM, end)
        try:
            await piping
        except asyncio.CancelledError:
            if not ended:
                piping.cancel()
                raise
        finally:
            loop.remove_signal_handler(signal.SIGTERM)
            if task is not None and not task.done():
                await task
        if task is not None:
            self._talk.say(f"[pilot: {task.result()}]", "dim")
        return 128 + signal.SIGTERM if ended else Exit.OK

    def _tell_json(self, stream: ConsoleStream) -> None:
        from pilot.commands.as_json import outcome_json
        from pilot.link.receipts import as_json

        attached = stream.attached
        self._talk.data_json(
            {
                "verb": "console.open",
                "outcomes": [outcome_json(outcome) for outcome in stream.reply.outcomes],
                "writing": attached.writing,
                "writer": attached.writer,
                "watchers": attached.watchers,
                "receipt": as_json(stream.reply),
            }
        )
