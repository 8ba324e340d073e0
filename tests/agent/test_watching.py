"""What a watcher's stream holds: its own part, the newest of it, and a pulse whatever others do."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from pilot import wire
from pilot.agent import watching
from pilot.agent.caller import Caller
from pilot.agent.inventory import Inventory
from pilot.agent.policy import role_in
from pilot.agent.usage import Usage
from pilot.backends.provider import Used
from pilot.errors import RefusedError, WireError
from pilot.records import Grant, Host, Machine, Node, NodeState, Queue, Role
from tests.support.waiting import until


class Entitled:
    """A caller reduced to its grants, which a test changes."""

    def __init__(self, *grants: Grant) -> None:
        self.all = grants

    def grants(self) -> tuple[Grant, ...]:
        return self.all

    def role(self, cluster: str) -> Role | None:
        return role_in(self.all, cluster)


class Sent:
    """Where the stream's frames go."""

    def __init__(self) -> None:
        self.all: list[wire.ServerFrame] = []
        self.room = asyncio.Event()
        self.room.set()
        self.inbox: asyncio.Queue[wire.AnyClientFrame] = asyncio.Queue()

    async def send(self, frame: wire.ServerFrame) -> None:
        self.all.append(frame)
        await self.room.wait()

    async def receive(self) -> wire.AnyClientFrame:
        return await self.inbox.get()

    @property
    def frames(self) -> list[wire.Snapshot | wire.Delta]:
        """Those of records."""
        return [f for f in self.all if isinstance(f, wire.Snapshot | wire.Delta)]

    @property
    def told(self) -> list[wire.Snapshot | wire.Delta]:
        """All but the pulses."""
        return [f for f in self.frames if isinstance(f, wire.Snapshot) or f.changed or f.gone]

    @property
    def used(self) -> list[tuple[float, dict[str, bytes]]]:
        """When samples were taken, and of whom."""
        return [
            (f.time, {one.node: one.cpu for one in f.nodes}) for f in self.all if isinstance(f, wire.Usage)
        ]

    @property
    def pongs(self) -> list[int]:
        return [f.token for f in self.all if isinstance(f, wire.Pong)]


def node(name: str, cluster: str, host: str, state: NodeState = "on") -> Node:
    return Node(name, name=name, cluster=cluster, host=host, domain=name, state=state, since=0.0)


def host(name: str, detail: str = "") -> Host:
    return Host(
        f"host:{name}", name=name, uri="qemu://x", state="up", since=0.0, detail=detail, words="secret"
    )


class Scene:
    def __init__(
        self, *grants: Grant, cluster: str = "", usage: bool = False, machines: bool = False
    ) -> None:
        self.now = 1.0
        self.usage = Usage(5.0, lambda: self.now)
        self.inventory = Inventory()
        self.states: tuple[NodeState, ...] = ("off", "on")
        self.inventory.host(host("h1"))
        self.inventory.host(host("h2"))
        self.inventory.nodes([node("mine", "vc1", "h1"), node("theirs", "vc2", "h2")])
        self.caller, self.sent = Entitled(*grants), Sent()
        self.task = asyncio.create_task(
            watching.serve(
                self.inventory,
                self.usage if usage else None,
                cast("Caller", self.caller),
                cluster,
                self.sent,
                lambda: 1.0,
                machines=machines,
            )
        )

    def sample(self, **cpu: int) -> None:
        self.now += 5.0
        self.usage.usage({node_id: Used(value, 1) for node_id, value in cpu.items()})
        self.usage.take(self.usage.sample + 1)

    async def told(self, count: int) -> list[wire.Snapshot | wire.Delta]:
        return await until(lambda: self.sent.told if len(self.sent.told) >= count else None, 20)


@pytest.fixture(autouse=True)
def _quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PULSE_SECONDS", 0.05)


