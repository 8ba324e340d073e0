"""What needs attention: what is said of which record, and in which order."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.attention import concerns
from pilot.records import AnyRecord, Cluster, Host, Instance, Lease, Machine, Node, Pool, Price, Slot, Source
from pilot.verbs import BY_ID

NOW = 1_700_000_000.0


def node(**fields: object) -> Node:
    usual = {"kind": "node", "id": "n", "name": "compute-0-0", "cluster": "vc1", "host": "h", "domain": "d"}
    return msgspec.convert({**usual, "state": "on", "since": NOW - 60, **fields}, Node)


def host(state: str) -> Host:
    return msgspec.convert(
        {"kind": "host", "id": "host:h", "name": "h", "uri": "", "state": state, "since": NOW - 9}, Host
    )


def instance(**fields: object) -> Instance:
    made = Instance("instance:i", "ec2:i", "vc1", "us-east-1", "1", "running", NOW - 9000)
    return msgspec.structs.replace(made, **fields)


def said(*records: AnyRecord, flapped: dict[str, list[float]] | None = None) -> list[tuple[str, str]]:
    found = concerns({record.id: record for record in records}, NOW, flapped)
    assert all(
        one.words and (not one.verb or one.verb in BY_ID or one.verb.startswith("lease.")) for one in found
    )
    return [(one.kind, one.verb) for one in found]


def test_nothing_needs_attention_where_all_is_well() -> None:
    pool = Pool("pool:h/a", "h", "a", "dir", capacity=100, allocation=10, available=90)
    assert said(host("up"), node(), node(id="m", state="off"), pool, instance()) == []


def test_an_instance_that_is_in_no_pool_of_its_cluster() -> None:
    other = Machine("machine:vc1/other", "vc1", "other", "Unclaimed", "Idle", node="ec2:o", cluster="vc1")
    its = msgspec.structs.replace(other, id="machine:vc1/its", name="its", node="ec2:i")
    assert said(instance(), other) == [("no slots", "console.open")]
    assert said(instance(), other, its) == []
    assert said(instance(launched=NOW - 60), other) == [], "it may be on its way there"
    assert said(instance(state="stopped"), other) == []
    assert said(instance(cluster="vc2"), other) == [], "its cluster has no pool"


def test_nodes() -> None:
    assert said(node(hung_ms=14_000)) == [("hung", "power.reset")]
    assert said(node(state="crashed")) == [("crashed", "power.on")]
    assert said(node(state="paused")) == [("paused", "power.resume")]
    assert said(node(cluster="")) == [("orphaned", "")]
    assert said(node(cluster="", state="off")) == []


def test_a_silent_host_speaks_for_its_nodes() -> None:
    there = node(hung_ms=14_000, stale_since=NOW - 5)
    found = concerns({"host:h": host("down"), "n": there}, NOW)
    assert [(one.kind, one.about, one.count) for one in found] == [("silent", "host:h", 1)]
    assert "1 node with an unknown state" in found[0].words


def test_going_on_and_off_again_and_again() -> None:
    moments = [NOW - 500, NOW - 400, NOW - 300, NOW - 200]
    assert said(node(), flapped={"n": moments}) == [("flapping", "console.open")]
    assert said(node(), flapped={"n": moments[1:]}) == []
    assert said(node(), flapped={"n": [moment - 600 for moment in moments]}) == []


def test_storage_that_is_nearly_full() -> None:
    assert said(Pool("pool:h/a", "h", "a", "dir", capacity=100, allocation=95, available=5)) == [("full", "")]
    assert said(Pool("pool:h/a", "h", "a", "dir", False, 100, 95, 5)) == []


def test_instances() -> None:
    assert said(instance(instance_check="impaired")) == [("impaired", "power.off")]
    assert said(instance(lease=Lease(NOW + 600, "ada@vc1"))) == [("lease", "lease.renew")]
    assert said(instance(lease=Lease(NOW + 6000, "ada@vc1"))) == []
    idle = instance(idle_since=NOW - 8000, price=Price(0.17, NOW, "table"))
    assert said(idle) == [("idle", "power.off")]
    assert said(msgspec.structs.replace(idle, state="stopped")) == []
    assert said(instance(cluster="")) == [("orphaned", "")]


def test_sources_and_machines() -> None:
    assert said(Source("source:ec2/e", "ec2", "e", "down", NOW - 9, words="expired token")) == [
        ("silent", "")
    ]
    machine = Machine(
        "machine:p/m", "p", "m", "Claimed", "Busy", node="n", slots=(Slot("s", "Claimed", "Busy"),)
    )
    assert said(machine, node(state="off")) == [("ghost", "")]
    assert said(machine, node()) == []


def test_networks() -> None:
    cluster = Cluster("cluster:vc2", "vc2", 144)
    assert said(cluster, node(nics=[{"mac": "52:54:00:00:00:01", "network": "br", "vlan": 144}])) == [
        ("foreign-vlan", "")
    ]


some_node = st.builds(
    lambda number, state, cluster, hung: node(
        id=f"n{number}", state=state, cluster=cluster, hung_ms=hung, since=NOW - number
    ),
    st.integers(0, 99),
    st.sampled_from(["on", "off", "paused", "crashed"]),
    st.sampled_from(["", "vc1"]),
    st.sampled_from([None, 900, 90_000]),
)


@given(st.lists(some_node))
def test_the_worst_is_first_and_then_the_oldest(nodes: list[Node]) -> None:
    found = concerns({record.id: record for record in nodes}, NOW)
    for one, other in pairwise(found):
        assert one.level < other.level or (
            one.level == other.level and (one.since or NOW) <= (other.since or NOW)
        )
