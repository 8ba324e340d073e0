"""From a thing to what it belongs to."""

from __future__ import annotations

import msgspec

from pilot.records import AnyRecord, Cluster, Instance, Machine, Network, Nic, Pool, Source, Volume
from pilot.trees.links import links, named
from tests.trees.test_outline import NOW, host, node

NODE = msgspec.structs.replace(node(1), nics=(Nic("52:54:00:00:00:01", "br0", 144), Nic("52:54:00:00:00:02")))
MACHINE = Machine("machine:p/c", "p", "compute-0-1.local", "Claimed", "Busy", node="id-1")
RECORDS: dict[str, AnyRecord] = {
    record.id: record
    for record in (
        NODE,
        host("a"),
        MACHINE,
        Cluster("cluster:vc1", "vc1"),
        Instance("instance:i-0ab", "ec2:i-0ab", "vc1", "us-east-1", "1", "running", NOW),
        msgspec.structs.replace(node(2, "us-east-1"), id="ec2:i-0ab", provider="ec2", name="burst"),
        Source("source:ec2/us-east-1", "ec2", "us-east-1", "up", NOW),
    )
}


def led(record: AnyRecord) -> list[tuple[str, str]]:
    return [(link.area, link.key) for link in links(record, RECORDS)]


def test_a_node_leads_to_all_that_it_has() -> None:
    assert led(NODE) == [
        ("nodes", "id-1"),
        ("clusters", "vc1/"),
        ("hosts", "id-1"),
        ("vlans", "id-1/0"),
        ("vlans", "id-1/1"),
        ("slots", "machine:p/c"),
    ]


def test_what_is_a_node_elsewhere_leads_where_the_node_leads() -> None:
    assert led(MACHINE) == led(NODE)
    instance = RECORDS["instance:i-0ab"]
    assert led(instance) == [("nodes", "ec2:i-0ab"), ("clusters", "vc1/"), ("instances", "instance:i-0ab")]


def test_what_is_of_a_host_leads_there() -> None:
    assert led(Pool("pool:a/d", "a", "d", "dir")) == [("hosts", "host:a")]
    volumes = (Volume("a.img", 1, 1, ("id-1", "gone")), Volume("b.img", 1, 1, ("id-1",)))
    used = Pool("pool:a/d", "a", "d", "dir", volumes=volumes)
    assert led(used) == [("hosts", "host:a"), ("nodes", "id-1")]
    assert led(Network("net:a/br0", "a", "br0", "bridge", vlan=144)) == [
        ("hosts", "host:a"),
        ("vlans", "vlan:144/a/br0"),
    ]
    assert led(Machine("machine:p/x", "p", "x", "Unclaimed", "Idle")) == [("slots", "machine:p/x")]


def test_things_are_found_by_name() -> None:
    def found(text: str) -> str:
        link = named(text, RECORDS.values())
        return "" if link is None else f"{link.area} {link.name}"

    assert found("i-0") == "instances i-0ab"
    assert found("vc1") == "clusters vc1"
    assert found("a") == "hosts a"
    assert found("east") == "instances us-east-1"
    assert found("local") == "slots compute-0-1.local"
    assert found("nothing") == ""
