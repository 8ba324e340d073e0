"""Recordings in the journal: what happens to them, in its order, however long its disk takes.

What cannot be said now is said later: a recording ends for the journal once all its seals are there. What
airboss could not say before it was killed, it says when it is there again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import asdict, replace

from pilot.agent import journal_chain
from pilot.agent.aside import Aside
from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.recordings import catalogue
from pilot.agent.recordings.catalogue import Kept
from pilot.agent.recordings.events import Event, events
from pilot.agent.recordings.file import has_events, recover
from pilot.errors import BusyError, DeadlineError, PilotError, StorageError
from pilot.recording_seals import BEGAN, DELETED, ENDED, SEALED, Seal, ending

DISK_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
"""Seconds between two tries at a disk that does not take it."""
KILLED = "airboss was ended in the middle"

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Notary:
    """Used from the event loop."""

    def __init__(self, root: Path, journal: Journal, database: Database, clock: Callable[[], float]) -> None:
        """`root` is the folder of the recordings; the clock gives seconds since the epoch."""
        self._root = root
        self._clock = clock
        self._journal = journal
        self._database = database
        self._aside = Aside("recording", 4)

    async def beside(self, work: Callable[[], T]) -> T:
        """Do what blocks for the disk.

        Raises:
            StorageError: the disk does not take it.
            DeadlineError: it does not answer.
        """
        try:
            return await self._aside.call(work, DISK_SECONDS)
        except TimeoutError:
            raise DeadlineError(
                f"the disk of the recordings has not answered for {DISK_SECONDS:g} s",
                "Tell the site's admin.",
            ) from None
        except OSError as error:
            raise StorageError(
                f"recordings cannot be written: {error.strerror or error}", "Tell the site's admin."
            ) from None

    async def head(self) -> int:
        """The journal's newest record. Raises as `beside` does."""

        def look() -> int:
            with self._database.read() as connection:
                return journal_chain.head(connection).id

        return await self.beside(look)

    async def began(self, kept: Kept, airboss: str) -> None:
        """A recording begins. `airboss` is the fingerprint of whose folder has it.

        Raises:
            StorageError, BusyError, DeadlineError: the journal cannot be written.
        """
        about = kept.recording
        said = {"name": about.name, "principal": about.principal, "input": about.input, "airboss": airboss}
        await self._say(kept, BEGAN, said)

    async def sealed(self, kept: Kept, seal: Seal) -> Kept:
        """A part is on the disk; the recording as it is now."""
        await _until_it_answers(kept, partial(self._say, kept, SEALED, asdict(seal)))
        return replace(kept, recording=replace(kept.recording, size=seal.end))

    async def ended(self, kept: Kept, why: str, *, sealed: bool) -> Kept:
        """A recording has ended, with its last seal or without; the recording as it is now."""
        time = self._clock()
        if sealed:
            return await self._ended(kept, why, time)
        said = (await _until_it_answers(kept, partial(self._said, kept.after))).get(kept.id, [])
        return await self._cut_and_ended(kept, why, time, said)

    async def deleted(self, kept: Kept, why: str) -> None:
        """Delete a recording.

        Raises:
            StorageError, BusyError, DeadlineError: it is not deleted, or not wholly.
        """
        if not kept.deleting:
            kept = replace(kept, deleting=why)
            await self.beside(partial(catalogue.write, self._root, kept))
        await self._say(kept, DELETED, {"why": kept.deleting})
        await self.beside(partial(catalogue.delete, self._root, kept.id))

    async def withdrawn(self, kept: Kept) -> None:
        """One could not begin: whether or not the journal has taken up that it does, it is no more."""
        await _until_it_answers(kept, partial(self.deleted, kept, "it could not begin"))

    async def recovered(self, unfinished: Sequence[Kept]) -> AsyncIterator[tuple[Kept, Kept | None]]:
        """See to those that an earlier airboss could not end: each, and as it is now, None if it is none."""
        if unfinished:
            first = min(unfinished, key=lambda kept: kept.after)
            said = await _until_it_answers(first, partial(self._said, first.after))
            for kept in unfinished:
                yield kept, await _until_it_answers(kept, partial(self._recover, kept, said.get(kept.id, [])))

    async def _recover(self, kept: Kept, said: list[Event]) -> Kept | None:
        by_verb = {event.verb: event for event in said}
        if DELETED in by_verb or BEGAN not in by_verb:
            path = catalogue.path_of(self._root, kept.id)
            if DELETED not in by_verb and await self.beside(partial(has_events, path)):
                # It began for the journal before anything was recorded: an older one was put in its place.
                return await self._written(_over(kept, "the journal does not know it", self._clock()))
            await self.beside(partial(catalogue.delete, self._root, kept.id))
            return None
        if (end := by_verb.get(ENDED)) is not None:
            size = int(end.result.get("size", 0))
            kept = replace(kept, recording=replace(kept.recording, size=size))
            return await self._written(_over(kept, str(end.result.get("why", "")), end.time))
        if SEALED not in by_verb:
            await self.deleted(kept, f"{KILLED} before anything was sealed")
            return None
        _log.warning("the recording %s of %s was not ended: %s", kept.id, kept.recording.name, KILLED)
        return await self._cut_and_ended(kept, KILLED, said[-1].time, said)

    async def _said(self, after: int) -> dict[str, list[Event]]:
        """What the journal says of each behind a record."""

        def look() -> dict[str, list[Event]]:
            said: dict[str, list[Event]] = {}
            for event in events(self._database, after):
                said.setdefault(event.id, []).append(event)
            return said

        return await self.beside(look)

    async def _cut_and_ended(self, kept: Kept, why: str, time: float, said: list[Event]) -> Kept:
        seals = [event.seal for event in said if event.verb == SEALED]
        kept, words = await _until_it_answers(kept, partial(self._cut, kept, seals))
        return await self._ended(kept, f"{why}; {words}" if words else why, time)

    async def _cut(self, kept: Kept, seals: list[Seal]) -> tuple[Kept, str]:
        """Cut off what was not sealed, and seal the end; how that went, in words."""
        found, cut = await self.beside(partial(recover, catalogue.path_of(self._root, kept.id), seals))
        if found.trouble:
            _log.error("the recording %s of %s: %s", kept.id, kept.recording.name, found.words)
            return kept, f"its file is not as it was sealed: {found.words}"
        kept = replace(kept, recording=replace(kept.recording, size=found.sealed))
        if not (seals and seals[-1].last):
            await self._say(kept, SEALED, asdict(ending(seals)))
        return kept, f"the last {cut:,} bytes were not sealed and are cut off" if cut else ""

    async def _ended(self, kept: Kept, why: str, time: float) -> Kept:
        said = {"why": why, "size": kept.recording.size}
        await _until_it_answers(kept, partial(self._say, kept, ENDED, said))
        return await self._written(_over(kept, why, time))

    async def _written(self, kept: Kept) -> Kept:
        try:
            await self.beside(partial(catalogue.write, self._root, kept))
        except PilotError as error:  # The journal knows it: the next airboss looks there.
            _log.warning("the end of the recording %s: %s", kept.id, error.message)
        return kept

    async def _say(self, kept: Kept, verb: str, result: Mapping[str, object]) -> None:
        about = kept.recording
        await self._journal.event(
            actor="airboss",
            auth="airboss",
            cluster=about.cluster,
            verb=verb,
            targets=[about.node],
            result={"id": kept.id, **result},
        )


def _over(kept: Kept, why: str, time: float) -> Kept:
    return replace(kept, recording=replace(kept.recording, ended=time, why_ended=why))


async def _until_it_answers(kept: Kept, work: Callable[[], Awaitable[T]]) -> T:
    pause = _FIRST_PAUSE
    while True:
        try:
            return await work()
        except (BusyError, DeadlineError, StorageError) as error:
            _log.warning("the recording %s: %s", kept.id, error.message)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
