"""`journal.read` as a stream: the past, then what is written, by the rights of each moment, and a pulse."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from pilot import journal as shared
from pilot import wire
from pilot.agent import journal_chain as chain
from pilot.agent import journal_stream, journal_view
from pilot.agent.aside import Aside
from pilot.agent.caller import Caller
from pilot.agent.database import Database
from pilot.agent.gate import Asked
from pilot.agent.journal import Journal
from pilot.agent.journal_stream import JournalStreams
from pilot.agent.policy import role_in
from pilot.errors import DeadlineError, RefusedError
from pilot.records import Grant, Role
from pilot.verbs import BY_ID
from tests.agent.journals import open_database
from tests.support.waiting import until

OWNER = Grant("vc1", "owner")
ADMIN = Grant("*", "admin")


class Entitled:
    """A caller reduced to its grants, which a test changes."""

    def __init__(self, *grants: Grant) -> None:
        self.all = grants

    def grants(self) -> tuple[Grant, ...]:
        return self.all

    def role(self, cluster: str) -> Role | None:
        return role_in(self.all, cluster)


class Outlet:
    """Where pages go; `room` is cleared to read no more."""

    def __init__(self) -> None:
        self.pages: list[wire.JournalPage] = []
        self.room = asyncio.Event()
        self.room.set()

    async def send(self, frame: wire.ServerFrame) -> None:
        assert isinstance(frame, wire.JournalPage)
        self.pages.append(frame)
        await self.room.wait()

    @property
    def ids(self) -> list[int]:
        return [record.id for page in self.pages for record in page.records]


class Scene:
    """A journal, and somebody who reads it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.journal = Journal(database)
        self.streams = JournalStreams(database, self.journal, lambda _cluster: 0.0)
        self.tasks: list[asyncio.Task[None]] = []

    def read(
        self, caller: Entitled, cluster: str = "vc1", **args: int | bool
    ) -> tuple[Outlet, asyncio.Task[None]]:
        verb, out = BY_ID["journal.read"], Outlet()
        asked = Asked(verb, cluster, (), verb.arguments(dict(args)))
        task = asyncio.create_task(self.streams.stream(cast("Caller", caller), asked, out))
        self.tasks.append(task)
        return out, task

    async def did(self, cluster: str = "vc1") -> int:
        """Somebody asks for something; the outcome's id."""
        intent = await self.journal.intent(
            actor="ada", fingerprint="f", auth="ssh", cluster=cluster, verb="power.on"
        )
        return (await self.journal.outcome(intent, [])).id

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.journal.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    database = open_database(tmp_path)
    scene = Scene(database)
    yield scene
    await scene.close()
    database.close()


async def test_the_past_comes_in_pages_and_ends_there_if_that_is_all(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_view, "PART_RECORDS", 3)
    for _ in range(4):
        await scene.did()
    out, task = scene.read(Entitled(OWNER), follow=False)
    async with asyncio.timeout(20):
        await task
    assert [([r.id for r in page.records], page.more) for page in out.pages] == [
        ([1, 2, 3], True),
        ([4, 5, 6], True),
        ([7, 8], False),
    ]
    assert all(page.head is None for page in out.pages)
    out, task = scene.read(Entitled(OWNER), follow=False, last=0, sealed=True)
    async with asyncio.timeout(20):
        await task
    (page,) = out.pages
    assert page.head is not None
    assert (page.head.id, page.records, page.more) == (8, (), False)


async def test_what_is_written_comes_at_once_and_together(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_stream, "PULSE_SECONDS", 3600.0)  # nothing comes because of that
    out, _ = scene.read(Entitled(OWNER))
    await until(lambda: out.pages, 20)
    await scene.did()
    await until(lambda: out.ids == [1, 2], 20)
    pages = len(out.pages)
    await asyncio.gather(*(scene.did() for _ in range(200)))
    await until(lambda: len(out.ids) == 402, 20)
    assert out.ids == list(range(1, 403))
    assert len(out.pages) - pages < 40, "what is written at once comes in few pages"


