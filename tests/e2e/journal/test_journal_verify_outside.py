"""The journal checked from outside, on a real airboss whose database somebody else writes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
import sqlalchemy as sa

from pilot.agent import journal_chain as chain
from pilot.agent import schema
from pilot.errors import StorageError
from pilot.journal import hash_of
from pilot.link.link import Link
from pilot.live.journal_verify import Verified, verify
from tests.e2e.conftest import Site
from tests.e2e.journal.reading import NODE, Following, receipts, records, tamper
from tests.support.airboss import Person
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@contextmanager
def put_back(site: Site) -> Iterator[None]:
    """What the block does to the journal is undone."""
    database, tables = site.airboss.editor._database, (schema.journal, schema.journal_head)
    with database.read() as connection:
        kept = [[dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in tables]
    yield
    with database.write() as connection:
        for table, rows in zip(tables, kept, strict=True):
            connection.execute(table.delete())
            connection.execute(table.insert(), rows)


def rehash(site: Site) -> None:
    """What somebody who knows the format does after that: make the chain fit again."""
    with site.airboss.editor._database.write() as connection:
        rows = connection.execute(sa.select(schema.journal).order_by(schema.journal.c.id)).mappings().all()
        prev = "0" * 64
        for id, row in enumerate(rows, 1):
            record = msgspec.structs.replace(chain.record(row), id=id)
            hash = hash_of(record, id, prev)
            connection.execute(
                schema.journal.update().where(schema.journal.c.id == row["id"]).values(
                    id=id, prev=prev, hash=hash
                )
            )  # fmt: skip
            prev = hash
        connection.execute(schema.journal_head.update().values(last=len(rows), hash=prev))


async def checked(site: Site, link: Link, person: Person, cluster: str, **more: object) -> Verified:
    return await verify(
        link,
        cluster,
        airboss={link.hello.airboss},
        receipts=receipts(person),
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
async def story(site: Site, ada: Link, bob: Link) -> int:
    """What the two asked for in turns; the id of the first intent. Ada's are 0, 1, 4, 5; Bob's 2, 3, 6, 7."""
    await ada.call("power.on", "vc1", [NODE])
    await bob.call("power.on", "vc2", [NODE])
    await ada.call("power.off", "vc1", [NODE])
    await bob.call("power.off", "vc2", [NODE])
    return (await records(ada, "vc1"))[0].id


async def test_a_journal_that_is_right_is_found_right(site: Site, ada: Link, story: int) -> None:
    told: list[tuple[int, int]] = []
    found = await checked(site, ada, site.ada, "vc1", progress=lambda done, total: told.append((done, total)))
    end = story + 7
    report = found.report
    assert found.ok, found
    assert (report.records, report.sealed, report.signed, report.open) == (end, end - 4, 2, 0)
    assert (found.receipts, told[-1]) == (2, (end, end))
    root = await site.airboss.person("root-ada", "*", "admin")
    async with await root.link() as link:
        found = await checked(site, link, site.ada, "")
        assert found.ok, found
        assert (found.report.sealed, found.report.signed, found.receipts) == (0, 4, 2)
        wrong = await verify(link, "", airboss={"SHA256:other"})
        assert "signed for another airboss" in wrong.report.problem


CHANGES = [
    ("UPDATE journal SET verb = 'power.reset' WHERE id = {4}", False, 4, "contents were changed"),
    ("UPDATE journal SET kind = 'x' WHERE id = {4}", False, 4, "contents were changed"),
    ("UPDATE journal SET verb = 'power.reset' WHERE id = {4}", True, 4, "signed request says power.off"),
    ("UPDATE journal SET signature = x'00' WHERE id = {4}", True, 4, "signature does not hold"),
    ("UPDATE journal SET fingerprint = 'SHA256:x' WHERE id = {4}", True, 4, "names key SHA256:x"),
    ("UPDATE journal SET result = '[]' WHERE id = {5}", False, 5, "contents were changed"),
    # Of records that she does not see:
    ("UPDATE journal SET hash = '00' WHERE id = {3}", False, 4, "hash of the record before"),
    ("DELETE FROM journal WHERE id = {2}", False, 3, "record {2} is missing"),
    ("DELETE FROM journal WHERE id = {7}", False, 7, "are missing"),
    ("UPDATE journal SET hash = '00' WHERE id = {7}", False, 7, "head row names as the last"),
]
"""A change, whether all is hashed anew after it, the record where it is found, and what is said."""


async def test_what_was_changed_is_found_by_its_owner(site: Site, ada: Link, story: int) -> None:
    ids = [story + number for number in range(8)]
    for statement, again, at, problem in CHANGES:
        with put_back(site):
            tamper(site, statement.format(*ids))
            if again:
                rehash(site)
            report = (await checked(site, ada, site.ada, "vc1")).report
        assert report.broken == story + at, (statement, report)
        assert problem.format(*ids) in report.problem, statement
    assert (await checked(site, ada, site.ada, "vc1")).ok


FORGERIES = [
    # Her own outcome is told otherwise.
    (["UPDATE journal SET result = '[]' WHERE id = {5}"], "another hash: the journal was rewritten"),
    # Two records that she does not see change places.
    (
        [
            "UPDATE journal SET id = -1 WHERE id = {2}",
            "UPDATE journal SET id = {2} WHERE id = {3}",
            "UPDATE journal SET id = {3} WHERE id = -1",
        ],
        "another hash: the journal was rewritten",
    ),
    # One that she does not see is taken out.
    (["DELETE FROM journal WHERE id = {2}"], "rewritten"),
    # The end is cut off.
    (["DELETE FROM journal WHERE id > {3}"], "the journal has no record {5}: its end was cut off"),
    # Hers is made somebody else's.
    (["UPDATE journal SET cluster = 'vc2' WHERE id = {4}"], "another hash: the journal was rewritten"),
]
"""What somebody does who hashes all anew after it, and what the receipts say to that."""


async def test_what_was_hashed_anew_is_contradicted_by_receipts(site: Site, ada: Link, story: int) -> None:
    ids = [story + number for number in range(8)]
    for statements, problem in FORGERIES:
        with put_back(site):
            tamper(site, *(statement.format(*ids) for statement in statements))
            rehash(site)
            found = await checked(site, ada, site.ada, "vc1")
        assert not found.ok
        assert any(problem.format(*ids) in said for _, said in found.contradicted), (statements, found)
    assert (await checked(site, ada, site.ada, "vc1")).ok


async def test_a_record_that_is_hidden_with_its_hash_unchanged_is_missed(
    site: Site, ada: Link, story: int
) -> None:
    tamper(site, f"UPDATE journal SET cluster = 'vc2' WHERE id = {story + 4}")
    found = await checked(site, ada, site.ada, "vc1")
    assert found.report.broken is None
    assert [id for id, _ in found.contradicted] == [story + 5]
    assert "a request of yours in vc1, and is not shown" in found.contradicted[0][1]


async def test_what_was_shown_before_is_remembered(site: Site, ada: Link, story: int) -> None:
    seen = {record.id: record.hash for record in await records(ada, "vc1")}
    assert (await verify(ada, "vc1", airboss={ada.hello.airboss}, seen=seen)).ok
    tamper(site, f"UPDATE journal SET principal = 'nobody' WHERE id = {story}")
    rehash(site)
    found = await verify(ada, "vc1", airboss={ada.hello.airboss}, seen=seen)
    assert found.report.broken is None
    assert "had another hash when it was shown before" in found.contradicted[0][1]


async def test_a_follower_is_told_that_the_end_was_cut_off(site: Site, ada: Link, story: int) -> None:
    following = await Following(ada, "vc1").begun()
    tamper(site, f"DELETE FROM journal WHERE id > {story}")
    rehash(site)
    await ada.call("power.on", "vc1", [NODE])
    await until(following.task.done, 30, "the stream has ended")
    with pytest.raises(StorageError, match="went on to record"):
        await following.task
