"""What the journal says of recordings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from pilot.agent.database import Database
from pilot.agent.schema import journal
from pilot.recording_seals import BEGAN, DELETED, ENDED, SEALED, Seal

_PAGE = 1000


class Event(msgspec.Struct, frozen=True):
    """Something that happened to a recording."""

    record: int
    """The journal record's id."""
    time: float
    """UTC, seconds since the epoch."""
    verb: str
    cluster: str
    node: str
    """The node's id."""
    result: dict[str, Any]

    @property
    def id(self) -> str:
        """The recording's; empty if the record is none that airboss writes."""
        id = self.result.get("id", "")
        return id if isinstance(id, str) else ""

    @property
    def seal(self) -> Seal:
        """Of a `record.sealed`; one that fits nothing if the record is none that airboss writes."""
        try:
            return msgspec.convert(self.result, Seal)
        except msgspec.ValidationError:
            return Seal(0, 0, "")


def events(database: Database, after: int = 0) -> Iterator[Event]:
    """All of them behind a journal record, oldest first.

    Raises:
        StorageError: the journal cannot be read.
    """
    columns = (journal.c[name] for name in ("id", "time", "verb", "cluster", "targets", "result"))
    query = (
        sa.select(*columns)
        .where(
            journal.c.verb.in_((BEGAN, SEALED, ENDED, DELETED)),
            journal.c.kind == "event",
            journal.c.auth == "airboss",
        )
        .order_by(journal.c.id)
        .limit(_PAGE)
    )
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(journal.c.id > after)).all()
        for row in rows:
            targets, result = _decoded(row.targets), _decoded(row.result)
            yield Event(
                row.id,
                row.time / 1_000_000,
                row.verb,
                row.cluster,
                str(targets[0]) if isinstance(targets, list) and targets else "",
                result if isinstance(result, dict) else {},
            )
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _decoded(text: str) -> Any:
    """What somebody wrote who changed the journal is nothing."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
