"""The journal as airboss uses it: durable, many at once, through a full disk, a crash, another program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from pilot.agent import journal as journal_module
from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.journal_read import Filter, last, open_intents, pages, read
from pilot.agent.journal_verify import verify_journal
from pilot.errors import BusyError, DeadlineError, StorageError
from tests.agent.journals import RESULT, append_intent, append_pair, open_database
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path)
    yield database
    database.close()


@asynccontextmanager
async def _journal(database: Database, queue_size: int = 4096) -> AsyncIterator[Journal]:
    journal = Journal(database, queue_size=queue_size)
    try:
        yield journal
    finally:
        await journal.close()


@contextmanager
def _held(database: Database) -> Iterator[None]:
    """Another program writes, and takes its time."""
    other = sqlite3.connect(str(database.path), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")
    finally:
        other.close()


async def test_what_is_written_is_read(database: Database) -> None:
    async with _journal(database) as journal:
        intent = await append_intent(journal)
        assert [record.id for record in open_intents(database)] == [intent]
        head = await journal.outcome(intent, RESULT)
        await journal.event(actor="root", auth="admin", verb="cluster.add", cluster="vi-2")
    assert open_intents(database) == []
    records = read(database)
    assert [(r.id, r.kind, r.intent) for r in records] == [
        (1, "intent", 0),
        (2, "outcome", 1),
        (3, "event", 0),
    ]
    assert records[1].hash == head.hash
    report = verify_journal(database)
    assert (report.records, report.signed, report.open, report.broken) == (3, 1, 0, None)


async def test_an_intent_is_on_disk_when_it_returns(database: Database, tmp_path: Path) -> None:
    async with _journal(database) as journal:
        await append_intent(journal)
        # A copy of the files is what a power cut leaves.
        for file in tmp_path.glob("x.db*"):
            (tmp_path / file.name.replace("x.db", "copy.db")).write_bytes(file.read_bytes())
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT kind FROM journal").fetchall() == [("intent",)]
    copy.close()


async def test_filters_and_pages(database: Database) -> None:
    async with _journal(database) as journal:
        await append_pair(journal)
        intent = await append_intent(journal, 2)
        await journal.event(actor="root", auth="admin", verb="cluster.add", cluster="vi-2")
    ids = [[record.id for record in page] for page in pages(database, size=3)]
    assert ids == [[1, 2, 3], [4]]
    for wanted, found in [
        (Filter(cluster="vi-1"), [1, 2, 3]),
        (Filter(cluster="vi-2"), [4]),
        (Filter(principal="owner@vi-1", verb="power.on"), [1, 2, 3]),
        (Filter(verb="power.off"), []),
        (Filter(open=True), [intent]),
        (Filter(kind="outcome", cluster="vi-1"), [2]),
        (Filter(since=2**40), []),
        (Filter(until=1.0), []),
    ]:
        assert [record.id for record in read(database, wanted)] == found
    assert [record.id for record in last(database, Filter(), 2)] == [3, 4]


async def test_many_at_once_share_commits(database: Database) -> None:
    commits = 0
    real = database.write

    def count() -> object:
        nonlocal commits
        commits += 1
        return real()

    database.write = count  # type: ignore[method-assign, assignment]
    async with _journal(database) as journal:
        with _held(database):
            first = asyncio.create_task(append_intent(journal))
            await until(lambda: _at_work(journal))
            others = [asyncio.create_task(append_intent(journal, seq)) for seq in range(2, 201)]
            await until(lambda: journal.waiting == 199)
        assert sorted(await asyncio.gather(first, *others)) == list(range(1, 201))
    assert commits <= 3
    assert verify_journal(database).signed == 200


async def test_a_full_queue_refuses(database: Database) -> None:
    async with _journal(database, queue_size=1) as journal:
        with _held(database):
            first = asyncio.create_task(append_intent(journal))
            await until(lambda: _at_work(journal))
            second = asyncio.create_task(append_intent(journal, 2))
            await until(lambda: journal.waiting == 1)
            with pytest.raises(BusyError, match="nothing was done"):
                await append_intent(journal, 3)
            with pytest.raises(BusyError):
                await journal.outcome(1, RESULT)
        assert await first == 1
        later = await second
        # A refused intent is gone; a refused outcome is kept.
        await until(lambda: len(read(database)) == 3)
    assert [record.id for record in open_intents(database)] == [later]


async def test_cancelled_while_it_waits_or_is_written(database: Database) -> None:
    async with _journal(database) as journal:
        with _held(database):
            first = asyncio.create_task(append_intent(journal))
            await until(lambda: _at_work(journal))
            second = asyncio.create_task(append_intent(journal, 2))
            await until(lambda: journal.waiting == 1)
            first.cancel()
            second.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
        await until(lambda: len(read(database)) == 2)
    # The first was too late to be taken back: that nothing was done about it is said. The second never was.
    records = read(database)
    assert [(record.kind, record.intent) for record in records] == [("intent", 0), ("outcome", 1)]
    assert "nothing was done" in str(records[1].result)
    assert verify_journal(database).broken is None


def _at_work(journal: Journal) -> bool:
    """Whether the writer has taken what waited and is at work on it."""
    frame = sys._current_frames().get(journal._thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "_commit":
            return True
        frame = frame.f_back
    return False


async def test_a_disk_that_hangs_is_said(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "APPEND_SECONDS", 0.2)
    journal = Journal(database)
    with _held(database), pytest.raises(DeadlineError, match="has not answered"):
        await append_intent(journal)
    await until(lambda: len(read(database)) == 2)
    assert open_intents(database) == []
    monkeypatch.undo()
    await journal.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, timeout=10
    )
    if mounted.returncode != 0:
        pytest.skip("NOT TESTED: a full disk needs root to mount a small one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


async def _append_until_refused(journal: Journal) -> None:
    for seq in range(2, 2000):
        await append_intent(journal, seq)


async def test_a_full_disk_refuses_and_recovers(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = open_database(small_disk)
    async with _journal(database) as journal:
        early = await append_intent(journal)
        _fill(small_disk / "ballast")
        with pytest.raises(StorageError, match=r"the disk that holds .* is full") as caught:
            await _append_until_refused(journal)
        assert "Free space" in caught.value.hint
        with pytest.raises(StorageError, match="is full"):
            await journal.outcome(early, [{"target": "x" * 20_000, "result": "done"}])
        written = len(read(database))
        (small_disk / "ballast").unlink()
        await append_pair(journal, 5000)
        # The outcome that found no room has not been forgotten.
        await until(lambda: early not in {record.id for record in open_intents(database)})
        assert len(read(database)) == written + 3
        report = verify_journal(database)
    database.close()
    assert report.broken is None
    assert "cannot be written" in caplog.text
    assert "written again" in caplog.text


_WRITER = """
import asyncio, os, sys
from tests.agent.journals import append_pair
from pilot.agent.database import Database
from pilot.agent.journal import Journal

