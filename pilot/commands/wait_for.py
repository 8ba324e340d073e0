"""`pilot console NODE --wait-for REGEX --send TEXT …`: for scripts, one step after the other."""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from pilot.commands.context import Context
from pilot.commands.script_console import ScriptConsole
from pilot.errors import Exit, NotSeenError, UsageError
from pilot.patterns import LINE, Compiled, compile_pattern
from pilot.render.printed import printed

if TYPE_CHECKING:
    from pilot.link.link import Link

SECONDS = 60.0
"""How long all steps together may take."""
LAST = 10
"""Lines that are shown if what was waited for did not come."""
_LONGEST = 8 * 1024
"""Bytes of a line; what is longer is looked at in parts."""
_MOST = 10_000
"""Lines that are kept for the steps to come."""
_QUIET, _SETTLE = 0.5, 2.0
"""Seconds without output after the last thing that was typed, and how long that is waited for."""
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "e": "\x1b", "\\": "\\"}


class Step(NamedTuple):
    """Something to wait for, or to type."""

    text: str
    pattern: Compiled | None
    """None for what is typed."""


class StepAction(argparse.Action):
    """Keeps --wait-for and --send in the order in which they were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """One more step."""
        steps = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*steps, (option_string == "--wait-for", str(values))])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pilot console` that are for scripts."""
    group = parser.add_argument_group(
        "for scripts", "Steps, done in the order in which they are given; --timeout is for all of them (60)."
    )
    group.add_argument(
        "--wait-for",
        action=StepAction,
        dest="steps",
        metavar="REGEX",
        help="wait until it is found in a line that the node prints from now on",
    )
    group.add_argument(
        "--send",
        action=StepAction,
        dest="steps",
        metavar="TEXT",
        help=r"type: \r is Enter, \e Escape, \x03 Ctrl+C",
    )
    group.add_argument(
        "--since-boot", action="store_true", help="look at what it printed since it was turned on, too"
    )


def steps_of(given: Sequence[tuple[bool, str]]) -> list[Step]:
    """The steps as they were given.

    Raises:
        UsageError: one makes no sense.
    """
    return [
        Step(text, compile_pattern(text)) if waits else Step(unescaped(text), None) for waits, text in given
    ]


def unescaped(text: str) -> str:
    """What is to be typed.

    Raises:
        UsageError: an escape that there is not.
    """

    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] not in _ESCAPES:
            raise UsageError(f"'{match[0]}' is no escape", r"There are \r \n \t \e \\ and \xHH.")
        return _ESCAPES[match[2]]

    return _ESCAPE.sub(plain, text)


class Seen:
    """What was printed, line by line, as far as it has not been looked at."""

    def __init__(self) -> None:
        """Nothing was printed."""
        self.last: deque[str] = deque(maxlen=LAST)
        """The newest whole lines."""
        self._lines: deque[str] = deque(maxlen=_MOST)
        self._open = bytearray()
        self._skip = 0
        """Characters at the beginning of the first line that were found already."""

    def feed(self, data: bytes) -> None:
        """Take what was printed."""
        self._open += data
        while (end := self._open.find(b"\n") + 1) or len(self._open) > _LONGEST:
            line = printed(bytes(self._open[: end or _LONGEST]))
            del self._open[: end or _LONGEST]
            if len(self._lines) == _MOST:
                self._skip = 0
            self._lines.append(line)
            self.last.append(line)

    async def find(self, compiled: Compiled) -> tuple[str, re.Match[str]] | None:
        """The next line in which it is found, a line that has no end yet included; what is before is done."""
        while self._lines:
            if (match := await _search(compiled, self._lines[0], self._skip)) is not None:
                self._skip = match.end()
                return self._lines[0], match
            self._lines.popleft()
            self._skip = 0
        line = self.open
        if (match := await _search(compiled, line, self._skip)) is not None:
            self._skip = match.end()
            return line, match
        return None

    @property
    def open(self) -> str:
        """The line that has no end yet."""
        return printed(bytes(self._open))


