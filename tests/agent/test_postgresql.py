"""The same statements on PostgreSQL, where several airbosses share a site.

Needs a scratch database and its driver: PILOT_TEST_POSTGRESQL=postgresql+psycopg://USER@HOST/DATABASE
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from pilot.agent import schema
from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.journal_read import Filter, open_intents, read
from pilot.agent.journal_verify import verify_journal
from pilot.agent.registry import Registry
from pilot.agent.registry_edit import Actor, Editor
from tests.agent.journals import append_intent, append_pair

URL = os.environ.get("PILOT_TEST_POSTGRESQL", "")

pytestmark = pytest.mark.skipif(not URL, reason="NOT TESTED: PostgreSQL; set PILOT_TEST_POSTGRESQL to a URL")


@pytest.fixture
def replicas() -> Iterator[list[Database]]:
    """Two programs' ends of one database that begins empty."""
    bare = Database(URL)
    with bare.engine.begin() as connection:
        schema.metadata.drop_all(connection)
        connection.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
    bare.close()
    opened = [Database.open(URL) for _ in range(2)]
    yield opened
    for database in opened:
        database.close()


async def test_replicas_share_a_journal_and_a_registry(replicas: list[Database]) -> None:
    Editor(replicas[0], Actor("alice", 0)).add_cluster("vi-1", 3, protected=False)
    registry = Registry(replicas[1])
    await registry.start()
    assert registry.snapshot.clusters["vi-1"].vlan == 3
    registry.close()
    journals = [Journal(database) for database in replicas]
    await asyncio.gather(*(append_pair(journals[seq % 2], seq) for seq in range(1, 201)))
    left = await append_intent(journals[0], 500)
    for journal in journals:
        await journal.close()
    report = verify_journal(replicas[1])
    assert (report.records, report.signed, report.broken) == (402, 201, None)
    assert [record.id for record in open_intents(replicas[0])] == [left]
    assert len(read(replicas[1], Filter(cluster="vi-1", verb="power.on"))) == 401
