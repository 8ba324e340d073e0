"""Nodes that are turned off once they are empty: what may come between. Real pools: tests/e2e/test_slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import cast

import msgspec
import pytest

from pilot.agent.askers import Asker, Rights
from pilot.agent.database import Database
from pilot.agent.draining import Drainings
from pilot.agent.drainings_table import DrainingsTable
from pilot.agent.emptying import Emptying
from pilot.agent.inventory import Inventory
from pilot.agent.joining import Joining
from pilot.agent.journal import Journal
from pilot.agent.journal_read import Filter, read
from pilot.agent.late import Late
from pilot.backends.provider import Acted, Provider
from pilot.errors import BackendError, BusyError, DeadlineError, RefusedError, UnreachableError
from pilot.records import HappeningTone, Machine, Node, NodeState, Slot
from pilot.verbs import Value
from tests.agent.entitled import Entitled
from tests.support.waiting import until

LOOK = 0.02
NODE = "n1"


class Site:
    """A node that is a machine, and what stands for pool and hypervisor."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.inventory = Inventory()
        self.joining = Joining(self.inventory.extras, self.inventory.gone)
        self.inventory.on_node.append(self.joining.node_changed)
        self.journal = Journal(database, lambda: 1.0)
        self.up = True
        self.asked: list[tuple[str, bool]] = []
        self.refuses: Exception | None = None
        self.acted = 0
        self.unreachable = 0
        self.said: list[str] = []
        self.happened: list[tuple[str, str, str]] = []
        self.entitled = Entitled()
        self.entitled.grant("operator")
        self.now = 1.0
        self.of_file = False
        self.going = asyncio.Event()
        self.going.set()
        self.begun = asyncio.Event()
        self.drainings = self.make()

    def make(self, absent: float = 60.0) -> Drainings:
        """airboss's part, as after a restart."""
        rights = Rights(self.entitled, lambda: self.now)
        late = Late(self.inventory, rights, self.journal, self._happens)
        emptying = Emptying(self.inventory, self.joining, self, lambda: self.now, look=LOOK, absent=absent)
        return Drainings(
            self.database, self.inventory, self.joining, self, lambda _: cast("Provider", self), self.journal,
            late, emptying, lambda: self.now,
        )  # fmt: skip

    def _happens(self, node: str, cluster: str, words: str, tone: HappeningTone) -> None:
        self.happened.append((cluster, words, tone))

    def node(self, state: NodeState = "on", cluster: str = "vc1") -> Node:
        node = Node(NODE, "compute-0-0", cluster, "h", "d", state, 0.0)
        self.inventory.nodes([node])
        return node

    def machine(self, *jobs: str, draining: bool = False) -> None:
        """How the pool tells it now."""
        slots = tuple(Slot(f"slot1_{job}", "Claimed", "Busy", owner="ada@cm", job=job) for job in jobs)
        name = "compute-0-0.local"
        reason = "to be turned off, for ada" if draining else ""
        self.joining.extras(
            [
                Machine(
                    f"machine:p/{name}",
                    "p",
                    name,
                    "x",
                    "y",
                    slots=slots,
                    draining=draining,
                    drain_reason=reason,
                )
            ]
        )

    def no_machine(self) -> None:
        """It is not in its pool any more."""
        self.joining.gone(["machine:p/compute-0-0.local"])

    async def off(self, verb: str = "power.off", **args: bool) -> Acted:
        """`power.off` as ada asks it."""
        node = self.inventory.node(NODE)
        assert node is not None
        return await self.drainings.off(
            self.entitled.asker, node, verb, args, lambda: self.act("", "", {}, print), self.said.append
        )

    async def journaled(self) -> list[tuple[str, str]]:
        records = await asyncio.to_thread(read, self.database, Filter(verb="power.off"))
        return [(record.principal, record.result_json) for record in records]

    async def looks(self, count: int = 5) -> None:
        """Let it look a few times."""
        await asyncio.sleep(LOOK * count)

    # --- what stands for others ------------------------------------------------------------------

    async def drain(self, machine: Machine, reason: str, undo: bool = False) -> None:
        self.asked.append((machine.id, undo))
        if self.refuses is not None:
            raise self.refuses

    def fresh(self, pool: str) -> bool:
        return self.up

    def need_live(self, pool: str) -> None:
        if self.of_file:
            raise RefusedError("read from a file of ads", "")

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        if self.unreachable:
            self.unreachable -= 1
            raise UnreachableError("the host is down", "")
        self.begun.set()
        await self.going.wait()
        self.acted += 1
        self.node("off")
        return Acted("off")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await asyncio.to_thread(Database.open, f"sqlite:///{tmp_path / 'db'}")
    site = Site(database)
    site.node()
    yield site
    await site.drainings.stop()
    await site.journal.close()
    database.close()


async def saying(site: Site, text: str) -> None:
    await until(lambda: any(text in said for said in site.said) or None, 10, text)


