"""Leases over a real database, inventory and journal, with a clock that the test turns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from pilot.agent.askers import Rights
from pilot.agent.database import Database
from pilot.agent.draining import Drainings
from pilot.agent.emptying import Emptying
from pilot.agent.inventory import Inventory
from pilot.agent.joining import Joining
from pilot.agent.journal import Journal
from pilot.agent.journal_read import read
from pilot.agent.late import Late
from pilot.agent.leases import AGAIN_FIRST, GIVE_UP_SECONDS, LEAST_WARNING, Leases
from pilot.backends.provider import Acted, Provider
from pilot.errors import BackendError, BusyError, PilotError, RefusedError, UsageError
from pilot.records import HappeningTone, Instance, Machine, Node, Slot
from pilot.verbs import BY_ID, Value
from pilot.verbs.leases import WARN_SECONDS
from pilot.wire import Notice
from tests.agent.entitled import Entitled
from tests.agent.journals import open_database
from tests.support.waiting import until

BEGUN = 1_700_000_000.0
NODE = Node("id-0", "compute-0-0", "vc1", "host", "domain", "on", BEGUN)
REMOTE = Node("ec2:i-1", "remote-0", "vc1", "us-east-1", "i-1", "on", BEGUN, provider="ec2")
INSTANCE = Instance("instance:i-1", "ec2:i-1", "vc1", "us-east-1", "a", "running", BEGUN)


class Place:
    """One airboss's leases; as a provider it turns nodes off at once, or as it is told."""

    def __init__(self, folder: Path) -> None:
        self.now = BEGUN
        self.database: Database = open_database(folder)
        self.acts: list[tuple[str, str, Mapping[str, Value]]] = []
        self.said: list[tuple[str, str]] = []
        self.fails: PilotError | None = None
        self.going = asyncio.Event()
        self.going.set()
        self._running: list[asyncio.Task[None]] = []
        self._journals: list[Journal] = []
        self.happened: list[tuple[str, str]] = []
        self.drained: list[bool] = []
        self.undrainable: PilotError | None = None
        self.entitled = Entitled()
        self.entitled.grant("operator")

    async def begin(self, *nodes: Node) -> None:
        """Start an airboss that sees these nodes."""
        journal = Journal(self.database, lambda: self.now)
        self._journals.append(journal)
        self.inventory = Inventory()
        self.joining = Joining(self.inventory.extras, self.inventory.gone)
        self.inventory.on_node.append(self.joining.node_changed)
        rights = Rights(self.entitled, lambda: self.now)
        late = Late(self.inventory, rights, journal, self._happens)
        emptying = Emptying(self.inventory, self.joining, self, lambda: self.now, look=0.01)
        self.drainings = Drainings(
            self.database, self.inventory, self.joining, self, lambda _: cast("Provider", self), journal,
            late, emptying, lambda: self.now,
        )  # fmt: skip
        self.leases = Leases(
            self.database, self.inventory, lambda _id: cast("Provider", self), journal, late, self.drainings,
            self._hears, lambda: self.now, drain_seconds=3600.0, tick=0.01,
        )  # fmt: skip
        await self.leases.load()
        self.inventory.nodes(nodes)
        await self.drainings.load()
        self._running.append(asyncio.create_task(self.leases.run()))

    async def end(self) -> None:
        """End it."""
        task, journal = self._running.pop(), self._journals.pop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await self.drainings.stop()
        await journal.close()

    async def close(self) -> None:
        while self._running:
            await self.end()
        self.database.close()

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], _progress: Callable[[str], None]
    ) -> Acted:
        self.acts.append((node_id, verb, args))
        await self.going.wait()
        if self.fails is not None:
            raise self.fails
        node = self.inventory.node(node_id)
        assert node is not None
        self.inventory.nodes([msgspec.structs.replace(node, state="off")])
        return Acted("off")

    def machine(self, *jobs: str, draining: bool = False) -> None:
        """The first node is a machine that these jobs run on."""
        slots = tuple(Slot(f"slot1_{job}", "Claimed", "Busy", owner="eve@cm", job=job) for job in jobs)
        name = "compute-0-0.local"
        machine = Machine(f"machine:p/{name}", "p", name, "x", "y", slots=slots, draining=draining)
        self.joining.extras([machine])

    async def drain(self, machine: Machine, _reason: str, undo: bool = False) -> None:
        if self.undrainable is not None:
            raise self.undrainable
        self.drained.append(not undo)

    def fresh(self, _pool: str) -> bool:
        return True

    def need_live(self, _pool: str) -> None:
        return

    def _happens(self, _node: str, _cluster: str, words: str, tone: HappeningTone) -> None:
        self.happened.append((words, tone))

    async def ask(self, verb: str, node: Node = NODE, who: str = "ada", **args: Value) -> str:
        asker = msgspec.structs.replace(self.entitled.asker, principal=who)
        return await self.leases.act(asker, node, verb, BY_ID[verb].arguments(args))

    def ends(self, node_id: str = "id-0") -> float | None:
        node = self.inventory.node(node_id)
        assert node is not None
        return None if node.lease is None else node.lease.ends

    def warned(self, node_id: str = "id-0") -> bool:
        node = self.inventory.node(node_id)
        return node is not None and node.lease is not None and node.lease.warned

    def state(self, node_id: str = "id-0") -> str:
        node = self.inventory.node(node_id)
        return "" if node is None else node.state

    def journal(self) -> list[Any]:
        return [record for record in read(self.database) if record.verb == "power.shutdown" or record.intent]

    async def ticks(self) -> None:
        """Some looks at the leases have passed."""
        seen = self.leases._table
        for _ in range(3):
            await seen.rows()
            await asyncio.sleep(0.02)

    def _hears(self, node: str, notice: Notice) -> None:
        self.said.append((node, notice.text))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.begin(NODE, REMOTE)
    place.inventory.extras([INSTANCE])
    yield place
    await place.close()


