"""Reading the journal: by filter, page by page, while it is written."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from pilot.agent import journal_chain as chain
from pilot.agent.database import Database
from pilot.agent.schema import journal
from pilot.journal import Kind, Record


class Filter(msgspec.Struct, frozen=True):
    """Which records to read; all that is set must fit. Times in seconds since the epoch."""

    since: float | None = None
    until: float | None = None
    cluster: str = ""
    principal: str = ""
    verb: str = ""
    kind: Kind | None = None
    open: bool = False
    """Intents without an outcome."""


EVERYTHING = Filter()


def read(
    database: Database,
    wanted: Filter = EVERYTHING,
    *,
    after: int = 0,
    limit: int = 1000,
) -> list[Record]:
    """Records with an id above `after` that fit, oldest first, `limit` at most.

    The outcomes of intents that fit, fit too.
    """
    query = sa.select(journal).where(journal.c.id > after).order_by(journal.c.id).limit(limit)
    with database.read() as connection:
        rows = connection.execute(query.where(*_conditions(wanted))).mappings()
        return [chain.record(row) for row in rows]


def last(database: Database, wanted: Filter, count: int) -> list[Record]:
    """The newest records that fit, oldest first."""
    query = sa.select(journal).order_by(journal.c.id.desc()).limit(count)
    with database.read() as connection:
        rows = connection.execute(query.where(*_conditions(wanted))).mappings()
        return [chain.record(row) for row in rows][::-1]


def pages(database: Database, wanted: Filter = EVERYTHING, size: int = 1000) -> Iterator[list[Record]]:
    """All records that fit, a page at a time, so that no lock and little memory is held."""
    after = 0
    while page := read(database, wanted, after=after, limit=size):
        yield page
        after = page[-1].id


def open_intents(database: Database, limit: int = 1000) -> list[Record]:
    """The newest intents without an outcome, oldest first: what a crash interrupted, or is at work now."""
    return last(database, Filter(open=True), limit)


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    outcome = journal.alias("outcome")
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(journal.c.time >= int(wanted.since * 1_000_000))
    if wanted.until is not None:
        conditions.append(journal.c.time <= int(wanted.until * 1_000_000))
    if wanted.kind:
        conditions.append(journal.c.kind == wanted.kind)
    if wanted.open:
        conditions.append(journal.c.kind == "intent")
        conditions.append(~sa.exists().where(outcome.c.intent == journal.c.id))
    about = [
        (name, value)
        for name, value in (
            ("cluster", wanted.cluster),
            ("principal", wanted.principal),
            ("verb", wanted.verb),
        )
        if value
    ]
    if about:
        intent = journal.alias("intent")
        own = sa.and_(*(journal.c[name] == value for name, value in about))
        theirs = sa.exists().where(
            intent.c.id == journal.c.intent, *(intent.c[name] == value for name, value in about)
        )
        conditions.append(sa.or_(own, sa.and_(journal.c.intent > 0, theirs)))
    return conditions
