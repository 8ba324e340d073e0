"""Machines of pools joined to nodes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.agent.joining import Joining
from pilot.backends.provider import Extra
from pilot.records import Instance, Machine, Node


class Told:
    def __init__(self, clusters: dict[str, str] | None = None) -> None:
        self.records: dict[str, Extra] = {}
        self.joining = Joining(self._extras, self._gone, clusters)

    def _extras(self, records: Iterable[Extra]) -> None:
        self.records.update((record.id, record) for record in records)

    def _gone(self, ids: Iterable[str]) -> None:
        for record_id in ids:
            self.records.pop(record_id, None)

    def node(self, machine: Machine) -> tuple[str, str]:
        found = self.records[machine.id]
        assert isinstance(found, Machine)
        return found.node, found.cluster


def node(name: str, cluster: str = "vc1", node_id: str = "") -> Node:
    return Node(node_id or f"id-{cluster}-{name}", name, cluster, "h", f"hosted-{cluster}-{name}", "on", 0.0)


def instance(number: str, cluster: str = "vc1", **more: str) -> Instance:
    return Instance(f"instance:{number}", f"ec2:{number}", cluster, "us-east-1", "a", "running", 0.0, **more)  # type: ignore[arg-type]


def machine(name: str, pool: str = "p", **more: str) -> Machine:
    return Machine(f"machine:{pool}/{name}", pool, name, "Unclaimed", "Idle", **more)  # type: ignore[arg-type]


def test_by_short_name_whichever_comes_first() -> None:
    told, one = Told(), machine("Compute-0-0.local")
    told.joining.extras([one])
    assert told.node(one) == ("", "")
    told.joining.node_changed(node("compute-0-0"))
    assert told.node(one) == ("id-vc1-compute-0-0", "vc1")
    two = machine("slotted@compute-0-0.local")
    told.joining.extras([two])
    assert told.node(two) == ("id-vc1-compute-0-0", "vc1")
    assert [m.id for m in told.joining.machines_of("id-vc1-compute-0-0")] == [one.id, two.id]


def test_a_name_of_two_clusters_is_nobodys_unless_the_pool_is_of_one() -> None:
    told, one, other = Told({"q": "vc2"}), machine("compute-0-0"), machine("compute-0-0", "q")
    told.joining.node_changed(node("compute-0-0", "vc1"))
    told.joining.node_changed(node("compute-0-0", "vc2"))
    told.joining.extras([one, other])
    assert told.node(one) == ("", "")
    assert told.node(other) == ("id-vc2-compute-0-0", "vc2")
    told.joining.gone(["id-vc2-compute-0-0"])
    assert told.node(one) == ("id-vc1-compute-0-0", "vc1")
    assert told.node(other) == ("", "")


def test_by_id_before_address_before_name() -> None:
    told = Told()
    told.joining.extras(
        [
            instance("i-1", private_address="10.0.0.1", private_name="ip-10-0-0-1.ec2.internal"),
            instance("i-2", private_address="10.0.0.2"),
        ]
    )
    told.joining.node_changed(node("worker"))
    by_id = machine("worker", instance="i-2", address="10.0.0.1")
    by_address = machine("worker.b", address="10.0.0.1")
    by_dns = machine("ip-10-0-0-1.ec2.internal")
    told.joining.extras([by_id, by_address, by_dns])
    assert told.node(by_id) == ("ec2:i-2", "vc1")
    assert told.node(by_address) == ("ec2:i-1", "vc1")
    assert told.node(by_dns) == ("ec2:i-1", "vc1")


def test_a_node_that_changes_its_name_or_cluster_is_joined_anew() -> None:
    told, one = Told(), machine("a")
    told.joining.extras([one])
    told.joining.node_changed(node("a", node_id="n"))
    told.joining.node_changed(node("a", "vc9", node_id="n"))
    assert told.node(one) == ("n", "vc9")
    told.joining.node_changed(node("b", "vc9", node_id="n"))
    assert told.node(one) == ("", "")
    told.joining.node_changed(node("a", "", node_id="n"))
    assert told.node(one) == ("", "")  # a domain without a cluster is nobody's


def test_a_machine_that_goes_is_forgotten() -> None:
    told, one = Told(), machine("a")
    told.joining.node_changed(node("a"))
    told.joining.extras([one])
    told.joining.gone([one.id])
    assert told.joining.machines_of("id-vc1-a") == []
    told.joining.node_changed(node("a", "vc2"))
    assert told.records == {}


_names = st.sampled_from(["a", "b", "c"])
_steps = st.one_of(
    st.tuples(st.just("node"), _names, st.sampled_from(["vc1", "vc2"]), st.integers(0, 3)),
    st.tuples(st.just("machine"), _names, st.sampled_from(["p", "q"]), st.integers(0, 3)),
    st.tuples(st.just("gone"), _names, st.sampled_from(["p", "q"]), st.integers(0, 3)),
    st.tuples(st.just("lost"), _names, st.just(""), st.integers(0, 3)),
)


@given(st.lists(_steps, max_size=25))
def test_whatever_comes_in_whatever_order_it_is_as_if_all_had_come_at_once(
    steps: list[tuple[str, str, str, int]],
) -> None:
    told, nodes, machines = Told({"q": "vc2"}), dict[str, Node](), dict[str, Machine]()
    for what, name, where, number in steps:
        if what == "node":
            nodes[f"n{number}"] = node(name, where, f"n{number}")
            told.joining.node_changed(nodes[f"n{number}"])
        elif what == "machine":
            made = machine(name, where)
            machines[made.id] = made
            told.joining.extras([made])
        elif what == "gone":
            machines.pop(f"machine:{where}/{name}", None)
            told.joining.gone([f"machine:{where}/{name}"])
        else:
            nodes.pop(f"n{number}", None)
            told.joining.gone([f"n{number}"])
    fresh = Told({"q": "vc2"})
    for each in nodes.values():
        fresh.joining.node_changed(each)
    fresh.joining.extras(machines.values())
    assert told.records == fresh.records
    for node_id in nodes:
        ids = [m.id for m in told.joining.machines_of(node_id)]
        assert ids == sorted(
            m.id for m in told.records.values() if isinstance(m, Machine) and m.node == node_id
        )
    assert msgspec.to_builtins(list(told.records.values())) is not None


def test_what_came_and_went_leaves_nothing_behind() -> None:
    told = Told()
    joining = told.joining
    for number in range(100):
        remote = instance(f"i-{number}", private_address=f"10.0.0.{number}")
        one = machine(f"remote-{number}.cloud", instance=f"i-{number}", address=f"10.0.0.{number}")
        joining.extras([remote])
        joining.extras([one])
        joining.node_changed(node(f"remote-{number}", node_id=f"ec2:i-{number}"))
        assert told.node(one) == (f"ec2:i-{number}", "vc1")
        joining.gone([remote.id, f"ec2:i-{number}", one.id])
    left = {name: len(kept) for name, kept in vars(joining).items() if isinstance(kept, dict) and kept}
    assert left == {}