@pytest.mark.parametrize("grant", [Grant("vc1", "viewer"), Grant("*", "admin")])
async def test_machines_are_told_to_those_who_ask_for_them(grant: Grant) -> None:
    def machine(name: str, cluster: str, load: float = 0.0) -> Machine:
        return Machine(f"machine:p/{name}", "p", name, "Owner", "Idle", cluster=cluster, load=load)

    asked, other = Scene(grant, machines=True), Scene(grant)
    mine = {"machine:p/a"} if grant.cluster == "vc1" else {"machine:p/a", "machine:p/b", "queue:p/s/o"}
    for scene in (asked, other):
        await scene.told(1)
        scene.inventory.extras(
            [machine("a", "vc1"), machine("b", "vc2"), Queue("queue:p/s/o", "p", "s", "o", 1)]
        )
        scene.inventory.nodes([node("mine", "vc1", "h1", "off")])
    (_, change) = (await asked.told(2))[:2]
    assert isinstance(change, wire.Delta)
    assert {record.id for record in change.changed} == {"mine"} | mine
    (_, change) = (await other.told(2))[:2]
    assert isinstance(change, wire.Delta)
    assert [record.id for record in change.changed] == ["mine"]
    asked.inventory.resync()
    again = (await asked.told(3))[-1]
    assert isinstance(again, wire.Snapshot)
    assert {record.id for record in again.records} >= mine
    other.inventory.resync()
    again = (await other.told(3))[-1]
    assert isinstance(again, wire.Snapshot)
    assert not any(isinstance(record, Machine | Queue) for record in again.records)


async def test_a_watcher_is_told_of_its_own_part_only_and_versions_count_that() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    (first,) = await scene.told(1)
    assert isinstance(first, wire.Snapshot)
    assert {record.id for record in first.records} == {"mine", "host:h1"}
    assert "secret" not in repr(first)
    for state in scene.states:
        scene.inventory.nodes([node("theirs", "vc2", "h2", state)])
        await asyncio.sleep(0.01)
    scene.inventory.nodes([node("mine", "vc1", "h1", "off")])
    _, change = await scene.told(2)
    assert isinstance(change, wire.Delta)
    assert [record.id for record in change.changed] == ["mine"]
    assert change.version == first.version + 1
    scene.task.cancel()


async def test_the_pulse_beats_while_others_are_busy() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    await scene.told(1)

    async def noise() -> None:
        while True:
            for state in scene.states:
                scene.inventory.nodes([node("theirs", "vc2", "h2", state)])
                await asyncio.sleep(0.01)

    busy = asyncio.create_task(noise())
    await until(lambda: len(scene.sent.frames) >= 4, 20, "pulses")
    assert len(scene.sent.told) == 1
    busy.cancel()
    scene.task.cancel()


async def test_a_host_is_in_view_for_as_long_as_it_carries_a_node_in_view() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    await scene.told(1)
    scene.inventory.nodes([node("mine", "vc1", "h2")])
    _, moved = await scene.told(2)
    assert isinstance(moved, wire.Delta)
    assert {record.id for record in moved.changed} == {"mine", "host:h2"}
    assert moved.gone == ("host:h1",)
    scene.inventory.host(host("h1", "trouble"))
    scene.inventory.nodes([node("mine", "vc2", "h2")])
    *_, left = await scene.told(3)
    assert isinstance(left, wire.Delta)
    assert not left.changed
    assert set(left.gone) == {"mine", "host:h2"}
    scene.task.cancel()


async def test_rights_that_change_bring_a_new_snapshot_and_those_that_end_the_end() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    await scene.told(1)
    scene.caller.all = (Grant("vc2", "viewer"),)
    scene.inventory.resync()
    _, anew = await scene.told(2)
    assert isinstance(anew, wire.Snapshot)
    assert {record.id for record in anew.records} == {"theirs", "host:h2"}
    scene.caller.all = ()
    scene.inventory.resync()
    with pytest.raises(RefusedError):
        await scene.task