async def test_nothing_in_the_way_of_a_node_without_jobs(site: Site) -> None:
    assert (await site.off()).state == "off"
    site.node()
    site.machine()
    assert (await site.off()).state == "off"
    assert site.acted == 2
    site.node()
    site.machine("1.0")
    with pytest.raises(RefusedError, match=r"1 HTCondor job \(1.0 of ada@cm\) would die"):
        await site.off()
    assert site.acted == 2
    assert (await site.off(anyway=True)).state == "off"


async def test_what_is_in_no_pool_cannot_be_drained(site: Site) -> None:
    with pytest.raises(RefusedError, match="in no HTCondor pool"):
        await site.off(drain=True)


async def test_it_waits_for_every_job_and_names_some(site: Site) -> None:
    site.machine("1.0", "1.1", "1.2", "1.3", "1.4")
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "5 HTCondor jobs (1.0 of ada@cm, 1.1 of ada@cm, 1.2 of ada@cm and 2 more) to end")
    site.machine("1.4", draining=True)
    await saying(site, "1 HTCondor job (1.4 of ada@cm) to end")
    site.machine(draining=False)  # empty, but it could get a job
    await site.looks()
    assert not site.acted
    site.machine(draining=True)
    assert (await asking).state == "off"
    assert site.asked == [("machine:p/compute-0-0.local", False)]
    assert await site.journaled() == []  # the asker's own record says it


async def test_a_pool_that_does_not_answer_and_one_that_lost_its_memory_are_no_empty_machines(
    site: Site,
) -> None:
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    site.up = False
    site.machine(draining=True)
    await saying(site, "pool p does not answer")
    site.no_machine()
    site.up = True
    await saying(site, "it is not in its pool now")
    assert not site.acted
    site.machine("1.0", draining=True)
    await site.looks()
    assert not site.acted
    site.machine(draining=True)
    await asking


async def test_a_machine_that_stays_away_is_empty_at_last(site: Site) -> None:
    site.drainings = site.make(absent=0.2)
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    site.no_machine()
    assert (await asyncio.wait_for(asking, 20)).state == "off"


async def test_a_refused_drain_leaves_nothing_behind(site: Site) -> None:
    site.machine("1.0")
    site.refuses = BackendError("DENIED", "")
    with pytest.raises(BackendError, match="DENIED"):
        await site.off(drain=True)
    site.drainings = site.make()
    await site.drainings.load()
    site.machine(draining=True)
    await site.looks()
    assert not site.acted


async def test_an_asker_who_goes_and_an_airboss_that_ends_change_nothing(site: Site) -> None:
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    asking.cancel()
    await asyncio.wait((asking,))
    await site.drainings.stop()
    site.drainings = site.make()
    await site.drainings.load()
    site.unreachable = 2
    site.machine(draining=True)
    await until(lambda: site.acted or None, 20, "off")

    async def journaled() -> bool:
        return await site.journaled() == [("airboss", '"off"')]

    await until(journaled, 20, "the journal")
    later = site.make()
    await later.load()
    site.node("on")
    await site.looks()
    assert site.acted == 1
    await later.stop()


@pytest.mark.parametrize("how", ["other cluster", "gone", "off"])
async def test_a_node_that_is_not_what_it_was_is_left_alone(site: Site, how: str) -> None:
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    if how == "other cluster":
        site.node(cluster="vc2")
    elif how == "gone":
        site.joining.gone([NODE])
    else:
        site.node("off")
    if how == "off":
        assert (await asking).note == "it was off already"
    else:
        with pytest.raises(RefusedError, match="is not a node of vc1 any more"):
            await asking
    assert not site.acted


async def test_what_is_taken_back_is_not_done(site: Site) -> None:
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    node = site.inventory.node(NODE)
    assert node is not None
    said = await site.drainings.act("bob", node, "machine.undrain", {})
    assert "not turned off any more" in said
    assert site.asked[-1] == ("machine:p/compute-0-0.local", True)
    with pytest.raises(RefusedError, match="taken back"):
        await asking
    site.machine(draining=True)
    await site.looks()
    assert not site.acted


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("revoked", "the key of ada is revoked: lost at sea"),
        ("viewer", "ada is viewer in vc1 now, and power.off needs the role operator"),
        ("elsewhere", "ada has no role in vc1 now"),
        ("nothing", "the key of ada is entitled to nothing any more"),
        ("late", "the key of ada is entitled to nothing any more"),
        ("another key", "with which key ada asked is not known"),
    ],
)
async def test_who_may_not_turn_it_off_any_more_does_not(site: Site, how: str, why: str) -> None:
    if how == "another key":
        site.entitled.asker = Asker("ada")
    site.machine("1.0")
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    node = site.inventory.node(NODE)
    assert node is not None
    assert node.drain is not None
    assert (node.drain.principal, node.drain.words) == ("ada", "1 HTCondor job (1.0 of ada@cm) to end")
    if how == "revoked":
        site.entitled.reason = "lost at sea"
    elif how == "viewer":
        site.entitled.grant("viewer")
    elif how == "elsewhere":
        site.entitled.grant("owner", "vc2")
    elif how == "nothing":
        site.entitled.grant(None)
    elif how == "late":
        site.entitled.grant("operator", valid_before=100.0)
        site.now = 101.0
    site.machine(draining=True)
    with pytest.raises(RefusedError, match=why):
        await asking
    assert not site.acted
    ((cluster, words, tone),) = site.happened
    assert (cluster, tone) == ("vc1", "bad")
    assert words.startswith(f"is not turned off for ada: {why}")
    node = site.inventory.node(NODE)
    assert node is not None
    assert (node.drain, node.state) == (None, "on")
    # It works again, and a restart does not come back to it.
    assert site.asked[-1] == ("machine:p/compute-0-0.local", True)
    later = site.make()
    await later.load()
    assert not later.waits(NODE)


