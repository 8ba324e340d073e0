"""What one signer may read of the journal, and of the rest at most the place and the hash.

**Who sees what.** An owner sees what was asked of the cluster, by whomever, and what came of it: the intents
and events that name the cluster, and the outcomes of those intents. Not so the site's own work, even where
it concerns the cluster (records by `admin`: keys bound, clusters set up, nodes adopted), nor refusals, which
name no cluster; and nothing from before the cluster was added, since a name may be given to others later. A
site admin sees all that names the cluster, or everything. Contents that are not to be seen do not leave the
database at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pilot.agent import journal_chain as chain
from pilot.agent.database import Database
from pilot.agent.schema import journal
from pilot.errors import StorageError
from pilot.journal import Head, Record

PART_RECORDS = 200
PART_BYTES = 256 * 1024
"""Of one part, and so of one frame, about; a single record may be larger."""
MAX_RECORD_BYTES = 12 * 1024 * 1024
"""A larger record fits no frame: it is sealed for everybody who reads by the wire."""
SPAN = 1000
"""Ids that one look for new records covers."""
_NEAR = 4
"""How many times the records that are wanted are looked through at the end first."""


class Scope(msgspec.Struct, frozen=True):
    """What may be read."""

    cluster: str
    """Empty for everything, which takes `site`."""
    site: bool
    """By a site admin."""
    sealed: bool
    """With places and hashes of all other records."""
    since: float = 0.0
    """Seconds since the epoch: a site admin sees what was before that too, nobody else. May be infinite."""


class Part(msgspec.Struct, frozen=True):
    """A part of the journal."""

    records: tuple[Record, ...]
    sealed: tuple[Head, ...]
    upto: int
    """The last id that was looked at."""


class Past(msgspec.Struct, frozen=True):
    """Which records of the past are to be read."""

    ids: Sequence[int]
    head: Head
    """Where the journal ends now."""


def past(database: Database, scope: Scope, before: int, count: int) -> Past:
    """The newest records in scope, so many, with ids below `before` (0 for any), oldest first."""
    with database.read() as connection:
        head = chain.head(connection)
        limit = min(before - 1, head.id) if before else head.id
        if scope.sealed or not scope.cluster:
            return Past(range(max(1, limit - count + 1), limit + 1), head)
        return Past(_newest(connection, scope, limit, count), head)


def _newest(connection: Connection, scope: Scope, limit: int, count: int) -> list[int]:
    """The highest ids in scope up to a limit, so many, lowest first."""
    if not count:
        return []
    newest = journal.c.id.desc()
    # A busy cluster has them all near the end; of another all intents are gone through, by their index.
    near = journal.c.id.between(limit - _NEAR * count, limit)
    looked = sa.select(journal.c.id).where(near, *_visible(scope)).order_by(newest).limit(count)
    found = connection.execute(looked).scalars().all()
    if len(found) == count:
        return sorted(found)
    own = sa.select(journal.c.id).where(journal.c.id <= limit, *_own(journal, scope))
    intent, outcome = journal.alias("intent"), journal.alias("outcome")
    ends = (
        sa.select(outcome.c.id)
        .join(intent, outcome.c.intent == intent.c.id)
        .where(outcome.c.id <= limit, outcome.c.kind == "outcome", *_own(intent, scope))
    )
    ids: set[int] = set()
    for query, id in ((own, journal.c.id), (ends, outcome.c.id)):
        ids.update(connection.execute(query.order_by(id.desc()).limit(count)).scalars())
    return sorted(ids)[-count:]


def read(database: Database, scope: Scope, ids: Sequence[int]) -> Part:
    """The first of these records that make a part; what is not in scope (any more) is left out or sealed."""
    with database.read() as connection:
        return _part(connection, scope, ids[:PART_RECORDS])


def news(database: Database, scope: Scope, after: int) -> tuple[Part, bool]:
    """What was appended behind a record, and whether there is more of it.

    Raises:
        StorageError: the journal is shorter than it was.
    """
    with database.read() as connection:
        head = chain.head(connection)
        if head.id < after:
            raise StorageError(
                f"the journal went on to record {after} before, and ends at record {head.id} now",
                "Somebody has cut it: tell the site's admin. `pilot-agent journal verify` checks it.",
            )
        span = PART_RECORDS if scope.sealed or not scope.cluster else SPAN
        part = _part(connection, scope, range(after + 1, min(after + span, head.id) + 1))
        return part, part.upto < head.id


def _part(connection: Connection, scope: Scope, ids: Sequence[int]) -> Part:
    if not ids:
        return Part((), (), 0)
    upto = ids[-1]
    among = _among(ids)
    records: list[Record] = []
    large: list[Head] = []
    size = 0
    query = sa.select(journal).where(among, *_visible(scope)).order_by(journal.c.id)
    for row in connection.execute(query).mappings():
        record = chain.record(row)
        bytes_of = _size(record)
        if bytes_of > MAX_RECORD_BYTES:
            large.append(Head(record.id, record.hash))
            continue
        if records and (size + bytes_of > PART_BYTES or len(records) == PART_RECORDS):
            upto = records[-1].id
            break
        records.append(record)
        size += bytes_of
    if not scope.sealed:
        return Part(tuple(records), tuple(head for head in large if head.id <= upto), upto)
    seen = {record.id for record in records}
    places = sa.select(journal.c.id, journal.c.hash).where(among, journal.c.id <= upto)
    rows = connection.execute(places.order_by(journal.c.id))
    return Part(tuple(records), tuple(Head(*row) for row in rows if row.id not in seen), upto)


def _among(ids: Sequence[int]) -> sa.ColumnElement[bool]:
    if isinstance(ids, range):
        return journal.c.id.between(ids[0], ids[-1])
    return journal.c.id.in_(ids)


def _own(table: sa.FromClause, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Conditions on a record that names the cluster itself."""
    conditions = [table.c.cluster == scope.cluster]
    if not scope.site:
        conditions.append(table.c.auth != "admin")
        never = scope.since == math.inf
        conditions.append(sa.false() if never else table.c.time >= int(scope.since * 1_000_000))
    return conditions


def _visible(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Conditions on a record that may be seen."""
    if not scope.cluster:
        return [] if scope.site else [sa.false()]
    intent = journal.alias("intent")
    of_own = sa.exists().where(
        journal.c.kind == "outcome", intent.c.id == journal.c.intent, *_own(intent, scope)
    )
    return [sa.or_(sa.and_(*_own(journal, scope)), of_own)]


def _size(record: Record) -> int:
    """About how many bytes of a frame it takes."""
    texts = (record.targets_json, record.args_json, record.result_json)
    return 500 + len(record.body) + len(record.signature) + sum(map(len, texts))
