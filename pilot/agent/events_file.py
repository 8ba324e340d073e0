"""What happened, on the disk: read when airboss begins, written every minute in which something did."""

from __future__ import annotations

import asyncio
import logging
import zlib
from pathlib import Path

import msgspec

from pilot.agent import kept
from pilot.agent.aside import Aside
from pilot.agent.events import Events
from pilot.records import Happening

_log = logging.getLogger(__name__)

NAME = "events"
EVERY_SECONDS = 60.0
_DISK_SECONDS = 30.0
_VERSION = 1


class _File(msgspec.Struct, frozen=True):
    v: int
    happenings: tuple[Happening, ...]


class EventsFile:
    """Keeps events in a folder."""

    def __init__(self, folder: Path, events: Events) -> None:
        self._path = folder / NAME
        self._events = events
        self._written = 0
        self._aside = Aside("events", 1)
        self._trouble = ""

    async def load(self) -> None:
        """Take up what was kept. What cannot be read is logged, and begins anew."""
        try:
            data = await self._aside.call(lambda: kept.read(self._path), _DISK_SECONDS)
            found = None if data is None else msgspec.msgpack.decode(data, type=_File)
        except (OSError, TimeoutError, zlib.error, msgspec.MsgspecError) as error:
            _log.warning("the events in %s cannot be read, and begin anew: %s", self._path, error)
            return
        if found is not None and found.v == _VERSION:
            self._events.take_up(found.happenings)
            self._written = self._events.number

    async def run(self) -> None:
        """Write them every minute, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.save()

    async def save(self) -> None:
        """Write them, if there are new ones. Trouble is logged, once."""
        number = self._events.number
        if number == self._written:
            return
        # Happenings are immutable: the thread has those of now, whatever happens meanwhile.
        file = _File(_VERSION, tuple(self._events.kept))
        try:
            await self._aside.call(
                lambda: kept.write(self._path, msgspec.msgpack.encode(file)), _DISK_SECONDS
            )
        except (OSError, TimeoutError) as error:
            trouble = str(error) or "the disk does not answer"
            if trouble != self._trouble:
                _log.error("the events in %s are not kept: %s", self._path, trouble)
            self._trouble = trouble
        else:
            self._written, self._trouble = number, ""