async def _search(compiled: Compiled, line: str, start: int) -> re.Match[str] | None:
    """Look in a line from a place on; in a long one by pieces that overlap, if that could take long.

    Whatever the pattern, a deadline has its turn in between.
    """
    pattern, size = compiled.pattern, len(line)
    await asyncio.sleep(0)
    if compiled.quick or size - start <= LINE:
        return pattern.search(line, start)
    for begin in range(start, size, LINE // 2):
        if (match := pattern.search(line, begin, begin + LINE)) is not None:
            return match
        await asyncio.sleep(0)
    return None


async def run(args: argparse.Namespace) -> int:
    """Do the steps; the exit code."""
    steps = steps_of(args.steps)
    seconds = args.timeout or SECONDS
    # That is for all steps together, and not how long airboss may take for each answer.
    context = Context(argparse.Namespace(**{**vars(args), "timeout": None}))
    begun = time.monotonic()
    waiting = _Waiting(context, steps)
    link = await context.connect()
    console: ScriptConsole | None = None
    try:
        console = waiting.console(link)
        async with asyncio.timeout(seconds - (time.monotonic() - begun)):
            await waiting.run(console)
    except TimeoutError:
        waiting.too_late(seconds)
        return Exit.UNSEEN
    finally:
        await (link if console is None else console.link).close()
    waiting.done()
    return Exit.OK


class _Waiting:
    """One run of the steps."""

    def __init__(self, context: Context, steps: list[Step]) -> None:
        self._context = context
        self._talk = context.talk
        self._steps = steps
        self._seen = Seen()
        self._found: list[dict[str, Any]] = []
        self._step = steps[0]
        self._begun = time.monotonic()

    def console(self, link: Link) -> ScriptConsole:
        """The console that they are for.

        Raises:
            UsageError: it is not clear in which cluster.
        """
        args = self._context.args
        types = any(step.pattern is None for step in self._steps)
        asked = "take" if args.take else "join" if args.join else "write"
        mode = asked if types and not args.watch else "watch"
        return ScriptConsole(
            self._context.connect,
            link,
            args.node,
            self._context.cluster(link, needed=True),
            mode=mode if types or not args.since_boot else None,
            since_boot=args.since_boot,
            lost=lambda why: self._talk.say(f"{why}; trying again", "dim"),
        )

    async def run(self, console: ScriptConsole) -> None:
        """Do them.

        Raises:
            RefusedError: there is something to type, and somebody else has the keyboard.
            PilotError: the console has ended, and waiting does not mend it.
        """
        async with console, aclosing(console.printed()) as chunks:
            for step in self._steps:
                self._step = step
                if step.pattern is not None:
                    await self._wait(step.pattern, chunks)
                else:
                    await console.type(step.text)
            if self._step.pattern is None:
                await self._settle(chunks)

    async def _wait(self, compiled: Compiled, chunks: AsyncIterator[bytes]) -> None:
        while (found := await self._seen.find(compiled)) is None:
            self._seen.feed(await anext(chunks))
        line, match = found
        self._found.append(
            {
                "wait_for": self._step.text,
                "line": line,
                "match": match[0],
                "groups": list(match.groups()),
                "seconds": round(time.monotonic() - self._begun, 3),
            }
        )
        if not self._talk.json:
            self._talk.data([line])

    async def _settle(self, chunks: AsyncIterator[bytes]) -> None:
        """What was typed last is on its way: leaving at once would take it back."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + _SETTLE
        with suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(_QUIET) as quiet:
                while True:
                    self._seen.feed(await anext(chunks))
                    quiet.reschedule(min(loop.time() + _QUIET, latest))

    def done(self) -> None:
        """All steps are done."""
        if self._talk.json:
            self._talk.data_json({"matched": True, "steps": self._found})

    def too_late(self, seconds: float) -> None:
        """The time is up."""
        last = [line for line in (*self._seen.last, self._seen.open) if line][-LAST:]
        if self._talk.json:
            waiting = self._step.text if self._step.pattern is not None else ""
            self._talk.data_json(
                {"matched": False, "waiting_for": waiting, "steps": self._found, "last": last}
            )
        words = f"'{self._step.text}' was not seen within {seconds:g} s"
        hint = (
            "The last lines were:\n" + "\n".join(f"  {line}" for line in last)
            if last
            else "Nothing was printed."
        )
        self._talk.error(NotSeenError(words, "" if self._talk.json else hint))