async def test_it_is_given_shown_warned_of_and_kept(place: Place) -> None:
    assert "goes off at 2023-11-1" in await place.ask("lease.set", seconds=36_000.0)
    assert place.ends() == BEGUN + 36_000
    place.now = BEGUN + 36_000 - WARN_SECONDS - 1
    await place.ticks()
    assert not place.warned()
    place.now += 2
    await until(place.warned, 10, "warned")
    assert place.said == [("id-0", place.said[0][1])]
    assert "given by ada" in place.said[0][1]
    place.now = BEGUN + 36_000 - 1
    await place.ticks()
    assert not place.acts
    place.now += 1
    await until(lambda: place.state() == "off", 10, "off")
    assert place.acts == [("id-0", "power.shutdown", {"grace": 120.0, "then": "off"})]
    await until(lambda: place.ends() is None, 10, "the lease is over")
    intent, outcome = place.journal()
    assert (intent.principal, intent.auth, intent.cluster) == ("airboss for ada", "airboss", "vc1")
    assert msgspec.json.decode(intent.args_json)["for"] == "ada"
    assert msgspec.json.decode(outcome.result_json)[0]["result"] == "done"
    assert outcome.intent == intent.id


async def test_an_instance_has_it_too(place: Place) -> None:
    await place.ask("lease.set", REMOTE, ends=BEGUN + 8000)
    found = place.inventory.records["instance:i-1"]
    assert isinstance(found, Instance)
    assert found.lease is not None
    assert (found.lease.ends, found.lease.principal) == (BEGUN + 8000, "ada")
    place.inventory.extras([INSTANCE])
    found = place.inventory.records["instance:i-1"]
    assert isinstance(found, Instance)
    assert found.lease is not None, "what EC2 tells anew leaves the lease"
    place.now = BEGUN + 7999
    await until(lambda: place.warned(REMOTE.id), 10, "warned")
    # Nobody was told long enough before: it lasts a little longer.
    assert place.ends(REMOTE.id) == BEGUN + 7999 + LEAST_WARNING
    place.now += LEAST_WARNING
    await until(lambda: place.state(REMOTE.id) == "off", 10, "off")
    assert place.acts[0][2]["then"] == "leave", "EC2 ends by itself who does not shut down"


