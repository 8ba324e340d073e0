"""Puts what a console printed before airboss was started again in front of what its ring holds.

That is done when somebody first looks, and in a thread: consoles that nobody looks at cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from pilot.agent.aside import Aside
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.log_reader import LogReader
from pilot.agent.consoles.ring import CAPACITY, Ring

WAIT_SECONDS = 3.0
"""How long somebody who comes waits for it; what is late comes before the eyes of the next one."""
_READ_SECONDS = 20.0
_aside = Aside("console-recall", 2)

_log = logging.getLogger(__name__)


class Desk(Protocol):
    """The console."""

    ring: Ring


class Recall:
    """Once for each console."""

    def __init__(self, desk: Desk, log: ConsoleLog | None) -> None:
        """Nothing is done yet."""
        self._desk = desk
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._done = log is None or log.end == 0

    async def __call__(self) -> None:
        """Returns when the ring has what the log has, or after a while. Never raises."""
        if self._done:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._fill(), name="console-recall")
        await asyncio.wait((self._task,), timeout=WAIT_SECONDS)

    def stop(self) -> None:
        """The console ends, or is somebody else's: what was before is not wanted any more."""
        self._done = True
        if self._task is not None:
            self._task.cancel()

    async def _fill(self) -> None:
        log, ring = self._log, self._desk.ring
        assert log is not None
        start, generation, folder, live = ring.start, log.generation, log.folder, ring.copy()
        if len(live) >= CAPACITY:
            self._done = True
            return
        try:
            made = await _aside.call(lambda: _ring(folder, start, live), _READ_SECONDS)
        except (OSError, TimeoutError) as error:
            _log.warning("what %s printed before is not shown: %s", log.node_id, error)
            self._done = True
            return
        if log.generation == generation and self._desk.ring is ring and ring.start == start:
            made.append(ring.copy(made.end))
            self._desk.ring = made
        self._done = True


def _ring(folder: Path, start: int, live: bytes) -> Ring:
    begin, before = LogReader(folder).tail(start, CAPACITY - len(live))
    ring = Ring(start=begin, cut=begin > 0)
    ring.append(before)
    ring.append(live)
    return ring
