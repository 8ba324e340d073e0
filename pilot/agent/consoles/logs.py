"""The logs of all consoles: what was on the disk when airboss began, and what goes there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from pilot.agent.consoles import log_folders
from pilot.agent.consoles.log import ConsoleLog, Shape
from pilot.agent.consoles.log_folders import Found
from pilot.agent.consoles.log_writer import Writer
from pilot.agent.consoles.tenant import Tenant
from pilot.agent.settings import ConsoleLogSettings

CLOSE_SECONDS = 5.0
SWEEP_SECONDS = 3600.0
WARN_SECONDS = 60.0
_ALIVE = "alive"
"""A file whose time says when airboss was there last."""
_DAY = 86_400.0

_log = logging.getLogger(__name__)


class ConsoleLogs:
    """Made before the consoles, closed after them. Used from the event loop, where nothing says otherwise."""

    def __init__(
        self,
        root: Path,
        settings: ConsoleLogSettings,
        clock: Callable[[], float],
        known: Callable[[], Collection[str]],
        found: dict[str, Found],
    ) -> None:
        """Use `open`. `known`: the ids of the nodes there are now."""
        self.root = root
        self.shape = Shape(settings.size, settings.segments)
        self.clock = clock
        self.tell: Callable[[str], None] = lambda _text: None
        """Told, in words for everybody at a console, that logs cannot be written, and that they can again."""
        self.absent_since = _alive(root, found)
        """When airboss was there last before this time; 0 if it never was."""
        self._settings = settings
        self._known = known
        self._found = found
        self._logs: dict[str, ConsoleLog] = {}
        self._loop = asyncio.get_running_loop()
        self._warn_at = 0.0
        self._trouble = False
        """It was said that logs cannot be written, and not yet that they can again."""
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        self.writer = Writer(self._beat, self._loop.call_later)

    @classmethod
    async def open(
        cls,
        root: Path,
        settings: ConsoleLogSettings,
        clock: Callable[[], float],
        known: Callable[[], Collection[str]],
    ) -> ConsoleLogs | None:
        """The logs in this folder; None if none are to be kept, or it cannot be used, which is logged."""
        if not settings.enabled:
            return None
        try:
            found = await asyncio.to_thread(log_folders.scan, root)
        except OSError as error:
            _log.error("the consoles are not logged: %s: %s", root, error.strerror)
            return None
        return cls(root, settings, clock, known, found)

    def of(self, node_id: str) -> ConsoleLog | None:
        """The log of a node's console; None if its id cannot be a folder's name."""
        log = self._logs.get(node_id)
        if log is None and log_folders.fit(node_id):
            log = self._logs[node_id] = ConsoleLog(self, node_id, self._found.pop(node_id, None))
        return log

    def belongs(self, node_id: str, tenant: Tenant) -> None:
        """Whose a node's console is now: a log of others is not theirs to read, and is deleted."""
        log = self.of(node_id) if node_id in self._found or node_id in self._logs else None
        if log is not None and not log.belongs(tenant):
            log.begin_anew(tenant)

    async def close(self) -> None:
        """Write what waits. Takes 5 s at most."""
        if not await asyncio.to_thread(self.writer.close, CLOSE_SECONDS):
            _log.warning("the last of what consoles printed is not in their logs: the disk is too slow")

    def overrun(self, log: ConsoleLog) -> None:
        """More was printed than the disk takes; that is logged now and then."""
        now = time.monotonic()
        if now >= self._warn_at:
            self._warn_at = now + WARN_SECONDS
            _log.warning("more is printed than the disk takes: logs have gaps, that of %s first", log.node_id)

    # --- from the writer's thread ------------------------------------------------------------------

    def failed(self, log: ConsoleLog, why: str) -> None:
        """A log cannot be written."""
        self._soon(lambda: self._fail(log, why))

    def mended(self) -> None:
        """A log that could not be written can be again."""
        self._soon(self._mend)

    def written(self, log: ConsoleLog) -> None:
        """There is more to be read."""
        self._soon(log.wake)

    def _soon(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(work)

    def _beat(self) -> None:
        """About every ten seconds, and at the end."""
        path = self.root / _ALIVE
        with contextlib.suppress(OSError):
            path.touch(mode=0o600)
            now = self.clock()
            os.utime(path, (now, now))
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_SECONDS
            self._soon(self.sweep)

    # --- on the event loop -------------------------------------------------------------------------

    def sweep(self) -> None:
        """Delete the logs of nodes that are no more, if they were kept long enough. Done in the thread."""
        known = frozenset(self._known())
        settings = self._settings

        def work() -> None:
            try:
                old = log_folders.sweep(
                    self.root, known, self.clock(), settings.keep_days * _DAY, settings.keep_nodes
                )
            except OSError as error:
                _log.warning("old logs of consoles are not deleted: %s", error)
                return
            if old:
                _log.info("the logs of %d consoles that are no more were deleted", len(old))
                self._soon(lambda: self._forget(old))

        self.writer.do(_Nobody(), work)

    def _forget(self, ids: list[str]) -> None:
        known = self._known()
        for node_id in ids:
            self._found.pop(node_id, None)
            if node_id not in known:
                self._logs.pop(node_id, None)

    def _fail(self, log: ConsoleLog, why: str) -> None:
        if self._trouble:
            return
        self._trouble = True
        _log.error("what consoles print cannot be logged now: %s: %s", log.folder, why)
        self.tell(f"the console's log cannot be written now ({why}); what is printed is shown, but not kept")

    def _mend(self) -> None:
        if self._trouble:
            self._trouble = False
            _log.info("what consoles print is logged again")
            self.tell("the console's log is written again; it has a gap")


class _Nobody:
    """Whose work is that of all logs."""

    waiting = 0

    def write(self, runs: object) -> None:
        """Nothing is printed."""


def _alive(root: Path, found: dict[str, Found]) -> float:
    try:
        alive = (root / _ALIVE).stat().st_mtime
    except OSError:
        alive = 0.0
    return max([alive, *(log.last for log in found.values())])
