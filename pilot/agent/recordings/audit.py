"""Holds all recordings of an airboss against what its journal says of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from pilot.agent.database import Database
from pilot.agent.recordings import catalogue
from pilot.agent.recordings.events import Event, events
from pilot.recording_seals import BEGAN, DELETED, ENDED, SEALED, Finding, Seal, check


class Audited(msgspec.Struct, frozen=True):
    """One recording."""

    id: str
    node: str
    """The node's id."""
    name: str
    cluster: str
    finding: Finding
    goes_on: bool
    """Its end is not in the journal, as of one that a killed airboss left to the next."""


class Audit(msgspec.Struct, frozen=True):
    """What holding them against the journal showed."""

    recordings: tuple[Audited, ...]
    elsewhere: int
    """Those of other airbosses that share the journal: not looked at."""
    unknown: tuple[str, ...]
    """Names of files that the journal does not know."""

    @property
    def troubled(self) -> tuple[Audited, ...]:
        """Those that are not as they were sealed."""
        return tuple(one for one in self.recordings if one.finding.trouble)


class _Story:
    """What the journal says of one."""

    def __init__(self, begun: Event) -> None:
        self.begun = begun
        self.seals: list[Seal] = []
        self.ended = False


def audit(database: Database, root: Path, airboss: str | None) -> Audit:
    """Look at all, while airboss goes on.

    Args:
        database: the journal's, whose chain was verified.
        root: the folder of the recordings.
        airboss: the fingerprint of the host key of whom the folder is; None if that is not known.

    Raises:
        StorageError: the journal cannot be read.
    """
    found, elsewhere, deleted = _look(database, root, airboss)
    if any(one.finding.trouble for one in found):
        # It may have been deleted, or sealed further, between the two looks.
        found, elsewhere, deleted = _look(database, root, airboss)
    known = {one.id for one in found} | deleted
    return Audit(tuple(found), elsewhere, tuple(catalogue.strays(root, known)))


def _look(database: Database, root: Path, airboss: str | None) -> tuple[list[Audited], int, set[str]]:
    stories: dict[str, _Story] = {}
    deleted: set[str] = set()
    others: set[str] = set()
    for event in events(database):
        if event.id in others:
            continue
        if event.verb == BEGAN and airboss and event.result.get("airboss") != airboss:
            others.add(event.id)
            continue
        story = stories.setdefault(event.id, _Story(event))
        if event.verb == SEALED:
            story.seals.append(event.seal)
        elif event.verb == ENDED:
            story.ended = True
        elif event.verb == DELETED:
            del stories[event.id]
            deleted.add(event.id)
    found = [_hold(id, story, root) for id, story in stories.items()]
    return found, len(others), deleted


def _hold(id: str, story: _Story, root: Path) -> Audited:
    begun = story.begun
    name = str(begun.result.get("name", begun.node))
    if not catalogue.is_id(id):
        finding = Finding("seals", 0, words=f"journal record {begun.record} is none that airboss writes")
    else:
        finding = _read(catalogue.path_of(root, id), story.seals)
    return Audited(id, begun.node, name, begun.cluster, finding, not story.ended)


def _read(path: Path, seals: list[Seal]) -> Finding:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return check(None, seals)
    except OSError as error:
        return Finding("missing", 0, words=f"the file cannot be read: {error.strerror}")
    file: BinaryIO
    with os.fdopen(fd, "rb") as file:
        return check(file, seals)