async def test_renewed_and_cancelled(place: Place) -> None:
    with pytest.raises(RefusedError, match="has no lease"):
        await place.ask("lease.renew")
    assert await place.ask("lease.cancel") == "it had no lease"
    await place.ask("lease.set", seconds=8000.0)
    place.now = BEGUN + 7990
    await until(place.warned, 10, "warned")
    await place.ask("lease.renew", who="eve")
    assert place.ends() == BEGUN + 7990 + 8000
    assert not place.warned()
    node = place.inventory.node("id-0")
    assert node is not None
    assert node.lease is not None
    assert node.lease.principal == "eve"
    await place.ask("lease.renew", seconds=10.0)
    assert place.ends() == BEGUN + 8000
    assert "was to go off" in await place.ask("lease.cancel")
    place.now += 1e6
    await place.ticks()
    assert not place.acts


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "either"),
        ({"ends": BEGUN + 1, "seconds": 1.0}, "either"),
        ({"ends": BEGUN - 1}, "is over"),
        ({"ends": BEGUN + 400 * 86_400.0}, "a year"),
    ],
)
async def test_times_that_will_not_do(place: Place, args: dict[str, Value], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await place.leases.act(place.entitled.asker, NODE, "lease.set", BY_ID["lease.set"].arguments(args))
    assert place.ends() is None


async def test_a_restart_changes_nothing_but_nobody_goes_off_unwarned(place: Place) -> None:
    await place.ask("lease.set", seconds=36_000.0)
    await place.end()
    place.now = BEGUN + 100_000  # airboss was not there in the night
    await place.begin()
    await place.ticks()
    assert not place.acts, "its host has not told of it yet"
    place.inventory.nodes([NODE])
    await until(place.warned, 10, "warned")
    assert place.ends() == BEGUN + 100_000 + LEAST_WARNING
    await place.end()
    await place.begin(NODE)
    assert place.warned(), "that it was warned is kept, too"
    place.now += LEAST_WARNING
    await until(lambda: place.state() == "off", 10, "off")


async def test_what_fails_is_tried_again(place: Place) -> None:
    place.fails = BackendError("the host is on fire")
    await place.ask("lease.set", seconds=100.0)
    place.now += 90
    await until(place.warned, 10, "warned")
    place.now = (place.ends() or 0.0) + 1
    await until(lambda: len(place.acts) == 1, 10, "tried")
    await until(lambda: len(place.journal()) == 2, 10, "journaled")
    assert msgspec.json.decode(place.journal()[1].result_json)[0]["result"] == "failed"
    await place.ticks()
    assert len(place.acts) == 1
    place.fails = None
    place.now += AGAIN_FIRST
    await until(lambda: place.state() == "off", 10, "off")
    await until(lambda: place.ends() is None, 10, "done")


async def test_while_it_goes_off_it_is_busy(place: Place) -> None:
    place.going.clear()
    await place.ask("lease.set", seconds=40.0)
    place.now += 35
    await until(place.warned, 10, "warned")
    place.now = (place.ends() or 0.0) + 1
    await until(lambda: place.acts, 10, "tried")
    with pytest.raises(BusyError, match="being turned off"):
        await place.ask("lease.renew")
    place.going.set()
    await until(lambda: place.ends() is None, 10, "done")
    await place.ask("lease.set", seconds=40.0)


async def test_one_that_is_off_or_others_is_left_alone(place: Place) -> None:
    await place.ask("lease.set", seconds=40.0)
    await place.ask("lease.set", REMOTE, seconds=40.0)
    place.inventory.nodes(
        [msgspec.structs.replace(NODE, state="off"), msgspec.structs.replace(REMOTE, cluster="vc2")]
    )
    place.now += 1000
    await until(place.warned, 10, "warned")
    await place.ticks()
    place.now += 1000
    await until(lambda: place.ends() is None and place.ends(REMOTE.id) is None, 10, "forgotten")
    assert not place.acts


async def test_one_that_is_not_live_waits(place: Place) -> None:
    await place.ask("lease.set", seconds=40.0)
    place.now += 39
    await until(place.warned, 10, "warned")
    place.inventory.nodes([msgspec.structs.replace(NODE, stale_since=BEGUN)])
    place.now += 1000
    await place.ticks()
    assert not place.acts
    place.inventory.nodes([NODE])
    place.now += AGAIN_FIRST * 4
    await until(lambda: place.state() == "off", 10, "off")


async def test_one_that_never_comes_back_is_forgotten(place: Place) -> None:
    await place.ask("lease.set", seconds=40.0)
    place.inventory.gone(["id-0"])
    place.now += GIVE_UP_SECONDS + 1000
    await place.ticks()
    place.now += 1000

    async def forgotten() -> bool:
        return not await place.leases._table.rows()

    await until(forgotten, 10, "forgotten")
    assert not place.acts


async def test_another_airboss_of_the_same_database(place: Place) -> None:
    await place.ask("lease.set", seconds=1000.0)
    first = place.inventory
    await place.begin(NODE)
    await place.ask("lease.renew", who="eve", seconds=5000.0)

    def taken_up() -> bool:
        node = first.node("id-0")
        return node is not None and node.lease is not None and node.lease.ends == BEGUN + 5000

    await until(taken_up, 10, "the first takes it up")


async def test_who_may_not_turn_it_off_any_more_does_not(place: Place) -> None:
    await place.ask("lease.set", seconds=40.0)
    place.now += 35
    await until(place.warned, 10, "warned")
    place.entitled.grant("viewer")
    place.now = (place.ends() or 0.0) + 1
    await until(lambda: place.happened, 10, "said")
    words = "is not turned off for ada: ada is viewer in vc1 now, and lease.set needs the role operator"
    assert place.happened == [(words, "bad")]
    await until(lambda: place.ends() is None, 10, "forgotten")
    assert not place.acts
    (record,) = [r for r in read(place.database) if r.verb == "power.shutdown"]
    assert (record.principal, record.cluster) == ("airboss", "vc1")
    assert "refused: ada is viewer in vc1 now" in record.result_json
    assert msgspec.json.decode(record.args_json)["for"] == "ada"


async def to_its_end(place: Place) -> None:
    """A lease of the first node is given, and over."""
    await place.ask("lease.set", seconds=40.0)
    place.now += 35
    await until(place.warned, 10, "warned")
    place.now = (place.ends() or 0.0) + 1


async def test_jobs_end_first(place: Place) -> None:
    place.machine("7.0")
    await to_its_end(place)

    def drains() -> bool:
        node = place.inventory.node("id-0")
        return node is not None and node.drain is not None and node.lease is None

    await until(drains, 10, "it drains")
    assert place.drained == [True]
    place.machine("7.0", draining=True)
    await place.ticks()
    assert not place.acts
    with pytest.raises(BusyError, match="once its HTCondor jobs have ended"):
        await place.ask("lease.renew")
    await place.end()
    await place.begin(NODE)  # after a restart, too
    place.machine("7.0", draining=True)
    await place.ticks()
    assert drains()
    place.machine(draining=True)
    await until(lambda: place.state() == "off", 10, "off")
    ((node_id, verb, args),) = place.acts
    assert (node_id, verb, args["grace"], args["then"]) == ("id-0", "power.shutdown", 120.0, "off")

    def journaled() -> list[Any]:
        return [r for r in read(place.database) if r.verb == "power.shutdown"]

    (record,) = await until(journaled, 10, "the journal")
    assert msgspec.json.decode(record.args_json)["for"] == "ada"


async def test_jobs_that_do_not_end_in_time_die(place: Place) -> None:
    place.machine("7.0")
    await to_its_end(place)
    await until(lambda: place.drained, 10, "it drains")
    place.machine("7.0", draining=True)
    await place.ticks()
    assert not place.acts
    place.now += 3600
    await until(lambda: place.state() == "off", 10, "off")


async def test_what_cannot_be_drained_goes_off_with_its_jobs(place: Place) -> None:
    place.undrainable = BackendError("DENIED")
    place.machine("7.0")
    await to_its_end(place)
    await until(lambda: place.state() == "off", 10, "off")
    await until(lambda: place.ends() is None, 10, "over")


async def test_who_gets_a_node_is_not_told_of_a_lease_or_a_drain_that_others_gave_it(place: Place) -> None:
    await place.ask("lease.set", seconds=4000.0)
    await place.ask("lease.set", REMOTE, seconds=4000.0)
    place.machine("7.0")
    await place.drainings.later(place.entitled.asker, NODE, "for ada", "power.off", {})
    others = [msgspec.structs.replace(node, cluster="vc2") for node in (NODE, REMOTE)]
    place.inventory.nodes(others)
    place.inventory.extras([msgspec.structs.replace(INSTANCE, cluster="vc2")])
    assert place.ends() is None
    assert place.ends(REMOTE.id) is None
    shown = [place.inventory.records[record] for record in (NODE.id, INSTANCE.id)]
    assert isinstance(shown[0], Node)
    assert shown[0].drain is None
    assert isinstance(shown[1], Instance)
    assert shown[1].lease is None
    place.now += 3990
    await place.ticks()
    assert place.said == []
    assert place.ends() is None