async def test_usage_comes_after_the_snapshot_and_then_as_it_changes_of_nodes_in_view() -> None:
    scene = Scene(Grant("vc1", "viewer"), usage=True)
    scene.sample(mine=1, theirs=7)
    await until(lambda: scene.sent.used, 20, "the past")
    assert isinstance(scene.sent.all[0], wire.Snapshot)
    assert scene.sent.used == [(6.0, {"mine": b"\x01"})]
    scene.sample(mine=2, theirs=8)
    scene.sample(theirs=9)
    await until(lambda: len(scene.sent.used) >= 2, 20)
    assert scene.sent.used[-1] == (16.0, {"mine": b"\x02\x02"})  # the newest, once
    scene.sample()
    await until(lambda: len(scene.sent.used) >= 3, 20, "told that nothing changed")
    assert scene.sent.used[-1] == (21.0, {})
    scene.inventory.nodes([node("theirs", "vc1", "h2")])
    await until(lambda: len(scene.sent.used) >= 4, 20, "one that comes into view brings its past")
    assert scene.sent.used[-1] == (21.0, {"theirs": b"\x07\x08\x09\x09"})
    scene.inventory.nodes([node("mine", "vc2", "h1")])
    scene.sample(mine=77)
    await until(lambda: scene.sent.used[-1][0] == 26.0, 20)
    assert scene.sent.used[-1] == (26.0, {})
    scene.caller.all = (Grant("vc2", "viewer"),)
    scene.inventory.resync()
    await until(lambda: "mine" in scene.sent.used[-1][1], 20, "another view begins with its past")
    assert scene.sent.used[-1] == (26.0, {"mine": b"\x01\x02\x02\x02\x4d"})
    scene.task.cancel()


async def test_a_watcher_that_did_not_ask_is_told_of_no_usage() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    await scene.told(1)
    scene.sample(mine=1)
    scene.inventory.nodes([node("mine", "vc1", "h1", "off")])
    await scene.told(2)
    assert scene.sent.used == []
    scene.task.cancel()


async def test_a_watcher_that_does_not_read_gets_the_newest_only() -> None:
    scene = Scene(Grant("vc1", "viewer"), usage=True)
    scene.sample(mine=1)
    await until(lambda: scene.sent.used, 20)
    scene.sent.room.clear()
    scene.sample(mine=2)
    await until(lambda: len(scene.sent.used) == 2, 20)
    for n in range(90):
        scene.sample(mine=n)
        await asyncio.sleep(0)
    assert len(scene.sent.used) == 2
    scene.sent.room.set()
    await until(lambda: len(scene.sent.used) == 3, 20)
    assert scene.sent.used[-1][1] == {"mine": bytes(range(30, 90))}
    scene.task.cancel()


async def test_pings_are_answered_and_a_flood_waits_until_its_answers_are_read() -> None:
    scene = Scene(Grant("vc1", "viewer"))
    scene.sent.inbox.put_nowait(wire.Ping(2**63))
    await until(lambda: scene.sent.pongs == [2**63], 20, "the pong")
    scene.sent.room.clear()
    for token in range(1000):
        scene.sent.inbox.put_nowait(wire.Ping(token))
    await until(lambda: len(scene.sent.pongs) == 2, 20)
    assert scene.sent.inbox.qsize() == 999
    scene.sent.room.set()
    await until(lambda: len(scene.sent.pongs) == 1001, 20)
    scene.task.cancel()


@pytest.mark.parametrize("frame", [wire.Input(b"x"), wire.Take(), wire.Resize(1, 1)])
async def test_other_frames_end_the_watch(frame: wire.AnyClientFrame) -> None:
    scene = Scene(Grant("vc1", "viewer"), usage=True)
    await scene.told(1)
    scene.sent.inbox.put_nowait(frame)
    with pytest.raises(WireError, match="on a watch"):
        await scene.task
    scene.sample(mine=3)
    assert not any("mine" in used for _, used in scene.sent.used)
