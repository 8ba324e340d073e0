"""One console's log, as its console on the event loop uses it: given what is printed, and never waiting."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from pilot.agent.consoles import log_folders
from pilot.agent.consoles.log_files import OUTPUT, Appender, Run
from pilot.agent.consoles.log_folders import Found
from pilot.agent.consoles.log_writer import Writer
from pilot.agent.consoles.tenant import Tenant

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds after a failure in which nothing is written; doubled with each."""
FLUSH_SECONDS = 5.0
_EARLY = 64 * 1024
"""Bytes that are kept back while it is not known whose the console is."""

_log = logging.getLogger(__name__)


class Shape(msgspec.Struct, frozen=True):
    """How much of each console is kept."""

    size: int
    """Bytes of a segment."""
    count: int
    """Segments."""


class Office(Protocol):
    """What a log needs of all logs together."""

    root: Path
    shape: Shape
    writer: Writer
    clock: Callable[[], float]

    def failed(self, log: ConsoleLog, why: str) -> None:
        """From the writer's thread: it could not be written. Told at each try."""

    def mended(self) -> None:
        """From the writer's thread: what could not be written can be again."""

    def overrun(self, log: ConsoleLog) -> None:
        """More was printed than the disk takes."""

    def written(self, log: ConsoleLog) -> None:
        """From the writer's thread: somebody waits for what was printed, and there is more of it."""


class _Tenancy:
    """A generation: the log of one tenant's console. Its numbers are set by the writer's thread."""

    def __init__(self, office: Office, node_id: str, generation: int, tenant: Tenant) -> None:
        self.generation = generation
        self.tenant = tenant
        self.folder = log_folders.folder(office.root, node_id, generation)
        self.appender = Appender(self.folder, office.shape.size, office.shape.count)
        self.on_disk = self.oldest = 0


class ConsoleLog:
    """What a console prints, on its way to the disk; and how far it has come there."""

    def __init__(self, office: Office, node_id: str, found: Found | None) -> None:
        """`found`: what was on the disk when airboss began."""
        self.node_id = node_id
        self.end = found.end if found else 0
        """Offset behind the last byte that was printed."""
        self.last_written = found.last if found and found.end else 0.0
        """When something was written before this airboss began; 0 if nothing was, or something is since."""
        self.waiting = 0
        self.readers: set[asyncio.Event] = set()
        """Set when there is more on the disk. Used on the event loop."""
        self._office = office
        self._now = self._writing = _Tenancy(
            office, node_id, found.generation if found else 1, found.tenant if found else Tenant("")
        )
        """On the event loop; and in the writer's thread, which gets there later."""
        if found:
            self._now.on_disk, self._now.oldest = found.end, found.oldest
        self._owned = found is not None
        self._sure = False
        """It is known that the console is that tenant's now."""
        self._early: list[tuple[float, float, int, bytes]] = []
        self._early_size = self._early_lost = 0
        self._retry = 0.0
        self._pause = FIRST_PAUSE
        self._failing = False

    @property
    def folder(self) -> Path:
        """Where it can be read now."""
        return self._now.folder

    @property
    def generation(self) -> int:
        """Goes up when the console is given to others: what is read of an older one must be thrown away."""
        return self._now.generation

    @property
    def on_disk(self) -> int:
        """Offset behind the last byte that can be read."""
        return self._now.on_disk

    @property
    def oldest(self) -> int:
        """Offset of the oldest byte that can be read."""
        return self._now.oldest

    # --- on the event loop -------------------------------------------------------------------------

    def append(self, data: bytes, kind: int = OUTPUT) -> None:
        """Take what was printed. Never waits and never fails."""
        utc, mono = self._office.clock(), time.monotonic()
        self.last_written = 0.0
        if self._sure:
            self._queue(utc, mono, kind, data)
        elif self._early_size < _EARLY:
            self._early_size += len(data)
            self._early.append((utc, mono, kind, data))
        else:
            self._early_lost += len(data)

    def belongs(self, tenant: Tenant) -> bool:
        """Whose the console is now; False if what is on the disk is somebody else's: then begin anew."""
        if not self._owned:
            self._owned = True
            self._now.tenant = tenant
        if not self._now.tenant.is_still(tenant):
            return False
        if not self._sure:
            self._sure = True
            early, self._early, self._early_size = self._early, [], 0
            for run in early:
                self._queue(*run)
            self.end += self._early_lost  # Offsets are those of the ring: what is missing is a gap.
        return True

    def begin_anew(self, tenant: Tenant) -> None:
        """Others own it: nothing from before can be read from now on, and it is deleted."""
        now = self._now = _Tenancy(self._office, self.node_id, self._now.generation + 1, tenant)
        self._owned = self._sure = True
        self._early, self._early_size = [], 0
        self.end = 0
        self.last_written = 0.0

        def change() -> None:
            self._writing = now
            self._retry = 0.0
            try:
                log_folders.drop_before(self._office.root, self.node_id, now.generation)
            except OSError as error:
                _log.error("the former log of the console of %s is not deleted: %s", self.node_id, error)

        self._office.writer.do(self, change)
        self.wake()

    async def flush(self) -> None:
        """Returns when what was printed until now can be read, or after a while."""
        if self.on_disk < self.end:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await asyncio.wrap_future(self._office.writer.flush(self))
            except TimeoutError:
                _log.warning("the log of the console of %s is written late", self.node_id)

    def wake(self) -> None:
        """There is more to be read, or something else has changed for readers."""
        for reader in self.readers:
            reader.set()

    def _queue(self, utc: float, mono: float, kind: int, data: bytes) -> None:
        run = Run(self.end, utc, mono, kind, data)
        self.end += len(data)
        if not self._office.writer.put(self, run):
            self._office.overrun(self)

    # --- in the writer's thread --------------------------------------------------------------------

    def write(self, runs: list[Run]) -> None:
        """Write what was printed; what cannot be written now is left out."""
        now = time.monotonic()
        if now < self._retry:
            return
        tenancy, root = self._writing, self._office.root
        try:
            log_folders.claim(root, self.node_id, tenancy.generation, tenancy.tenant)
            tenancy.appender.write(runs)
        except OSError as error:
            self._retry, self._pause = now + self._pause, min(self._pause * 2, LONGEST_PAUSE)
            self._failing = True
            self._office.failed(self, error.strerror or str(error))
            return
        self._pause = FIRST_PAUSE
        tenancy.on_disk, tenancy.oldest = tenancy.appender.end, tenancy.appender.oldest
        if self._failing:
            self._failing = False
            self._office.mended()
        if self.readers:
            self._office.written(self)
