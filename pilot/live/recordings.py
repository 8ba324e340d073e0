"""Recordings of a cluster's consoles: which there are, one as a file, and whether it is what was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from pilot import wire
from pilot.errors import RefusedError, UsageError
from pilot.journal import Record
from pilot.link.recordings import RecordingStream
from pilot.recording_seals import BEGAN, SEALED, Finding, Seal, check

PAGE = 5000
"""Records of the journal that are asked for at a time."""
SHORTEST = 4
"""Characters of an id that stand for it, if no other begins so."""
MOST_BYTES = 2 * 1024 * 1024 * 1024
"""Of a recording that is taken."""

Progress = Callable[[int, int], None]
"""Told how many bytes are there, and how many there are."""


class Source(Protocol):
    """Where recordings come from: a `Link`, or a `LiveSite`."""

    def recordings(self, cluster: str) -> AsyncGenerator[wire.Recordings, None]:
        """The recordings of a cluster, newest first."""

    async def recording(self, id: str, cluster: str) -> RecordingStream:
        """One of them."""

    def journal(
        self, cluster: str, *, last: int = ..., before: int = ..., follow: bool = ..., sealed: bool = ...
    ) -> AsyncGenerator[wire.JournalPage, None]:
        """Records of the journal."""


class Checked(NamedTuple):
    """A recording held against the journal."""

    finding: Finding | None
    """None if the journal could not be read."""
    why: str = ""
    """Why it could not; empty if it was."""

    @property
    def differs(self) -> bool:
        """Whether it is not what was recorded."""
        return self.finding is not None and bool(self.finding.trouble)


async def listed(source: Source, cluster: str) -> list[wire.Recording]:
    """All recordings of a cluster, newest first.

    Raises:
        PilotError: as for `Link.recordings`.
    """
    found: list[wire.Recording] = []
    async with aclosing(source.recordings(cluster)) as pages:
        async for page in pages:
            found += page.recordings
    return found


def find(recordings: Sequence[wire.Recording], wanted: str) -> wire.Recording:
    """The one with this id, or whose id begins so, or the newest of the node of this name.

    Raises:
        RefusedError: there is none.
        UsageError: several ids begin so.
    """
    exact = next((one for one in recordings if one.id == wanted), None)
    if exact is not None:
        return exact
    begun = [one for one in recordings if len(wanted) >= SHORTEST and one.id.startswith(wanted)]
    if len(begun) > 1:
        raise UsageError(f"{len(begun)} recordings begin with '{wanted}'", "Give more of the id.")
    newest = begun or [one for one in recordings if wanted in (one.name, one.node)]
    if not newest:
        raise RefusedError(
            f"there is no recording '{wanted}', or it is not yours",
            "`pilot record list` shows what there is.",
        )
    return max(newest, key=lambda one: one.started)


async def fetch(
    source: Source, id: str, cluster: str, file: BinaryIO, progress: Progress | None = None
) -> wire.Recording:
    """Write a recording into a file; what there is of one that goes on.

    Raises:
        PilotError: as for `Link.recording`.
        OSError: the file cannot be written.
    """
    async with await source.recording(id, cluster) as stream:
        recording = stream.recording
        if recording.size > MOST_BYTES:
            raise UsageError(f"the recording has {recording.size:,} bytes: that is too much to be taken")
        done = 0
        while data := await stream.read():
            file.write(data)
            done += len(data)
            if progress is not None:
                progress(done, recording.size)
    file.flush()
    return recording


async def checked(source: Source, recording: wire.Recording, file: BinaryIO) -> Checked:
    """Hold a recording against its seals in the journal, as far as the user may read that.

    Raises:
        UnreachableError, DeadlineError: the link was lost.
        WireError: what came is not the protocol.
    """
    try:
        seals = await _seals(source, recording)
    except RefusedError as error:
        return Checked(None, error.message)
    if not recording.ended:
        # What was sealed while it was read is not in the file.
        seals = [seal for seal in seals if seal.end <= recording.size]
    elif not seals:
        return Checked(Finding("seals", 0, recording.size, "the journal has no seal of it"))
    file.seek(0)
    return Checked(await asyncio.to_thread(check, file, seals))


async def _seals(source: Source, recording: wire.Recording) -> list[Seal]:
    """The recording's seals, in the journal's order."""
    found: list[Seal] = []
    before = 0
    while True:
        page: list[Record] = []
        async with aclosing(
            source.journal(recording.cluster, last=PAGE, before=before, follow=False)
        ) as pages:
            async for one in pages:
                page += one.records
        ours = [record for record in page if _recording_of(record) == recording.id]
        found[:0] = [seal for record in ours if record.verb == SEALED for seal in [_seal(record)]]
        begun = any(record.verb == BEGAN for record in ours)
        if begun or not page or page[0].id <= 1 or page[0].id == before:
            return found
        before = page[0].id


def _recording_of(record: Record) -> str:
    if record.kind != "event" or record.auth != "airboss" or not record.verb.startswith("record."):
        return ""
    try:
        id = msgspec.json.decode(record.result_json, type=dict[str, object]).get("id")
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return id if isinstance(id, str) else ""


def _seal(record: Record) -> Seal:
    """The record's; one that fits nothing if it is none that airboss writes."""
    try:
        return msgspec.json.decode(record.result_json, type=Seal)
    except (msgspec.MsgspecError, RecursionError):
        return Seal(0, 0, "")
