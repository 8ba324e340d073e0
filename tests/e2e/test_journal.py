"""The journal from outside, on a real airboss: who sees what, what follows, and what cannot be hidden."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from keys.signers import SignerLine
from pilot import wire
from pilot.agent import journal_chain as chain
from pilot.agent import schema
from pilot.agent.settings import load_settings
from pilot.errors import RefusedError, StorageError, UnreachableError
from pilot.journal import Record, entry, hash_of
from pilot.journal_check import Receipt
from pilot.link.channel import Channel
from pilot.link.link import Link
from pilot.link.receipts import Receipts
from pilot.live.journal import receipts_in
from pilot.live.journal_verify import Verified, verify
from tests.e2e.conftest import MakeSite, Site
from tests.support.airboss import Person
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

# What nobody has is asked for: that is refused for each node, and journaled as what works is.
NODE = "compute-0-0"


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    """An airboss without hosts; what matters here is who asked for what."""
    return await make_site(0)


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    async with await site.ada.link() as link:
        keep(link, site.ada)
        yield link


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[Link]:
    async with await site.bob.link() as link:
        keep(link, site.bob)
        yield link


def keep(link: Link, person: Person) -> None:
    """Keep this person's receipts, as `pilot` does."""
    link._receipts = Receipts(person.folder / "receipts.jsonl")


def receipts(person: Person) -> list[Receipt]:
    return receipts_in(person.folder / "receipts.jsonl")


async def records(link: Link, cluster: str, **how: int | bool) -> list[Record]:
    found: list[Record] = []
    async for page in link.journal(cluster, follow=False, **how):  # type: ignore[arg-type]
        found += page.records
    return found


