"""Who sees which records of the journal: an owner's own, a site admin's all, and of the rest no content."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pilot import journal as shared
from pilot.agent import journal_chain as chain
from pilot.agent import journal_view as view
from pilot.agent import schema
from pilot.agent.database import Database
from pilot.agent.journal_view import Scope
from pilot.errors import StorageError
from pilot.journal import Auth, Entry, Kind
from tests.agent.journals import open_database

NOW = 1_800_000_000.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path)
    yield database
    database.close()


def put(database: Database, *entries: Entry) -> None:
    with database.write() as connection:
        chain.append(connection, entries)


def entry(
    kind: Kind, cluster: str = "", verb: str = "power.on", auth: Auth = "ssh", at: float = NOW, **more: str
) -> Entry:
    return shared.entry(at, kind, principal="p", auth=auth, cluster=cluster, verb=verb, result=more or None)


def owner(cluster: str = "vc1", sealed: bool = False, since: float = NOW) -> Scope:
    return Scope(cluster, False, sealed, since)


def admin(cluster: str = "", sealed: bool = False) -> Scope:
    return Scope(cluster, True, sealed)


def ids(database: Database, scope: Scope, before: int = 0, count: int = 100) -> list[int]:
    """The ids of all records that such a reader is given, in parts and as news, which must be the same."""
    past = view.past(database, scope, before, count)
    found: list[int] = []
    left = past.ids
    while left:
        part = view.read(database, scope, left)
        found += [record.id for record in part.records]
        left = [id for id in left if id > part.upto]
    if not before and count == 100:
        after, more, news = 0, True, []
        while more:
            part, more = view.news(database, scope, after)
            news += [record.id for record in part.records]
            after = part.upto
        assert news == found
    return found


@pytest.fixture
def two_clusters(database: Database) -> Database:
    put(
        database,
        entry("event", "vc1", "cluster.add", "admin"),  # 1
        entry("event", "vc1", "key.add", "admin", secret="line"),  # 2
        entry("event", verb="airboss.start", auth="airboss"),  # 3
        entry("intent", "vc1"),  # 4
        entry("intent", "vc2"),  # 5
        shared.outcome(NOW, 5, "theirs"),  # 6
        shared.outcome(NOW, 4, "ours"),  # 7
        entry("event", verb="refused"),  # 8
        entry("event", "vc1", "airboss.recover", "airboss"),  # 9
        entry("intent", "vc1", "cluster.adopt", "admin"),  # 10
        shared.outcome(NOW, 10, "host names"),  # 11
        entry("event", "vc2", "console.leave"),  # 12
        entry("event", "*", "key.add", "admin"),  # 13
        entry("intent", "vc1"),  # 14
    )
    return database


def test_an_owner_sees_the_records_of_the_cluster_and_nothing_else(two_clusters: Database) -> None:
    assert ids(two_clusters, owner()) == [4, 7, 9, 14]
    assert ids(two_clusters, owner("vc2")) == [5, 6, 12]
    assert ids(two_clusters, owner("vc3")) == []
    assert ids(two_clusters, owner("*")) == []
    assert ids(two_clusters, owner("")) == []


def test_a_site_admin_sees_what_names_the_cluster_or_everything(two_clusters: Database) -> None:
    assert ids(two_clusters, admin("vc1")) == [1, 2, 4, 7, 9, 10, 11, 14]
    assert ids(two_clusters, admin("*")) == [13]
    assert ids(two_clusters, admin()) == list(range(1, 15))


def test_the_newest_ones_are_found_near_the_end_and_far_from_it(database: Database) -> None:
    """An outcome can come long after its intent."""
    put(database, entry("intent", "vc1"), entry("intent", "vc1"), shared.outcome(NOW, 2, "soon"))
    put(database, *(entry("event", "vc2") for _ in range(40)), shared.outcome(NOW, 1, "late"))
    for count, found in enumerate([[], [44], [3, 44], [2, 3, 44], [1, 2, 3, 44], [1, 2, 3, 44]]):
        assert ids(database, owner(), count=count) == found
    assert ids(database, owner(), before=44, count=2) == [2, 3]


def test_the_newest_ones_before_a_record(two_clusters: Database) -> None:
    assert ids(two_clusters, owner(), count=2) == [9, 14]
    assert ids(two_clusters, owner(), before=14, count=2) == [7, 9]
    assert ids(two_clusters, owner(), before=7, count=5) == [4]
    assert ids(two_clusters, owner(), before=4) == []
    assert ids(two_clusters, owner(), before=2**53, count=1) == [14]
    assert ids(two_clusters, owner(), count=0) == []
    assert ids(two_clusters, admin(), before=5, count=2) == [3, 4]
    assert ids(two_clusters, admin(), before=1) == []


def test_a_name_that_is_given_again_does_not_show_the_time_before(database: Database) -> None:
    put(
        database,
        entry("intent", "vc1", at=NOW - 10),
        entry("event", "vc1", "airboss.recover", "airboss", at=NOW - 5),
        shared.outcome(NOW + 1, 1, "of the tenants before"),
        entry("intent", "vc1", at=NOW + 2),
        shared.outcome(NOW + 3, 4, "ours"),
    )
    assert ids(database, owner()) == [4, 5]
    assert ids(database, owner(since=float("inf"))) == []
    assert ids(database, admin("vc1")) == [1, 2, 3, 4, 5]


def test_of_a_sealed_record_the_place_and_the_hash_is_all_there_is(two_clusters: Database) -> None:
    past = view.past(two_clusters, owner(sealed=True), 0, 100)
    part = view.read(two_clusters, owner(sealed=True), past.ids)
    assert [record.id for record in part.records] == [4, 7, 9, 14]
    assert [head.id for head in part.sealed] == [1, 2, 3, 5, 6, 8, 10, 11, 12, 13]
    everything = {record.id: record for record in view.read(two_clusters, admin(), past.ids).records}
    assert [head.hash for head in part.sealed] == [everything[head.id].hash for head in part.sealed]
    told = msgspec.msgpack.encode(part.sealed)
    for word in (b"vc2", b"theirs", b"line", b"key.add", b"root", b"intent"):
        assert word not in told
    # Who does not ask for them is told of no other record, nor how many there are.
    assert view.read(two_clusters, owner(), past.ids).sealed == ()
    assert view.past(two_clusters, owner(sealed=True), 5, 2).ids == range(3, 5)


def test_rights_that_shrink_between_two_parts_count(two_clusters: Database) -> None:
    past = view.past(two_clusters, admin(), 0, 100)
    assert [record.id for record in view.read(two_clusters, owner(), past.ids).records] == [4, 7, 9, 14]


def test_parts_are_bounded_in_bytes_and_in_records(database: Database) -> None:
    big = "x" * (view.PART_BYTES // 3)
    put(database, *(entry("event", "vc1", text=big) for _ in range(10)), entry("event", "vc1"))
    for sealed in (False, True):
        past = view.past(database, owner(sealed=sealed), 0, 100)
        part = view.read(database, owner(sealed=sealed), past.ids)
        assert (len(part.records), part.upto) == (2, 2)
    assert ids(database, owner()) == list(range(1, 12))
    put(database, *(entry("event", "vc1") for _ in range(view.PART_RECORDS + 50)))
    past = view.past(database, owner(), 0, 5000)
    assert len(view.read(database, owner(), past.ids[11:]).records) == view.PART_RECORDS
    assert len(ids(database, owner(), count=5000)) == view.PART_RECORDS + 61


def test_a_record_that_fits_no_frame_is_sealed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MAX_RECORD_BYTES", 2000)
    put(database, entry("event", "vc1"), entry("event", "vc1", text="x" * 3000), entry("event", "vc1"))
    for sealed in (False, True):
        part = view.read(database, owner(sealed=sealed), range(1, 4))
        assert [record.id for record in part.records] == [1, 3]
        assert [head.id for head in part.sealed] == [2]
        assert part.upto == 3


def test_a_journal_that_got_shorter_is_said(two_clusters: Database) -> None:
    with two_clusters.write() as connection:
        connection.execute(schema.journal.delete().where(schema.journal.c.id > 12))
        connection.execute(schema.journal_head.update().values(last=12))
    with pytest.raises(StorageError, match="went on to record 14 before, and ends at record 12"):
        view.news(two_clusters, owner(), 14)


def test_one_cluster_is_found_among_many_without_reading_all(database: Database) -> None:
    """A cluster's newest records come at once, however much others have written since."""
    entries = []
    for number in range(1, 40_001, 2):
        cluster = "vc1" if number < 200 else "vc2"
        entries += [entry("intent", cluster), shared.outcome(NOW, number, "done")]
    put(database, *entries)
    begin = time.thread_time()
    past = view.past(database, owner(), 0, 50)
    assert list(past.ids) == list(range(151, 201))
    assert time.thread_time() - begin < 0.05  # reading all would take ten times as long
    with database.read() as connection:
        plans = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT o.id FROM journal i JOIN journal o ON o.intent = i.id "
            "WHERE i.cluster = 'vc1' AND o.kind = 'outcome' ORDER BY o.id DESC LIMIT 50"
        ).all()
    assert not any(str(plan[-1]).startswith("SCAN") for plan in plans), plans


def test_an_older_database_is_brought_up_to_date_with_its_records(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    put(database, entry("intent", "vc1"), shared.outcome(NOW, 1, "done"))
    with database.write() as connection:
        connection.exec_driver_sql("DROP INDEX journal_cluster")
        first = {"generation", "clusters", "signers", "journal", "journal_head"}
        for table in schema.metadata.tables.keys() - first:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    database.close()
    database = open_database(tmp_path)
    assert database.version() == schema.HEAD
    assert ids(database, owner()) == [1, 2]
    database.close()
