"""The last lines of one node's console, followed while the node is looked at."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator, Callable

from pilot.console.engine import Engine
from pilot.errors import PilotError
from pilot.live.notifier import Notifier
from pilot.records import Node

SETTLE_SECONDS = 0.2
"""How long the cursor rests on a node before its console is asked for: moving on asks for nothing."""
ANSWER_SECONDS = 2.0
"""Before so long after it is looked at, a console that has sent nothing is not said to be silent."""
COLUMNS, ROWS = 200, 24
"""The screen that the lines are drawn on: wide, since kernels print lines of more than 80 columns."""

Tail = Callable[[str, str], AsyncIterator[bytes]]
"""From a node's id and its cluster to what its console printed last, and prints from now on."""


def new_engine() -> Engine:
    """A terminal engine. What it is made of takes a while to import, and is so when first needed."""
    module = importlib.import_module("pilot.console.bittty_engine")
    engine: Engine = module.BitttyEngine(COLUMNS, ROWS)
    return engine


class Glance:
    """One node at a time. `changed` is told when there are other lines, or another reason for none."""

    def __init__(self, tail: Tail, *, settle: float = SETTLE_SECONDS) -> None:
        self.changed = Notifier()
        self.why = ""
        """Why there are no lines, in a few words; empty while there are, or may be."""
        self._tail = tail
        self._settle = settle
        self._node: tuple[str, str] | None = None
        self._engine: Engine | None = None
        self._task: asyncio.Task[None] | None = None
        self._since = 0.0

    @property
    def waiting(self) -> bool:
        """Whether the first lines may still be on their way."""
        running = self._task is not None and not self._task.done()
        return running and self._engine is None and time.monotonic() - self._since < ANSWER_SECONDS

    def look(self, node: Node | None) -> None:
        """Look at this node from now on, or at none."""
        wanted = (node.id, node.cluster) if node is not None and node.serial and node.cluster else None
        if wanted == self._node and (self._task is not None and not self._task.done()):
            return
        if wanted != self._node:
            self._engine = None
        self._node = wanted
        self.stop()
        if wanted is not None:
            self.why = ""
            self._since = time.monotonic()
            self._task = asyncio.get_running_loop().create_task(self._follow(*wanted), name="glance")
        elif node is not None:
            self.why = "no serial console" if not node.serial else "in no cluster"
        self.changed.tell()

    def stop(self) -> None:
        """Follow no more; the lines stay."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def lines(self, count: int) -> list[str]:
        """The last lines that are not blank, oldest first."""
        engine = self._engine
        if engine is None:
            return []
        found: list[str] = []
        number = engine.history + engine.rows - 1
        while number >= 0 and len(found) < count:
            if text := engine.text(number):
                found.append(text)
            number -= 1
        return found[::-1]

    async def _follow(self, node_id: str, cluster: str) -> None:
        await asyncio.sleep(self._settle)
        # The first one imports for 60 ms: keys are taken meanwhile.
        engine = await asyncio.to_thread(new_engine)
        try:
            async for data in self._tail(node_id, cluster):
                engine.feed(data)
                self._engine = engine
                self.changed.tell()
            self.why = "its console is not held any more"
        except PilotError as error:
            self.why = error.message
        self.changed.tell()
