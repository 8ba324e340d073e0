"""The lines before what a console began with: fetched behind its back, and put above its scrollback."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pilot.console.engine import Engine
from pilot.errors import DeadlineError, PilotError, UnreachableError
from pilot.live.feeding import SLICE, TURN_SECONDS, TURNS

if TYPE_CHECKING:
    from pilot import wire

Log = Callable[[int, int], AsyncIterator["wire.LogPage"]]
"""Reads a console's log before a place in it: so many lines at most, oldest first."""

FIRST_REPLAY = 64 * 1024
"""Bytes that a console begins with: enough for the right screen. What is older comes from the log."""
WHOLE_REPLAY = 1024 * 1024
"""Bytes that are asked for when it is opened again: what was printed meanwhile should be among them."""
OLDER_LINES = 20_000
MOST_BYTES = 16 * 1024 * 1024
"""Of the lines that are held until they are parsed; the oldest of more are given up."""
SECONDS = 120.0
"""For all of it."""

_log = logging.getLogger(__name__)


class Older:
    """Of one console: fetched once, whatever happens to its stream meanwhile."""

    def __init__(
        self, engine: Engine, log: Log | None, last: int, turns: asyncio.Lock, changed: Callable[[], None]
    ) -> None:
        """Nothing is fetched yet.

        Args:
            engine: the console's terminal.
            log: reads the log; None if there is none to read.
            last: how many lines are worth fetching.
            turns: who holds it parses.
            changed: told when the loading begins and ends, and when the lines are there.
        """
        self._engine = engine
        self._log = log
        self._last = last
        self._turns = turns
        self._changed = changed
        self._before: int | None = None
        """Where what is missing ends; None before the console was ever open, and once that is settled."""
        self._known = False
        self._parsed: Engine | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed = False
        """It is of no use to try before the console is opened again."""
        self.why = ""
        """Why they are not there, if they could not be had."""

    @property
    def loading(self) -> bool:
        """Whether lines are on their way."""
        return self._task is not None

    def opened(self, start: int, oldest: int) -> None:
        """The console is open, and what was replayed begins at `start`; the first time counts."""
        self._failed = False
        if not self._known:
            self._known = True
            self._before = start if start > oldest and self._log is not None else None

    def go_on(self) -> None:
        """The replay has been shown, or more was printed: fetch what is missing, or put it where it belongs.

        Called very often: nearly always there is nothing to do.
        """
        if self._parsed is not None:
            self._put()
        elif self._before is not None and self._task is None and not self._failed:
            self._task = asyncio.create_task(self._run(), name="console-older")
            self._changed()

    def stop(self) -> None:
        """The stream is gone, or the console is left; `go_on` begins again if it is not done."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._fetch()
        except (UnreachableError, DeadlineError, TimeoutError) as error:
            self.why, self._failed = str(error) or "it takes too long", True
        except PilotError as error:
            self.why, self._before = error.message, None
        except Exception:
            _log.exception("what a console printed before")
            self.why, self._before = "pilot made a mistake", None
        self._task = None
        self._changed()
        if self._parsed is not None:
            self._put()

    async def _fetch(self) -> None:
        assert self._log is not None
        assert self._before is not None
        held, size = deque[bytes](), 0
        pages: Any = self._log(self._before, self._last)
        async with aclosing(pages):
            async for page in pages:
                data = b"".join(line.data for line in page.lines)
                held.append(data)
                size += len(data)
                while size > MOST_BYTES:
                    size -= len(held.popleft())
        older = self._engine.blank()
        await self._parse(older, b"".join(held))
        self._parsed, self._before, self.why = older, None, ""

    async def _parse(self, older: Engine, data: bytes) -> None:
        at = 0
        while at < len(data):
            async with self._turns:
                end = time.perf_counter() + TURN_SECONDS
                while at < len(data) and time.perf_counter() < end:
                    older.feed(data[at : at + SLICE])
                    at += SLICE
                older.take_answers()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    def _put(self) -> None:
        """Above the scrollback; not while a full-screen program hides it."""
        if self._parsed is None or self._engine.modes.alternate_screen:
            return
        self._engine.put_above(self._parsed)
        self._parsed = None
        self._changed()
