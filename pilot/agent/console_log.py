"""`console.log`: what a node's console printed, from the log on the disk, then what it prints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar, cast

from pilot import wire
from pilot.agent.aside import Aside
from pilot.agent.caller import Caller
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.log_reader import LogReader, Part, Query
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.shares import Shares
from pilot.agent.targets import one_node
from pilot.errors import DeadlineError, RefusedError, StorageError
from pilot.records import Node

PULSE_SECONDS = 5.0
"""After this much silence an empty page is sent."""
GATHER_SECONDS = 0.1
"""The least between two looks at the disk for one reader: what is printed meanwhile goes in one page."""
PATIENCE = 0.5
"""Seconds after which a line is told that has no end yet: a prompt has none."""
LOOK_SECONDS = 20.0
"""How long one look at the disk may take, those of others before it included."""
_THREADS = 2
"""For all readers together."""

T = TypeVar("T")


class _Sender(Protocol):
    def tell(self, frame: wire.ServerFrame) -> None: ...

    async def send(self, frame: wire.ServerFrame) -> None: ...


class ConsoleLogStreams:
    """All who read logs of consoles. Used from the event loop."""

    def __init__(self, inventory: Inventory, hub: ConsoleHub, shares: Shares) -> None:
        """Nobody reads yet."""
        self._inventory = inventory
        self._hub = hub
        self._shares = shares
        self._aside = Aside("console-log-read", _THREADS)
        self._waiting: set[asyncio.Event] = set()

    def recheck(self) -> None:
        """Rights have changed: those who follow are held against them."""
        for wake in self._waiting:
            wake.set()

    async def stream(self, caller: Caller, asked: Asked, out: _Sender) -> None:
        """Send what is asked for; if that is to follow, until cancelled.

        Raises:
            UsageError: not exactly one node.
            RefusedError: it is not the signer's (any more), or nothing is logged here.
            BusyError: too many read logs.
            StorageError: the log cannot be read.
            DeadlineError: the disk does not answer.
        """
        reading = _Reading(self, caller, asked, one_node(self._inventory, asked, "a console"))
        with self._shares.take("log", caller.holder):
            log = self._log(reading.node)
            out.tell(wire.Reply())
            await reading.past(log, out)
            if asked.args["follow"]:
                wake = asyncio.Event()
                self._waiting.add(wake)
                log.readers.add(wake)
                try:
                    await reading.follow(wake, out)
                finally:
                    self._waiting.discard(wake)
                    log.readers.discard(wake)

    def _log(self, node: Node) -> ConsoleLog:
        log = self._hub.log(node.id)
        if log is None:
            raise RefusedError(
                "this site does not log what consoles print", "`pilot console` shows the last of it."
            )
        return log

    def check(self, caller: Caller, asked: Asked, node: Node) -> None:
        """Whether the caller may read this now.

        Raises:
            RefusedError: not any more.
        """
        if caller.role(asked.cluster) is None:
            raise RefusedError(
                f"your key is not entitled to {asked.cluster} any more", "Ask the site's admin."
            )
        now = self._inventory.node(node.id)
        if now is None or now.cluster != asked.cluster:
            raise RefusedError(f"{node.name} is not of {asked.cluster} any more")

    async def look(self, what: Callable[[], T]) -> T:
        """Read from the disk.

        Raises:
            StorageError, DeadlineError: as for `stream`.
        """
        try:
            return await self._aside.call(what, LOOK_SECONDS)
        except TimeoutError:
            raise DeadlineError(
                f"the console's log could not be read within {LOOK_SECONDS:g} s", "Ask again in a moment."
            ) from None
        except OSError as error:
            raise StorageError(f"the console's log cannot be read: {error.strerror}") from None


class _Reading:
    """One who reads, and how far they are."""

    def __init__(self, streams: ConsoleLogStreams, caller: Caller, asked: Asked, node: Node) -> None:
        self.node = node
        self._streams = streams
        self._caller = caller
        self._asked = asked
        self._at = 0
        self._gap = False

    async def past(self, log: ConsoleLog, out: _Sender) -> None:
        """Send what there is."""
        args = self._asked.args
        self._streams.check(self._caller, self._asked, self.node)
        self._log, self._generation, self._reader = log, log.generation, LogReader(log.folder)
        query = Query(
            last=cast("int", args["last"]),
            before=cast("int", args["before"]),
            since=cast("float", args["since"]),
            boot=bool(args["boot"]),
        )
        await log.flush()
        plan = await self._streams.look(partial(self._reader.plan, query, log.on_disk))
        self._at, self._gap = plan.start, plan.cut
        follows = bool(args["follow"])
        while True:
            part = await self._part(plan.end)
            # A line that goes on is told whole, by `follow`.
            lines = part.lines if part.ended or not follows or part.upto < plan.end else part.lines[:-1]
            self._at = part.upto if lines == part.lines else part.lines[-1].offset
            more = part.upto < plan.end
            await self._send(out, lines, more, part.gap)
            if not more:
                return

    async def follow(self, wake: asyncio.Event, out: _Sender) -> None:
        """Send what comes."""
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        open_since: float | None = None
        wake.set()
        while True:
            due = spoke + PULSE_SECONDS
            await _awaken(wake, due if open_since is None else min(due, open_since + PATIENCE))
            wake.clear()
            looked = loop.time()
            self._check()
            while self._at < (end := self._log.on_disk):
                part = await self._part(end)
                lines = part.lines
                if part.ended or part.upto < end:
                    open_since = None
                elif open_since is None or loop.time() < open_since + PATIENCE:
                    open_since = open_since or loop.time()
                    lines = lines[:-1]
                else:
                    open_since = None
                self._at = part.upto if lines == part.lines else part.lines[-1].offset
                if lines or part.gap:
                    await self._send(out, lines, False, part.gap)
                    spoke = loop.time()
                if lines != part.lines:
                    break
            if loop.time() >= spoke + PULSE_SECONDS:
                await self._send(out, (), False, False)
                spoke = loop.time()
            await asyncio.sleep(max(0.0, looked + GATHER_SECONDS - loop.time()))

    async def _part(self, end: int) -> Part:
        part = await self._streams.look(partial(self._reader.read, self._at, end))
        self._check()
        return part

    def _check(self) -> None:
        """What was read may be sent: nothing is awaited between this and that."""
        self._streams.check(self._caller, self._asked, self.node)
        if self._log.generation != self._generation:
            raise RefusedError(f"{self.node.name} is not of {self._asked.cluster} any more")

    async def _send(self, out: _Sender, lines: tuple[wire.LogLine, ...], more: bool, gap: bool) -> None:
        gap, self._gap = gap or self._gap, False
        await out.send(wire.LogPage(lines, more, gap))


async def _awaken(wake: asyncio.Event, latest: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(latest):
            await wake.wait()
