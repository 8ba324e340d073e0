"""Airboss's own check of its whole journal, and of receipts that users bring: pilot.journal_check at work."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import sqlalchemy as sa

from pilot import wire
from pilot.agent import journal_chain as chain
from pilot.agent.database import Database
from pilot.agent.journal_read import pages
from pilot.agent.schema import journal
from pilot.journal_check import Checker, Found, Receipt, Report, compare, witness


def verify_journal(
    database: Database,
    progress: Callable[[int], None] = lambda _count: None,
    *,
    airboss: Collection[str] | None = None,
) -> Report:
    """Recompute the whole chain, check every stored request, and compare the end with the head row.

    A second takes about 10,000 records that are signed and many more that are not.

    Args:
        database: the journal's.
        progress: told the number of records checked, every now and then.
        airboss: as for `Checker`.
    """
    # The end as of now: airboss goes on writing meanwhile.
    with database.read() as connection:
        end = chain.head(connection)
    checker = Checker(airboss, end)
    for page in pages(database):
        if not all(checker.take(record) for record in page):
            break
        progress(checker.head.id)
    return checker.report()


def check_receipts(
    database: Database, receipts: Iterable[Receipt], airboss: Collection[str] | None
) -> list[tuple[int, str]]:
    """Compare receipts with the journal, whose chain was verified.

    Args:
        airboss: fingerprints of the host keys that may have signed them; None if they are not known.

    Returns:
        For each receipt its journal record and what is wrong; empty if nothing is.
    """
    found = []
    for receipt in receipts:
        told = witness(receipt, airboss)
        found.append((told.id, compare(told, _find(database, told.id))))
    return found


def _find(database: Database, id: int) -> Found | None:
    with database.read() as connection:
        record = connection.execute(
            sa.select(journal.c.hash, journal.c.intent).where(journal.c.id == id)
        ).first()
        if record is None:
            return None
        body = connection.execute(sa.select(journal.c.body).where(journal.c.id == record.intent)).scalar()
    return Found(record.hash, wire.digest(bytes(body or b"")))
