"""`pilot log`: what a node's serial console printed, and when; also of a node that is off."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from math import isfinite
from typing import TYPE_CHECKING

from pilot.commands.context import Context
from pilot.errors import DeadlineError, Exit, NoSuchNodeError, UnreachableError, UsageError

if TYPE_CHECKING:
    from pilot import wire
    from pilot.link.link import Link

LAST = 1000
MOST = 1_000_000
TIMES = ("utc", "local", "since-boot", "none")
_BOOT = b": turned on]"
"""In airboss's line of a start."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("node", metavar="NODE", help="name, MAC or UUID")
    parser.add_argument(
        "--since", metavar="WHEN", help="only what was printed since: 10m, 2h, 14:02, 2026-11-22T14:02:07Z"
    )
    parser.add_argument(
        "--boot", "-b", action="store_true", help="only what came since it was last turned on"
    )
    parser.add_argument(
        "--last",
        type=_count,
        metavar="N",
        help=f"so many of the newest lines ({LAST}; with --since or --boot, all)",
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what it prints from now on")
    parser.add_argument(
        "--time", choices=TIMES, default="local", help="how each line's time is shown (local)"
    )
    parser.add_argument(
        "--raw", action="store_true", help="bytes as they came, control sequences included; not on a terminal"
    )


def _count(text: str) -> int:
    count = int(text)
    if not 0 <= count <= MOST:
        raise argparse.ArgumentTypeError(f"from 0 to {MOST}")
    return count


def run(args: argparse.Namespace) -> int:
    """Print, or follow."""
    if args.raw and args.json:
        raise UsageError("--raw and --json exclude each other", "--json has the text of each line.")
    if args.raw and sys.stdout.isatty():
        raise UsageError(
            "a guest's raw bytes may do anything to a terminal", "Send them to a file or a pipe: > FILE."
        )
    return asyncio.run(_run(Context(args), args))


async def _run(context: Context, args: argparse.Namespace) -> int:
    from pilot.moments import moment

    last = args.last if args.last is not None else MOST if args.since or args.boot else LAST
    async with await context.connect() as link:
        # What is said in minutes is meant by airboss's clock: it dates the lines.
        since = moment(args.since, link.hello.time) if args.since else 0.0
        cluster = context.cluster(link, needed=True)
        view = _Raw(context) if args.raw else _Json(context) if context.talk.json else _Lines(context)
        if args.follow:
            await _follow(context, link, cluster, view, last, since)
        async for page in link.log(args.node, cluster, last=last, since=since, boot=args.boot):
            view.page(page)
        view.end()
    return Exit.OK


async def _follow(context: Context, link: Link, cluster: str, view: _Lines, last: int, since: float) -> None:
    """Go on until interrupted, through losses of the connection."""
    from pilot.link.backoff import Backoff, Unknown
    from pilot.link.reconnect import again

    args = context.args
    backoff = Backoff()
    boot = args.boot
    unknown: Unknown | None = None
    while True:
        try:
            async for page in link.log(args.node, cluster, last=last, since=since, boot=boot, follow=True):
                backoff.reset()
                unknown = None
                view.page(page)
        except (UnreachableError, DeadlineError) as error:
            unknown = unknown or Unknown()
            view.lost(error.message)
        except NoSuchNodeError as error:
            if unknown is None or unknown.for_long:
                raise
            view.lost(error.message)
        finally:
            await link.close()
        if view.upto:
            # What was printed meanwhile; of what was seen already the view takes no notice.
            last, since, boot = MOST, view.seen, False
        link = await again(context.connect, backoff)
        view.back()


class _Lines:
    """For people: text, each line with its time before it."""

    def __init__(self, context: Context) -> None:
        self._talk = context.talk
        self._time = context.args.time
        self._open: int | None = None
        """Where the line goes on that has no end yet; None between lines."""
        self._booted: tuple[float, float] | None = None
        """When the node was turned on, as far as that was seen: UTC and monotonic."""
        self._gap = False
        self.upto = 0
        """Offset behind what was seen."""
        self.seen = 0.0
        """When the newest line that was seen began."""

    def page(self, page: wire.LogPage) -> None:
        """What airboss sent."""
        import msgspec

        if page.gap and not (self.upto and page.lines and page.lines[0].offset <= self.upto):
            self._gap = True
        for line in page.lines:
            end = line.offset + len(line.data)
            if end <= self.upto:
                continue
            if line.offset < self.upto:
                line = msgspec.structs.replace(
                    line, offset=self.upto, data=line.data[self.upto - line.offset :]
                )
            if self._gap:
                self._gap = False
                self.gap(line)
            if _BOOT in line.data:
                self._booted = line.time, line.mono
            self.line(line)
            self.upto, self.seen = end, line.time
        sys.stdout.flush()

    def line(self, line: wire.LogLine) -> None:
        """One line, or a part of one."""
        from pilot.render.palette import paint
        from pilot.render.printed import printed

        goes_on = self._open == line.offset
        self._close(but=goes_on)
        ended = line.data.endswith(b"\n")
        stamp = "" if goes_on else self._stamp(line)
        colour = self._talk.out_colour
        sys.stdout.write(paint(stamp, "dim", colour) + printed(line.data, colour) + ("\n" if ended else ""))
        self._open = None if ended else line.offset + len(line.data)

    def gap(self, line: wire.LogLine) -> None:
        """Something is missing here."""
        self._close()
        sys.stdout.flush()
        self._talk.say(
            "[pilot: some of what it printed here was not kept]"
            if self.upto
            else "[pilot: what it printed before is not kept any more]",
            "dim",
        )

    def end(self) -> None:
        """That was all."""
        self._close()
        sys.stdout.flush()
        if not self.upto:
            self._talk.say("Nothing is kept of what it printed.", "dim")

    def lost(self, why: str) -> None:
        """The connection is gone."""
        self._close()
        sys.stdout.flush()
        self._talk.say(f"{why}; trying again.", "busy")

    def back(self) -> None:
        """It is there again."""
        self._talk.say("connected again", "dim")

    def _close(self, but: bool = False) -> None:
        if self._open is not None and not but:
            sys.stdout.write("\n")
            self._open = None

    def _stamp(self, line: wire.LogLine) -> str:
        from pilot.render.times import local

        if self._time == "none":
            return ""
        if self._time == "since-boot":
            if self._booted is None:
                return "[            ] "
            utc, mono = self._booted
            # The monotonic clock begins anew when airboss's machine does.
            seconds = line.mono - mono if line.mono >= mono else line.time - utc
            return f"[{seconds:12.3f}] "
        parts = f".{int(line.time * 1000) % 1000:03d}" if isfinite(line.time) else ""
        if self._time == "utc":
            return _utc(line.time, parts)
        return f"{local(line.time, '%Y-%m-%d %H:%M:%S')}{parts} "


def _utc(seconds: float, parts: str) -> str:
    from datetime import UTC, datetime

    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{parts}Z "
    except (OverflowError, ValueError, OSError):
        return "? "


class _Json(_Lines):
    """For programs: a line a line."""

    _missing = False

    def line(self, line: wire.LogLine) -> None:
        from pilot.render.printed import printed

        self._talk.data_json(
            {
                "offset": line.offset,
                "time": line.time,
                "mono": line.mono,
                "text": printed(line.data),
                "ended": line.data.endswith(b"\n"),
                "gap": self._missing,
            }
        )
        self._missing = False

    def gap(self, line: wire.LogLine) -> None:
        self._missing = True

    def end(self) -> None:
        sys.stdout.flush()


class _Raw(_Lines):
    """Bytes as they came."""

    def line(self, line: wire.LogLine) -> None:
        data = memoryview(line.data)
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]

    def end(self) -> None:
        """Nothing is added."""
