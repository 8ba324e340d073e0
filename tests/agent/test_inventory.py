"""The inventory and what its watchers are told."""

from __future__ import annotations

import asyncio

import msgspec

from pilot.agent.inventory import Inventory, Watcher
from pilot.records import Cluster, Node, NodeState
from tests.support.waiting import until


def node(number: int, cluster: str = "vc1", state: NodeState = "off") -> Node:
    return Node(
        f"id-{number}",
        name=f"n{number}",
        cluster=cluster,
        host="h",
        domain="d",
        state=state,
        since=0.0,
    )


async def told(watcher: Watcher) -> set[str]:
    async with asyncio.timeout(20):
        while not watcher.dirty:
            await watcher.changed()
    return watcher.take()


class Heard:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.gone: list[str] = []
        self.inventory = Inventory()
        self.inventory.on_node.append(self.nodes.append)
        self.inventory.on_gone.append(self.gone.append)


async def test_a_burst_reaches_a_watcher_as_one_change_with_the_newest_record() -> None:
    heard = Heard()
    watcher = heard.inventory.watch()
    states: tuple[NodeState, ...] = ("off", "on", "paused", "on")
    for state in states:
        heard.inventory.nodes([node(1, state=state)])
    assert await told(watcher) == {"id-1"}
    current = heard.inventory.node("id-1")
    assert current is not None
    assert current.state == "on"
    assert [n.state for n in heard.nodes] == ["off", "on", "paused", "on"]


async def test_the_same_record_again_is_no_change() -> None:
    heard = Heard()
    heard.inventory.nodes([node(1)])
    version = heard.inventory.version
    heard.inventory.nodes([node(1)])
    assert heard.inventory.version == version
    assert len(heard.nodes) == 1


async def test_what_waits_for_a_slow_watcher_is_bounded_by_the_inventory() -> None:
    heard = Heard()
    watcher = heard.inventory.watch()
    for turn in range(50):
        heard.inventory.nodes([node(i, state="on" if turn % 2 else "off") for i in range(20)])
        await asyncio.sleep(0)
    assert await told(watcher) == {f"id-{i}" for i in range(20)}


async def test_presence_is_kept_over_a_providers_change_and_forgotten_with_the_node() -> None:
    heard = Heard()
    heard.inventory.nodes([node(1)])
    heard.inventory.presence("id-1", "ada", 2)
    heard.inventory.nodes([node(1, state="on")])
    current = heard.inventory.node("id-1")
    assert current == msgspec.structs.replace(node(1, state="on"), writer="ada", watchers=2)
    heard.inventory.gone(["id-1"])
    heard.inventory.nodes([node(1)])
    assert heard.inventory.node("id-1") == node(1)
    assert heard.gone == ["id-1"]


async def test_members_follow_a_node_that_moves_to_another_cluster() -> None:
    heard = Heard()
    heard.inventory.nodes([node(1), node(2)])
    heard.inventory.nodes([node(1, cluster="vc2")])
    assert [n.id for n in heard.inventory.members("vc1")] == ["id-2"]
    assert [n.id for n in heard.inventory.members("vc2")] == ["id-1"]
    heard.inventory.gone(["id-1"])
    assert not list(heard.inventory.members("vc2"))


async def test_clusters_are_replaced_as_a_whole() -> None:
    heard = Heard()
    heard.inventory.clusters([Cluster("cluster:a", name="a"), Cluster("cluster:b", name="b")])
    heard.inventory.clusters([Cluster("cluster:b", name="b", vlan=3)])
    assert list(heard.inventory.records.values()) == [Cluster("cluster:b", name="b", vlan=3)]


async def test_nodes_that_came_and_went_leave_nothing_behind() -> None:
    inventory = Heard().inventory

    def sizes() -> dict[str, int]:
        return {name: len(kept) for name, kept in vars(inventory).items() if isinstance(kept, dict | set)}

    empty = sizes()
    for number in range(20):
        inventory.nodes([node(number, cluster=f"vc{number}")])
        inventory.presence(f"id-{number}", "ada", 1)
        inventory.recorded(f"id-{number}", True)
        inventory.nodes([node(number, cluster=f"other{number}")])
        inventory.gone([f"id-{number}"])
        # Those who were at its console are told afterwards, and leave it then.
        inventory.presence(f"id-{number}", "", 0)
        inventory.recorded(f"id-{number}", True)
    await until(lambda: not inventory._pending, 20, "told")
    assert empty == {
        name: len(kept) for name, kept in vars(inventory).items() if isinstance(kept, dict | set)
    }