async def main():
    database = Database.open(sys.argv[1])
    journal = Journal(database)
    print("ready", flush=True)
    async def client(number):
        for seq in range(int(sys.argv[2])):
            await append_pair(journal, os.getpid() * 100_000 + number * 1000 + seq)
    await asyncio.gather(*(client(number) for number in range(8)))
    await journal.close()

asyncio.run(main())
"""


def _writer(database: Database, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _WRITER, str(database.url), str(count)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )


def test_two_programs_append_at_once(database: Database) -> None:
    writers = [_writer(database, 25) for _ in range(2)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    report = verify_journal(database)
    assert (report.records, report.signed, report.open, report.broken) == (800, 400, 0, None)


def test_killed_in_the_middle_leaves_a_journal_that_holds(database: Database) -> None:
    writer = _writer(database, 100_000)
    assert writer.stdout
    assert writer.stdout.readline() == "ready\n"
    enough = threading.Event()

    def watch() -> None:
        while len(last(database, Filter(), 200)) < 200 and writer.poll() is None:
            pass
        enough.set()

    threading.Thread(target=watch, daemon=True).start()
    assert enough.wait(60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate(timeout=10)
    report = verify_journal(database)
    assert report.broken is None
    assert report.records >= 200
    # What was at work is known, and is no more than was.
    assert len(open_intents(database)) == report.open <= 8


async def test_closed(database: Database) -> None:
    journal = Journal(database)
    waiting = asyncio.create_task(append_pair(journal))
    await until(lambda: len(read(database)) > 0)
    await journal.close()
    with pytest.raises(StorageError, match="closed"):
        await append_intent(journal)
    await asyncio.gather(waiting, return_exceptions=True)
