"""After a crash: what the journal shows as begun and not ended is looked at, and a half-started node runs on.

A node is started paused, so that its console is held from the first byte. An airboss that ended between the
two leaves it paused; an intent without an outcome, or with the outcome `unknown`, says that somebody wanted
it on. Each is looked at once: when its node is seen live for the first time, which may be after more
restarts than one. What was found is an event in the journal.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.journal_read import Filter, last, open_intents
from pilot.agent.journal_starts import RECOVER, paused_since, unfinished_starts
from pilot.errors import BusyError, DeadlineError, PilotError, StorageError, UnreachableError
from pilot.journal import Record
from pilot.records import Node

_log = logging.getLogger(__name__)

STARTED = "airboss.start"
"""The event in the journal that says that an airboss began."""
MAX_AGE = 7 * 86_400.0
"""Seconds after which a start is left alone: who paused the node by other means has had the time to."""
SETTLE_SECONDS = 120.0
"""For how long a node that is off may still come up by the start: its QEMU may be at work on it."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
"""Seconds between two tries at a host or a journal that does not answer."""
T = TypeVar("T")
_STARTING = ("power.on", "power.boot", "power.install")


class Resumer(Protocol):
    """What can let a half-started node run on."""

    async def resume_interrupted(self, node_id: str) -> bool:
        """Resume the node if a start of it was interrupted; whether it did."""


class Recovery:
    """Looks once at each node that a start without a known end wanted on."""

    def __init__(
        self,
        database: Database,
        provider: Resumer,
        journal: Journal,
        clock: Callable[[], float] = time.time,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._database = database
        self._provider = provider
        self._journal = journal
        self._clock = clock
        self._settle = settle
        self._wanted: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read what earlier airbosses left.

        Raises:
            StorageError: the journal cannot be read.
        """
        for record in await asyncio.to_thread(self._interrupted):
            _log.warning(
                "journal record %d: %s of %s by %s was begun and has no outcome",
                record.id,
                record.verb,
                ", ".join(record.targets) or "nothing",
                record.principal,
            )
        self._wanted = await asyncio.to_thread(
            unfinished_starts, self._database, _STARTING, self._clock() - MAX_AGE
        )

    def _interrupted(self) -> list[Record]:
        """Open intents of the last airboss only: the others have been told of before."""
        started = last(self._database, Filter(verb=STARTED), 1)
        after = started[0].id if started else 0
        return [record for record in open_intents(self._database) if record.id > after]

    def node_changed(self, node: Node) -> None:
        """A node is seen for the first time, or again."""
        if node.id not in self._wanted or node.stale_since is not None:
            return
        if node.state in ("off", "unknown"):
            if node.id not in self._timers:
                self._timers[node.id] = asyncio.get_running_loop().call_later(
                    self._settle, self._look, node, f"was {node.state}"
                )
        elif node.state in ("paused", "on"):
            # A start that leaves it paused is told as on for a moment: only asking tells which it is.
            self._look(node)
        else:
            self._look(node, f"was {node.state}")

    def _look(self, node: Node, found: str = "") -> None:
        """The one look: let it run if it is paused; else it is enough to say so."""
        timer = self._timers.pop(node.id, None)
        if timer is not None:
            timer.cancel()
        intent = self._wanted.pop(node.id)
        self._spawn(self._note(node, intent, found) if found else self._resume(node, intent))

    async def _resume(self, node: Node, intent: int) -> None:
        async def resume() -> str:
            if await asyncio.to_thread(paused_since, self._database, node.id, intent):
                return "was paused by somebody since"
            if not await self._provider.resume_interrupted(node.id):
                return "was on" if node.state == "on" else "was not paused any more"
            _log.warning("%s was left paused by an interrupted start: it runs now", node.name)
            return "resumed"

        try:
            found = await _until_it_answers(f"{node.name} was left paused by an interrupted start", resume)
        except PilotError as error:
            _log.warning("%s stays paused after an interrupted start: %s", node.name, error.message)
            found = f"stays paused: {error.message}"
        await self._note(node, intent, found)

    async def _note(self, node: Node, intent: int, found: str) -> None:
        async def note() -> None:
            await self._journal.event(
                actor="airboss",
                auth="airboss",
                verb=RECOVER,
                cluster=node.cluster,
                targets=[node.id],
                args={"intent": intent},
                result=found,
            )

        await _until_it_answers(f"what became of journal record {intent} is not in the journal", note)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("recovery failed", exc_info=task.exception())

    async def stop(self) -> None:
        """Give up what has not been reached; the next airboss looks at it."""
        self._wanted.clear()
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _until_it_answers(what: str, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    pause = _FIRST_PAUSE
    while True:
        try:
            return await function()
        except (UnreachableError, BusyError, DeadlineError, StorageError) as error:
            _log.warning("%s: %s", what, error.message)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
