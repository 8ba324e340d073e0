"""The journal's table: how records are appended to the chain that pilot.journal describes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from pilot.agent.schema import journal, journal_head
from pilot.errors import StorageError
from pilot.journal import Entry, Head, Record, hash_of

_AS_JSON = ("targets", "args", "result")


def head(connection: Connection, *, lock: bool = False) -> Head:
    """Where the journal ends; with `lock`, nobody else appends until this transaction ends."""
    query = sa.select(journal_head.c.last, journal_head.c.hash).where(journal_head.c.id == 1)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise StorageError(
            "the journal's head is missing from the database",
            "Somebody changed the database by hand: restore it from a backup.",
        )
    return Head(row[0], row[1])


def append(connection: Connection, entries: Iterable[Entry]) -> list[Head]:
    """Append in a write transaction of the caller's. The records are there once it is committed."""
    end = head(connection, lock=True)
    heads: list[Head] = []
    rows: list[dict[str, object]] = []
    for item in entries:
        id, prev = end.id + 1, end.hash
        end = Head(id, hash_of(item, id, prev))
        fields = msgspec.structs.asdict(item)
        row = {name.removesuffix("_json"): value for name, value in fields.items()}
        rows.append({**row, "id": id, "prev": prev, "hash": end.hash})
        heads.append(end)
    if rows:
        connection.execute(journal.insert(), rows)
        connection.execute(
            journal_head.update().where(journal_head.c.id == 1).values(last=end.id, hash=end.hash)
        )
    return heads


def record(row: RowMapping) -> Record:
    """A row of the table."""
    fields: dict[str, Any] = {f"{name}_json" if name in _AS_JSON else name: row[name] for name in row}
    return Record(**fields)