async def test_others_records_are_no_event(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    real = journal_view.news

    def count(*args: object, **more: object) -> object:
        nonlocal looks
        looks += 1
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(journal_view, "news", count)
    out, _ = scene.read(Entitled(OWNER))
    theirs, _ = scene.read(Entitled(Grant("vc2", "owner")), "vc2")
    everything, _ = scene.read(Entitled(ADMIN), "")
    sealed, _ = scene.read(Entitled(OWNER), sealed=True)
    await until(lambda: all(one.pages for one in (out, theirs, everything, sealed)), 20)
    for _ in range(5):
        await scene.did("vc2")
    await until(lambda: len(theirs.ids) == 10, 20)
    await until(lambda: len(everything.ids) == 10, 20)
    await until(lambda: sum(len(page.sealed) for page in sealed.pages) == 10, 20)
    assert len(out.pages) == 1
    assert not sealed.ids


async def test_a_pulse_says_that_airboss_is_there_and_finds_what_others_wrote(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_stream, "PULSE_SECONDS", 0.1)
    out, _ = scene.read(Entitled(ADMIN), "")
    await until(lambda: len(out.pages) >= 4, 20)
    assert not out.ids
    with scene.database.write() as connection:  # as `pilot-agent` does
        chain.append(
            connection, [shared.entry(1.0, "event", principal="root", auth="admin", verb="cluster.add")]
        )
    await until(lambda: out.ids == [1], 20)


@pytest.mark.parametrize("last", [0, 500])
async def test_rights_that_end_end_the_stream(scene: Scene, last: int) -> None:
    caller = Entitled(OWNER, Grant("vc2", "owner"))
    out, task = scene.read(caller, last=last)
    await until(lambda: out.pages, 20)
    caller.all = (Grant("vc2", "owner"), Grant("vc1", "operator"))
    scene.streams.recheck()
    with pytest.raises(RefusedError):
        async with asyncio.timeout(20):
            await task
    out, task = scene.read(caller)
    with pytest.raises(RefusedError):
        await task
    assert not out.pages


async def test_an_admin_who_is_one_no_more_sees_what_an_owner_sees(scene: Scene) -> None:
    caller = Entitled(ADMIN, OWNER)
    out, _ = scene.read(caller)
    everything, task = scene.read(caller, "")
    await until(lambda: out.pages and everything.pages, 20)
    caller.all = (OWNER,)
    scene.streams.recheck()
    with pytest.raises(RefusedError):
        async with asyncio.timeout(20):
            await task
    await scene.journal.event(actor="root", auth="admin", verb="key.add", cluster="vc1")
    await scene.did()
    await until(lambda: out.ids == [2, 3], 20)


async def test_rights_that_end_while_the_disk_is_read_count(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.did()
    caller = Entitled(OWNER)
    reading, go_on = threading.Event(), threading.Event()
    real = journal_view.read

    def slow(*args: object, **more: object) -> object:
        reading.set()
        assert go_on.wait(10)
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(journal_view, "read", slow)
    out, task = scene.read(caller)
    await until(reading.is_set, 20)
    caller.all = ()
    go_on.set()
    with pytest.raises(RefusedError):
        async with asyncio.timeout(20):
            await task
    assert not out.pages


async def test_who_does_not_read_is_waited_for_and_misses_nothing(scene: Scene) -> None:
    out, _ = scene.read(Entitled(OWNER))
    await until(lambda: out.pages, 20)
    out.room.clear()
    await scene.did()
    await until(lambda: len(out.pages) == 2, 20)
    for _ in range(20):
        await scene.did()
    assert len(out.pages) == 2, "nothing more is read from the disk for it"
    out.room.set()
    await until(lambda: out.ids == list(range(1, 43)), 20)


async def test_a_reader_who_leaves_is_forgotten(scene: Scene) -> None:
    out, task = scene.read(Entitled(OWNER))
    await until(lambda: out.pages, 20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not scene.streams._readers
    await scene.did()


async def test_a_disk_that_hangs_is_said_and_holds_up_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_stream, "LOOK_SECONDS", 0.2)
    go_on = threading.Event()
    monkeypatch.setattr(journal_view, "past", lambda *_a, **_k: go_on.wait(20))
    tasks = [scene.read(Entitled(OWNER))[1] for _ in range(5)]
    async with asyncio.timeout(20):
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await scene.did()
    assert all(isinstance(error, DeadlineError) for error in found), found
    assert sum(thread.name == "journal-read" for thread in threading.enumerate()) <= 2
    go_on.set()
    await until(lambda: not any(t.name == "journal-read" for t in threading.enumerate()), 20)


async def test_aside_gives_back_and_raises_what_the_function_does() -> None:
    aside = Aside("test-aside", 1)
    assert await aside.call(lambda: 3, 1) == 3

    def fail() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await aside.call(fail, 1)
    assert await aside.call(lambda: 4, 1) == 4
    go_on = threading.Event()
    with pytest.raises(TimeoutError):
        await aside.call(lambda: go_on.wait(20), 0.05)
    with pytest.raises(TimeoutError):
        await aside.call(lambda: 5, 0.05)
    go_on.set()
    assert await aside.call(lambda: 6, 5) == 6
