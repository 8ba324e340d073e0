"""What is wrong with networks, found in records."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.faults import KINDS, NetworkFault, network_faults
from pilot.records import AnyRecord, Cluster, Host, Network, Nic, Node, NodeState

NOW = 1.7e9
ADA, BOB = Cluster("cluster:vc1", "vc1", 101), Cluster("cluster:vc2", "vc2", 102)
UP = Host("host:h1", "h1", "qemu:///system", "up", NOW)


def node(number: int, *nics: Nic, cluster: str = "vc1", host: str = "h1", state: NodeState = "on") -> Node:
    return Node(
        f"n{number}",
        f"compute-0-{number}",
        cluster,
        host,
        f"vm-{number}",
        state,
        NOW,
        nics=nics,
    )


def nic(mac: int, vlan: int | None = 101, network: str = "vlan101", link: bool = True) -> Nic:
    return Nic(f"52:54:00:00:00:{mac:02x}", network, vlan, kind="bridge", link=link)


def net(name: str = "vlan101", host: str = "h1", **fields: object) -> Network:
    return Network(f"net:{host}/{name}", host=host, name=name, type="bridge", **fields)  # type: ignore[arg-type]


def found(*records: AnyRecord) -> list[tuple[str, str]]:
    return [(fault.kind, fault.words) for fault in network_faults(records)]


def test_a_site_in_order() -> None:
    records: list[AnyRecord] = [
        ADA,
        BOB,
        UP,
        net(up=True),
        node(1, nic(1)),
        node(2, nic(2, 102, "vlan102"), cluster="vc2"),
    ]
    assert found(*records) == []
    # What nobody can know is no fault.
    assert found(ADA, node(1, nic(1, None, ""), nic(2, 999, "elsewhere"))) == []
    assert found() == []


def test_a_vlan_of_one_cluster_used_by_anothers_vm() -> None:
    wrong = node(7, nic(1), cluster="vc2")
    assert found(ADA, BOB, wrong) == [
        ("foreign-vlan", "compute-0-7 of vc2 on h1 is on VLAN 101, which is cluster vc1's")
    ]
    (fault,) = network_faults([ADA, BOB, wrong])
    assert (fault.at, fault.nodes, fault.vlan, fault.host) == (("n7/0",), ("n7",), 101, "h1")
    assert found(ADA, BOB, node(7, nic(1), cluster="")) == []  # not adopted yet


def test_a_host_whose_bridge_is_missing() -> None:
    missing = net(missing=True, words="the host has no bridge vlan101", vlan=101)
    assert found(ADA, missing, node(1, nic(1)), node(2, nic(2))) == [
        ("missing", "h1: the host has no bridge vlan101: 2 nodes need it")
    ]
    assert found(missing) == [("missing", "h1: the host has no bridge vlan101")]
    (fault,) = network_faults([missing, node(1, nic(1))])
    assert (fault.at, fault.nodes) == (("net:h1/vlan101", "n1/0"), ("n1",))
    assert found(missing, node(1, nic(1), host="h2"))[0][1].endswith("vlan101")  # another host's has it


def test_a_mac_twice() -> None:
    assert found(node(1, nic(1)), node(2, nic(1), cluster="vc2", host="h2")) == [
        ("mac-twice", "52:54:00:00:00:01 is at compute-0-1 of vc1 on h1 and compute-0-2 of vc2 on h2")
    ]
    (fault,) = network_faults([node(1, nic(1), nic(1))])
    assert (fault.at, fault.nodes) == (("n1/0", "n1/1"), ("n1",))
    ((_, words),) = found(*(node(n, nic(1)) for n in range(5)))
    assert words.endswith("and 2 more")


def test_a_nic_that_is_down() -> None:
    assert found(UP, node(1, nic(1, link=False))) == [
        ("down", "compute-0-1 of vc1 on h1: 52:54:00:00:00:01 is down: its cable is unplugged")
    ]
    assert found(UP, node(1, nic(1, link=False), state="off")) == []
    ((kind, words),) = found(UP, net(up=False), node(1, nic(1)))
    assert (kind, words.endswith("vlan101 is down")) == ("down", True)
    assert found(UP, net(up=False), node(1, nic(1), state="off")) == []  # nothing is plugged in: no wonder
    assert found(net(up=False), node(1, nic(1))) == []  # its host does not answer: nobody knows


macs = st.integers(0, 5)
nics = st.builds(
    nic, macs, st.sampled_from([None, 101, 102, 103]), st.sampled_from(["vlan101", "b", ""]), st.booleans()
)
nodes = st.lists(
    st.builds(
        lambda n, cards, cluster, host, state: node(n, *cards, cluster=cluster, host=host, state=state),
        st.integers(0, 9),
        st.lists(nics, max_size=3),
        st.sampled_from(["", "vc1", "vc2"]),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from(["on", "off", "paused", "unknown"]),
    ),
    max_size=8,
    unique_by=lambda one: one.id,
)
networks = st.lists(
    st.builds(
        lambda name, host, up, missing: net(name, host, up=up, missing=missing),
        st.sampled_from(["vlan101", "b"]),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from([None, True, False]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda one: one.id,
)


@settings(max_examples=60)
@given(nodes, networks, st.randoms())
def test_what_is_found_is_there_whatever_the_order(
    some: list[Node], nets: list[Network], random: object
) -> None:
    records: list[AnyRecord] = [ADA, BOB, UP, *some, *nets]
    faults = network_faults(records)
    random.shuffle(records)  # type: ignore[attr-defined]
    assert network_faults(records) == faults
    kinds = [KINDS.index(fault.kind) for fault in faults]
    assert kinds == sorted(kinds)
    ids = {f"{one.id}/{n}" for one in some for n in range(len(one.nics))} | {one.id for one in nets}
    for fault in faults:
        assert set(fault.at) <= ids
        assert fault.words
        assert set(fault.nodes) <= {one.id for one in some}
    assert len(set(faults)) == len(faults)


@settings(max_examples=60)
@given(nodes)
def test_every_mac_is_at_one_place_or_told(some: list[Node]) -> None:
    at: dict[str, list[str]] = {}
    for one in some:
        for number, card in enumerate(one.nics):
            at.setdefault(card.mac, []).append(f"{one.id}/{number}")
    told = {frozenset(fault.at) for fault in network_faults(some) if fault.kind == "mac-twice"}
    assert told == {frozenset(ids) for ids in at.values() if len(ids) > 1}


@settings(max_examples=60)
@given(nodes)
def test_every_node_of_a_cluster_on_anothers_vlan_is_told(some: list[Node]) -> None:
    owners = {101: "vc1", 102: "vc2"}
    wrong = {
        f"{one.id}/{number}"
        for one in some
        for number, card in enumerate(one.nics)
        if one.cluster and owners.get(card.vlan or 0, one.cluster) != one.cluster
    }
    faults: list[NetworkFault] = network_faults([ADA, BOB, *some])
    assert {place for fault in faults if fault.kind == "foreign-vlan" for place in fault.at} == wrong
