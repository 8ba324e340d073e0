"""What is looked at after a crash, once, however many restarts it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.journal_read import Filter, open_intents, read
from pilot.agent.journal_starts import RECOVER
from pilot.agent.recovery import STARTED, Recovery
from pilot.errors import BackendError, UnreachableError
from pilot.records import Node, NodeState
from tests.agent.journals import open_database
from tests.support.waiting import until


class Hypervisor:
    """Resumes what it is told is paused; fails as told before that."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.resumed: list[str] = []
        self.errors: list[Exception] = []

    async def resume_interrupted(self, node_id: str) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        if node_id not in self.paused:
            return False
        self.paused.discard(node_id)
        self.resumed.append(node_id)
        return True


class Site:
    """A journal over restarts of its airboss."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.journal = Journal(database)
        self.provider = Hypervisor()
        self.recovery: Recovery | None = None

    async def begin(self, settle: float = 60.0) -> Recovery:
        """The next airboss begins."""
        if self.recovery is not None:
            await self.recovery.stop()
        self.recovery = Recovery(self.database, self.provider, self.journal, settle=settle)
        await self.recovery.load()
        await self.journal.event(actor="airboss", auth="airboss", verb=STARTED)
        return self.recovery

    async def asked(self, verb: str, *nodes: str, result: str = "") -> int:
        """A request, and its outcome for all nodes if one is given."""
        intent = await self.journal.intent(
            actor="ada", fingerprint="", auth="ssh", cluster="vc1", verb=verb, targets=nodes
        )
        if result:
            await self.journal.outcome(
                intent, [{"target": node, "node": node, "result": result} for node in nodes]
            )
        return intent

    def sees(self, node: str, state: NodeState, stale: float | None = None) -> None:
        """The provider tells of a node."""
        assert self.recovery is not None
        if state == "paused":
            self.provider.paused.add(node)
        self.recovery.node_changed(Node(node, node, "vc1", "h", node, state, 0.0, stale_since=stale))

    def looks(self) -> list[tuple[str, Any, Any]]:
        """Node, intent and what was found, in the journal's order."""
        return [
            (record.targets[0], record.args["intent"], record.result)
            for record in read(self.database, Filter(verb=RECOVER))
        ]

    async def looked(self, count: int) -> None:
        await until(lambda: len(self.looks()) == count, 20, f"{count} looks in the journal")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(open_database(tmp_path))
    yield site
    if site.recovery is not None:
        await site.recovery.stop()
    await site.journal.close()
    site.database.close()


@pytest.mark.parametrize("verb", ["power.on", "power.boot", "power.install"])
@pytest.mark.parametrize("result", ["", "unknown"])
async def test_a_start_without_a_known_end_is_ended_once(site: Site, verb: str, result: str) -> None:
    intent = await site.asked(verb, "n1", result=result)
    await site.begin()
    site.sees("n1", "paused")
    await site.looked(1)
    assert site.looks() == [("n1", intent, "resumed")]
    assert site.provider.resumed == ["n1"]
    await site.begin()
    site.sees("n1", "paused")  # by a person with virsh, this time
    await asyncio.sleep(0)
    assert site.provider.resumed == ["n1"]


async def test_a_host_that_is_away_over_restarts_is_not_forgotten(site: Site) -> None:
    intent = await site.asked("power.on", "n1", "n2")
    for _ in range(3):
        await site.begin()
        site.sees("n1", "paused", stale=1.0)
        await asyncio.sleep(0)
    assert site.looks() == []
    site.sees("n2", "on")
    await site.looked(1)
    await site.begin()
    site.sees("n1", "paused")
    await site.looked(2)
    assert site.looks() == [("n2", intent, "was on"), ("n1", intent, "resumed")]


@pytest.mark.parametrize(
    "after",
    [
        [("power.pause", "")],
        [("power.pause", "done")],
        [("power.off", "done")],
        [("power.on", "done"), ("power.pause", "done")],
        [("power.resume", "done")],
    ],
)
async def test_what_was_asked_later_counts(site: Site, after: list[tuple[str, str]]) -> None:
    await site.asked("power.on", "n1", "n2", result="unknown")
    for verb, result in after:
        await site.asked(verb, "n1", result=result)
    await site.begin()
    site.sees("n1", "paused")
    site.sees("n2", "paused")
    await site.looked(1)
    assert site.provider.resumed == ["n2"]


async def test_a_later_try_that_failed_changes_nothing(site: Site) -> None:
    intent = await site.asked("power.on", "n1", result="unknown")
    await site.asked("power.on", "n1", result="failed")  # "is on, but paused"
    await site.begin()
    site.sees("n1", "paused")
    await site.looked(1)
    assert site.looks() == [("n1", intent, "resumed")]


async def test_who_pauses_after_this_airboss_began_is_heard_too(site: Site) -> None:
    await site.asked("power.on", "n1")
    await site.begin()
    await site.asked("power.pause", "n1", result="done")
    site.sees("n1", "paused")
    await site.looked(1)
    assert site.provider.resumed == []
    assert site.looks()[0][2] == "was paused by somebody since"


async def test_a_node_that_is_off_may_still_come_up(site: Site) -> None:
    await site.asked("power.on", "n1", "n2", result="unknown")
    await site.begin(settle=0.2)
    site.sees("n1", "off")
    site.sees("n2", "off")
    site.sees("n1", "paused")
    await site.looked(2)
    assert sorted((node, found) for node, _, found in site.looks()) == [("n1", "resumed"), ("n2", "was off")]


async def test_it_goes_on_until_the_host_answers_and_says_what_it_cannot_do(site: Site) -> None:
    await site.asked("power.on", "n1")
    await site.begin()
    site.provider.errors = [UnreachableError("away"), UnreachableError("away")]
    site.sees("n1", "paused")
    await site.looked(1)
    assert site.provider.resumed == ["n1"]
    await site.asked("power.on", "n2")
    await site.begin()
    site.provider.errors = [BackendError("no disk")]
    site.sees("n2", "paused")
    await site.looked(2)
    assert site.looks()[1][2] == "stays paused: no disk"


async def test_the_newest_open_intents_are_those_that_count(site: Site) -> None:
    intents = [await site.asked("power.off", "n1") for _ in range(5)]
    assert [record.id for record in open_intents(site.database, 2)] == intents[-2:]


async def test_a_long_journal_is_read_in_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilot.agent.journal_starts._PAGE", 3)
    nodes: Callable[[int], str] = "n{}".format
    for number in range(8):
        await site.asked("power.on", nodes(number), result="unknown" if number % 2 else "done")
    await site.begin()
    for number in range(8):
        site.sees(nodes(number), "paused")
    await site.looked(4)
    assert sorted(site.provider.resumed) == ["n1", "n3", "n5", "n7"]
