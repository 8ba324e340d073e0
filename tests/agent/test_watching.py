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
from pilot.errors import RefusedError
from pilot.records import Grant, Host, Node, NodeState, Role
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
        self.frames: list[wire.Snapshot | wire.Delta] = []

    def tell(self, frame: wire.ServerFrame) -> None:
        assert isinstance(frame, wire.Snapshot | wire.Delta)
        self.frames.append(frame)

    async def send(self, frame: wire.ServerFrame) -> None:
        self.tell(frame)

    @property
    def told(self) -> list[wire.Snapshot | wire.Delta]:
        """All but the pulses."""
        return [f for f in self.frames if isinstance(f, wire.Snapshot) or f.changed or f.gone]


def node(name: str, cluster: str, host: str, state: NodeState = "on") -> Node:
    return Node(name, name=name, cluster=cluster, host=host, domain=name, state=state, since=0.0)


def host(name: str, detail: str = "") -> Host:
    return Host(
        f"host:{name}", name=name, uri="qemu://x", state="up", since=0.0, detail=detail, words="secret"
    )


class Scene:
    def __init__(self, *grants: Grant, cluster: str = "") -> None:
        self.inventory = Inventory()
        self.states: tuple[NodeState, ...] = ("off", "on")
        self.inventory.host(host("h1"))
        self.inventory.host(host("h2"))
        self.inventory.nodes([node("mine", "vc1", "h1"), node("theirs", "vc2", "h2")])
        self.caller, self.sent = Entitled(*grants), Sent()
        self.task = asyncio.create_task(
            watching.stream(self.inventory, cast("Caller", self.caller), cluster, self.sent, lambda: 1.0)
        )

    async def told(self, count: int) -> list[wire.Snapshot | wire.Delta]:
        return await until(lambda: self.sent.told if len(self.sent.told) >= count else None, 5)


@pytest.fixture(autouse=True)
def _quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PULSE_SECONDS", 0.05)


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
    await until(lambda: len(scene.sent.frames) >= 4, 5, "pulses")
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