async def test_a_refusal_after_a_restart_is_in_the_journal(site: Site) -> None:
    site.machine("1.0", draining=True)
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    await site.drainings.stop()
    await asyncio.wait((asking,))
    site.drainings = site.make()
    await site.drainings.load()
    site.entitled.grant("viewer")
    site.machine(draining=True)

    async def journaled() -> bool:
        found = await site.journaled()
        return [principal for principal, _ in found] == ["airboss"] and "refused: ada is viewer" in found[0][
            1
        ]

    await until(journaled, 20, "the journal")
    assert not site.acted


async def test_two_who_ask_at_once_ask_for_one_thing_which_one_of_them_takes_back(site: Site) -> None:
    site.machine("1.0")
    asking = [asyncio.create_task(site.off(drain=True)) for _ in range(2)]
    await until(lambda: len(site.said) >= 2 or None, 20)
    node = site.inventory.node(NODE)
    assert node is not None
    await site.drainings.act("grace", node, "machine.undrain", {})
    for one in asking:
        with pytest.raises(RefusedError, match="taken back"):
            await asyncio.wait_for(one, 20)
    site.machine(draining=True)
    await site.looks()
    assert not site.acted


async def test_who_takes_back_what_is_only_just_asked_for_takes_it_back(site: Site) -> None:
    site.machine("1.0")
    node = site.inventory.node(NODE)
    assert node is not None
    asking = asyncio.create_task(site.off(drain=True))
    await asyncio.sleep(0)  # it has begun, and its row is on its way to the database
    await site.drainings.act("grace", node, "machine.undrain", {})
    with pytest.raises(RefusedError, match="taken back"):
        await asyncio.wait_for(asking, 20)
    assert not site.drainings.waits(NODE)


async def test_who_asks_for_something_else_is_told_what_is_under_way(site: Site) -> None:
    site.machine("1.0")
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    with pytest.raises(BusyError, match=r"ada has asked for power\.off once it is empty"):
        await asyncio.wait_for(site.off("power.reboot", drain=True), 20)
    site.machine(draining=True)
    assert (await asyncio.wait_for(asking, 20)).state == "off"
    assert site.acted == 1


async def test_what_is_being_done_cannot_be_taken_back(site: Site) -> None:
    site.machine(draining=True)
    site.going.clear()
    asking = asyncio.create_task(site.off(drain=True))
    await asyncio.wait_for(site.begun.wait(), 20)
    node = site.inventory.node(NODE)
    assert node is not None
    with pytest.raises(BusyError, match="is being turned off"):
        await site.drainings.act("grace", node, "machine.undrain", {})
    site.going.set()
    assert (await asyncio.wait_for(asking, 20)).state == "off"


@pytest.mark.parametrize("legacy", [False, True])
async def test_machines_whose_names_have_spaces_are_turned_off_once_empty(site: Site, legacy: bool) -> None:
    """Of two startds of one name, each is called after its address, too."""
    name = "compute-0-0.local [10.1.1.1]"
    busy = (Slot("slot1_1", "Claimed", "Busy", owner="ada@cm", job="1.0"),)
    machine = Machine(f"machine:p/{name}", "p", name, "x", "y", draining=True, slots=busy)
    site.joining.extras([machine])
    asking = asyncio.create_task(site.off(drain=True))
    await saying(site, "to end")
    if legacy:  # an earlier airboss wrote its row
        await site.drainings.stop()
        (row,) = await DrainingsTable(site.database).rows()
        await DrainingsTable(site.database).put(msgspec.structs.replace(row, machine=machine.id))
        with pytest.raises(DeadlineError):
            await asking
        site.drainings = site.make()
        await site.drainings.load()
    site.joining.extras([msgspec.structs.replace(machine, slots=())])
    await until(lambda: site.acted or None, 20, "off")
    if not legacy:
        await asyncio.wait_for(asking, 20)


async def test_a_file_that_says_it_drains_and_is_empty_is_not_believed(site: Site) -> None:
    """It may be of yesterday."""
    site.of_file = True
    site.machine(draining=True)
    with pytest.raises(RefusedError, match="file of ads"):
        await asyncio.wait_for(site.off(drain=True), 20)
    assert not site.acted
    assert not site.drainings.waits(NODE)
