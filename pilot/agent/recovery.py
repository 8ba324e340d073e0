"""After a crash: what the journal shows as begun and not ended is looked at, and a half-started node runs on.

A node is started paused, so that its console is held from the first byte. An airboss that died between
the two leaves it paused; the open intent says that somebody wanted it on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from pilot.agent.database import Database
from pilot.agent.journal_chain import Record
from pilot.agent.journal_read import Filter, open_intents, read
from pilot.errors import BusyError, DeadlineError, PilotError, UnreachableError
from pilot.records import Node

_log = logging.getLogger(__name__)

STARTED = "airboss.start"
"""The event in the journal that says that an airboss began."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
"""Seconds between two tries at a host that does not answer."""
_STARTING = ("power.on", "power.boot", "power.install")


class Resumer(Protocol):
    """What can let a half-started node run on."""

    async def resume_interrupted(self, node_id: str) -> bool:
        """Resume the node if a start of it was interrupted; whether it did."""


class Recovery:
    """Looks once at each node that an open intent wanted on."""

    def __init__(self, database: Database, provider: Resumer) -> None:
        self._database = database
        self._provider = provider
        self._wanted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read the open intents of the airboss before this one.

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
            if record.verb in _STARTING:
                self._want(record.targets)

    def _interrupted(self) -> list[Record]:
        """Open intents of the last airboss only: what an earlier one left was looked at by the last."""
        intents = open_intents(self._database)
        if not intents:
            return []
        starts = read(self._database, Filter(verb=STARTED), after=intents[0].id)
        last = starts[-1].id if starts else 0
        return [record for record in intents if record.id > last]

    def _want(self, node_ids: Iterable[str]) -> None:
        self._wanted.update(node_ids)

    def node_changed(self, node: Node) -> None:
        """A node is seen for the first time, or again."""
        if node.id in self._wanted and node.stale_since is None:
            self._wanted.discard(node.id)
            if node.state == "paused":
                task = asyncio.create_task(self._resume(node))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _resume(self, node: Node) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                if await self._provider.resume_interrupted(node.id):
                    _log.warning("%s was left paused by an interrupted start: it runs now", node.name)
            except (UnreachableError, BusyError, DeadlineError) as error:
                _log.warning("%s was left paused by an interrupted start: %s", node.name, error.message)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except PilotError as error:
                _log.error("%s stays paused after an interrupted start: %s", node.name, error.message)
                return
            else:
                return

    async def stop(self) -> None:
        """Give up what has not been reached; the intents stay open."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