class Following:
    """A stream that is read as it comes."""

    def __init__(self, link: Link, cluster: str, sealed: bool = False, last: int = 0) -> None:
        self.pages: list[wire.JournalPage] = []
        self.task = asyncio.create_task(self._read(link, cluster, sealed, last))

    async def _read(self, link: Link, cluster: str, sealed: bool, last: int) -> None:
        async for page in link.journal(cluster, last=last, sealed=sealed):
            self.pages.append(page)

    async def begun(self) -> Following:
        await until(lambda: self.pages or self.task.done(), 5, "the first page")
        return self

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages for record in page.records]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_an_owner_sees_the_own_cluster_and_nothing_of_any_other(
    site: Site, ada: Link, bob: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("power.on", "power.off"):
        await ada.call(verb, "vc1", [f"secret-{verb}"])
    await bob.call("power.reset", "vc2", ["mine"])
    with pytest.raises(RefusedError):
        await ada.call("power.on", "vc2", ["secret-refused"])

    seen = bytearray()
    real = Channel.data_received

    def taps(self: Channel, data: bytes, kind: int | None) -> None:
        seen.extend(data)
        real(self, data, kind)

    monkeypatch.setattr(Channel, "data_received", taps)
    mine = await records(bob, "vc2", last=5000)
    assert [(r.kind, r.verb, r.principal) for r in mine] == [
        ("intent", "power.reset", "bob"),
        ("outcome", "", ""),
    ]
    places = 0
    async for page in bob.journal("vc2", last=5000, follow=False, sealed=True):
        assert [record.id for record in page.records] == [record.id for record in mine]
        places += len(page.records) + len(page.sealed)
    assert places == mine[-1].id + 1  # Ada's refusal came last.
    for before in (1, 2, mine[0].id, mine[-1].id, 2**53):
        for count in (0, 1, 5000):
            for sealed in (False, True):
                found = await records(bob, "vc2", last=count, before=before, sealed=sealed)
                assert {record.id for record in found} <= {record.id for record in mine}
    for cluster in ("vc1", "", "*", "vc3", "vc2 "):
        with pytest.raises(RefusedError):
            await records(bob, cluster)
    # Nothing of hers came over the wire in any form, sealed or not, except the names of what he asked for.
    for word in (b"ada", b"secret", b"cluster.add", b"key.add", b"airboss.start", b"power.on"):
        assert word not in seen, word
    assert site.ada.fingerprint.encode() not in seen


async def test_who_only_operates_does_not_read_the_journal(site: Site) -> None:
    operator = await site.airboss.person("otto", "vc1", "operator")
    async with await operator.link() as link:
        with pytest.raises(RefusedError, match="owner"):
            await records(link, "vc1")


async def test_a_site_admin_sees_everything_and_an_owner_of_all_clusters_does_not(
    site: Site, ada: Link
) -> None:
    await ada.call("power.on", "vc1", [NODE])
    root = await site.airboss.person("root-ada", "*", "admin")
    async with await root.link() as link:
        everything = await records(link, "", last=5000)
        assert [record.id for record in everything] == list(range(1, len(everything) + 1))
        assert {"cluster.add", "key.add", "airboss.start", "power.on"} <= {r.verb for r in everything}
        of_one = await records(link, "vc1", last=5000)
        assert {"cluster.add", "key.add", "power.on"} <= {r.verb for r in of_one}
        assert all(r.cluster == "vc1" or r.kind == "outcome" for r in of_one)
        following = await Following(link, "").begun()
        # By another program, which tells airboss of it only in the database.
        await site.airboss.admin("cluster", "add", "vc9")
        await until(lambda: any(r.cluster == "vc9" for r in following.records), 3, "the admin's act")
        await following.stop()
    landlord = await site.airboss.person("landlord", "*", "owner")
    async with await landlord.link() as link:
        assert {r.verb for r in await records(link, "vc1")} == {"power.on", ""}
        for cluster in ("", "*", "vc7"):
            found: list[Record] = []
            try:
                found = await records(link, cluster)
            except RefusedError:
                assert cluster == ""
            assert not found


async def test_what_is_asked_is_followed_at_once_by_those_who_may_see_it(
    site: Site, ada: Link, bob: Link
) -> None:
    hers = await Following(ada, "vc1").begun()
    his = await Following(bob, "vc2").begun()
    begin = time.monotonic()
    await ada.call("power.on", "vc1", [NODE])
    await until(lambda: len(hers.records) == 2, 1, "intent and outcome")
    assert time.monotonic() - begin < 1
    intent, outcome = hers.records
    assert (intent.verb, intent.principal, outcome.intent) == ("power.on", "ada", intent.id)
    for number in range(20):
        await ada.call("power.on", "vc1", [f"n{number}"])
    await until(lambda: len(hers.records) == 42, 3)
    assert [r.id for r in hers.records] == sorted({r.id for r in hers.records})
    # What others do is no event for him: not even an empty page more than the pulse.
    assert len(his.pages) <= 2
    assert not his.records
    await bob.call("power.on", "vc2", [NODE])
    await until(lambda: len(his.records) == 2, 1)
    await hers.stop()
    await his.stop()


async def test_who_loses_the_key_loses_the_stream_and_only_that(site: Site) -> None:
    person = await site.airboss.person("eve", "vc1")
    await site.airboss.entitle(person, "vc2")
    async with await person.link() as link:

        async def both() -> bool:
            try:
                return (await records(link, "vc2", last=1)) == []
            except RefusedError:
                return False

        await until(both, 3, "both clusters are hers")
        first, second = await Following(link, "vc1").begun(), await Following(link, "vc2").begun()
        await site.airboss.admin("key", "remove", "vc1", person.fingerprint)
        await until(first.task.done, 3, "the stream has ended")
        with pytest.raises(RefusedError, match="not entitled"):
            await first.task
        await link.call("power.on", "vc2", [NODE])
        await until(lambda: len(second.records) == 2, 2, "the other one goes on")
        # A role that does not reach any more is as good as none.
        line = SignerLine(principals=(person.name,), key_blob=person.key_blob)
        site.airboss.editor.add_signers("vc2", "operator", [line])
        await until(second.task.done, 3, "the stream has ended")
        with pytest.raises(RefusedError):
            await second.task
        third = asyncio.create_task(records(link, "vc2"))
        with pytest.raises(RefusedError):
            await third
        await site.airboss.admin("key", "remove", "vc2", person.fingerprint)
        await until(lambda: link.closed, 3, "the connection is closed")
        with pytest.raises(UnreachableError):
            await records(link, "vc2")


async def test_readers_that_do_not_read_slow_nobody(site: Site, ada: Link, bob: Link) -> None:
    """Twenty streams of 20 MB each that nobody reads, and verbs beside them."""
    text = "x" * 100_000
    with site.airboss.editor._database.write() as connection:
        fat = [
            entry(time.time(), "event", principal="p", auth="ssh", cluster="vc1", verb="x", result=text)
            for _ in range(200)
        ]
        chain.append(connection, fat)
    async with AsyncExitStack() as stack:
        for _ in range(20):
            channel = await ada._open("journal.read", "vc1", (), {"last": 5000})
            stack.callback(channel.close)
            assert channel._chan is not None
            channel._chan.pause_reading()
        took = []
        for number in range(30):
            begin = time.monotonic()
            await bob.call("power.on", "vc2", [f"n{number}"])
            took.append(time.monotonic() - begin)
        assert sorted(took)[len(took) // 2] < 0.2, took
        assert site.airboss.process is not None
        status = Path(f"/proc/{site.airboss.process.pid}/status").read_text()
        kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        assert kib < 300 * 1024, "what nobody reads is not read from the disk either"
        # Who does read gets it all meanwhile.
        assert len(await records(ada, "vc1", last=5000)) == 200


# --- checking from outside -----------------------------------------------------------------------


def database_of(site: Site) -> Path:
    return Path(load_settings(site.airboss.config).database_url.removeprefix("sqlite:///"))


def tamper(site: Site, *statements: str) -> None:
    """Change the database behind airboss's back."""
    with sqlite3.connect(database_of(site), timeout=10) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


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
    await until(following.task.done, 7, "the stream has ended")
    with pytest.raises(StorageError, match="went on to record"):
        await following.task


# --- pilot journal -------------------------------------------------------------------------------


async def pilot(person: Person, site: Site, *words: str) -> tuple[int, str, str]:
    config = person.folder / "config"
    config.mkdir(mode=0o700, exist_ok=True)
    address = ("--site", f"127.0.0.1:{site.airboss.port}", "--key", str(person.key), "--accept-new")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.cli", *words, *address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=person.environment,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return process.returncode, out.decode(), err.decode()


async def test_pilot_journal_shows_and_checks(site: Site) -> None:
    await pilot(site.ada, site, "power", "on", NODE, "compute-0-[1-3]", "--cluster", "vc1")
    code, out, _ = await pilot(site.ada, site, "journal", "--cluster", "vc1")
    assert code == 0
    heading, row = out.splitlines()
    assert heading.split() == ["TIME", "WHO", "VERB", "NODES", "OUTCOME", "TOOK"]
    assert "ada  power.on  compute-0-0 compute-0-[1-3]  ✕ 2 refused" in row
    code, out, _ = await pilot(site.ada, site, "journal", "--json", "--last", "1")
    assert code == 0
    (outcome,) = (json.loads(line) for line in out.splitlines())
    assert (outcome["kind"], outcome["result"][0]["target"]) == ("outcome", NODE)
    code, out, err = await pilot(site.ada, site, "journal", "--verify")
    assert (code, err) == (0, ""), err
    assert "1 of your receipts were compared, 0 contradictions" in out
    tamper(site, f"UPDATE journal SET result = '[]' WHERE id = {outcome['id']}")
    code, out, err = await pilot(site.ada, site, "journal", "--verify", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["broken"]) == (1, False, outcome["id"])
    code, out, err = await pilot(site.ada, site, "journal", "--verify")
    assert f"BROKEN at record {outcome['id']}" in out
    assert "Tell the site's admin" in err
    assert (await pilot(site.bob, site, "journal", "--cluster", "vc1"))[0] == 3
    code, out, err = await pilot(site.bob, site, "journal")
    assert (code, out) == (0, "")
    assert "nothing in the journal of vc2" in err


async def test_pilot_journal_follows_through_a_restart_of_airboss(site: Site, ada: Link) -> None:
    await ada.call("power.on", "vc1", ["first"])
    address = ("--site", f"127.0.0.1:{site.airboss.port}", "--key", str(site.ada.key), "--accept-new")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.cli", "journal", "--follow", *address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=site.ada.environment,
    )
    assert process.stdout is not None
    out = process.stdout

    async def line_with(word: bytes) -> str:
        async with asyncio.timeout(20):
            while word not in (line := await out.readline()):
                assert line, "it has ended"
        return line.decode()

    try:
        assert "✕ refused" in await line_with(b"first")
        await ada.call("power.off", "vc1", ["second"])
        assert "ada  power.off  second" in await line_with(b"second")
        await site.airboss.stop()
        await site.airboss.start()
        async with await site.ada.link() as again:
            await again.call("power.reset", "vc1", ["third"])
        assert "ada  power.reset  third" in await line_with(b"third")
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            rest, err = await process.communicate()
    assert process.returncode == 130
    assert b"first" not in rest, "nothing is told twice"
    assert b"connected again" in err
