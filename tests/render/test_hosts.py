"""Hosts, storage and VLANs as tables for a plain terminal."""

from __future__ import annotations

import msgspec
import pytest

from pilot.commands.as_json import host_json, vlans_json
from pilot.faults import network_faults
from pilot.loads import Loads
from pilot.records import AnyRecord, Cluster, Cordon, Host, Network, Nic, Node, Pool, Volume
from pilot.render.hosts import Site, host_table, last_hour, rate, storage_table
from pilot.render.vlans import vlan_table, vlans_of
from pilot.wire import HostLoad, Load, NicLoad

NOW = 1_700_000_000.0
GIB = 1024**2
H1 = Host(
    "host:h1", "h1", "qemu:///system", "up", NOW - 7200, libvirt="9.0.0", hypervisor="QEMU 7.2.22", cpus=16,
    memory=64 * GIB, cordon=Cordon("root", NOW - 60, "a fan is broken"),
)  # fmt: skip
H2 = Host("host:h2", "h2", "qemu+ssh://h2/system", "down", NOW - 30, words="Connection refused")
WEB = Node(
    "n1", "compute-0-1", "vc1", "h1", "vm-1", "on", NOW, vcpus=4, memory=8 * GIB,
    nics=(Nic("52:54:00:00:00:01", "vlan101", 101, "virtio", "bridge"),),
)  # fmt: skip
HUNG = Node(
    "n2", "compute-0-2", "vc2", "h1", "vm-2", "on", NOW, vcpus=2, memory=GIB, hung_ms=4200,
    nics=(Nic("52:54:00:00:00:02", "vlan101", 101, "e1000", "bridge", link=False),),
)  # fmt: skip
POOL = Pool(
    "pool:h1/disks", host="h1", name="disks", type="dir", capacity=100 * GIB, allocation=95 * GIB,
    available=5 * GIB, seen=NOW, more=3,
    volumes=(Volume("one.img", 10 * GIB, 4 * GIB, ("n1", "n9")), Volume("two.img", GIB, GIB)),
)  # fmt: skip
NET = Network("net:h1/vlan101", host="h1", name="vlan101", type="bridge", vlan=101, up=True)
MISSING = Network(
    "net:h2/vlan102", host="h2", name="vlan102", type="bridge", vlan=102, up=False, missing=True,
    words="the host has no bridge vlan102",
)  # fmt: skip
EVERYTHING: list[AnyRecord] = [
    H2, H1, WEB, HUNG, POOL, NET, MISSING, Cluster("cluster:vc1", "vc1", 101),
    Cluster("cluster:vc2", "vc2", 102),
]  # fmt: skip


def busy() -> Loads:
    loads = Loads()
    host = HostLoad(
        "h1", b"\x05\x60", b"\x14\x14", b"\x20\x20", b"\x00\x40", b"\x00\x00", 20 * GIB, 3.25, 5000, 0
    )
    nic = NicLoad("n1/0", b"\x01", b"\x01", 1_500_000, 0, 1200, 3, 0, 7)
    loads.take(Load(NOW, 10.0, (host,), (nic,)))
    return loads


def text(lines: list[str]) -> str:
    assert not any("\x1b" in line for line in lines)
    return "\n".join(lines)


def test_hosts() -> None:
    shown = host_table(Site(EVERYTHING), busy(), NOW, False)
    head, h1, h2 = shown[:3]
    for word in ("h1", "⊘ cordoned", "2 h", "2/2 ▲1 hung", "96%", "3.25", "20.0 G of 64.0 G", "6 of 16",
                 "9.0 G of 64.0 G", "5.0 K/s", "disks 95% full", "9.0.0", "QEMU 7.2.22"):  # fmt: skip
        assert word in h1, (word, h1)
    assert "✕ silent 30 s" in h2
    assert head.split()[:3] == ["HOST", "STATE", "FOR"]
    notes = text(shown[3:])
    for words in ("h1: cordoned by root 1 min ago: a fan is broken", "Connection refused",
                  "compute-0-2 of vc2 hangs: QEMU has not answered for 4200 ms"):  # fmt: skip
        assert words in notes
    # What an owner sees: health, and no more.
    own: list[AnyRecord] = [msgspec.structs.replace(H1, uri="", words="", cordon=None), WEB]
    assert "root" not in text(host_table(Site(own), busy(), NOW, False))
    assert len(host_table(Site(EVERYTHING, ["h2"]), Loads(), NOW, False)) == 4


def test_storage() -> None:
    shown = text(storage_table(Site(EVERYTHING), False))
    for words in ("● 95% full", "95.0 G of 100.0 G", "1 of 5 volumes", "nobody",
                  "compute-0-1, a node that is not yours", "and 3 more"):  # fmt: skip
        assert words in shown


def test_vlans() -> None:
    shown = vlan_table(EVERYTHING, network_faults(EVERYTHING), busy(), False)
    whole = text(shown)
    carrier, first, second = shown[1:4]
    assert carrier.split()[:4] == ["101", "vc1", "h1", "vlan101"]
    assert "● up" in carrier
    for word in (
        "compute-0-1 of vc1",
        "52:54:00:00:00:01",
        "virtio",
        "● plugged in",
        "1.5 M/s",
        "1203/s",
        "7",
    ):
        assert word in first, first
    assert "✕ another cluster's VLAN, down" in second
    for words in ("the host has no bridge vlan102",
                  "✕ another cluster's VLAN: compute-0-2 of vc2 on h1 is on VLAN 101",
                  "✕ missing: h2", "✕ down: compute-0-2"):  # fmt: skip
        assert words in whole


def test_vlans_by_tag_and_what_has_none_at_the_end() -> None:
    loose = Node(
        "n3",
        "x",
        "",
        "h1",
        "x",
        "off",
        NOW,
        nics=(Nic("m", kind="user"), Nic("o", "br0", None, kind="bridge")),
    )
    found = vlans_of([loose, NET, MISSING])
    assert list(found) == [101, 102, None]
    assert [(carrier.name, carrier.network) for carrier in found[None]] == [("user", None), ("br0", None)]
    assert vlan_table([], [], Loads(), False) != []


def test_for_programs() -> None:
    host = host_json(H1, [WEB, HUNG], [POOL], busy().host("h1"), 10.0)
    assert host["name"] == "h1"
    assert host["cordon"] == {"principal": "root", "since": NOW - 60, "why": "a fan is broken"}
    assert host["busy"]["cpu"] == 96
    assert host["busy"]["history"]["cpu"] == [5, 96]
    assert host["busy"]["history"]["received"] == [0, 255]
    assert host["nodes"] == {"all": 2, "on": 2, "vcpus": 6, "memory": 9 * GIB}
    assert host["hung"] == [{"id": "n2", "name": "compute-0-2", "cluster": "vc2", "ms": 4200}]
    assert host["pools"][0]["volumes"][0]["nodes"] == ("n1", "n9")
    assert host_json(H2, [], [], None, 0.0)["busy"] is None
    vlans = vlans_json(EVERYTHING, busy())
    assert [vlan["vlan"] for vlan in vlans["vlans"]] == [101, 102]
    nics = vlans["vlans"][0]["networks"][0]["nics"]
    assert (nics[0]["id"], nics[0]["traffic"]["drops"], nics[1]["traffic"]) == ("n1/0", 7, None)
    assert {fault["kind"] for fault in vlans["faults"]} == {"foreign-vlan", "missing", "down"}
    msgspec.json.encode([host, vlans])


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (7, "7 B/s"), (999, "999 B/s"), (1000, "1.0 K/s"), (12_345, "12 K/s"), (3_400_000, "3.4 M/s"),
     (2_000_000_000, "2.0 G/s")],
)  # fmt: skip
def test_rates(number: int, words: str) -> None:
    assert rate(number) == words


def test_the_last_hour_in_twelve_characters() -> None:
    assert last_hour(b"") == "·" * 12
    assert last_hour(bytes(360)) == "▁" * 12
    assert last_hour(bytes(359) + b"\x64") == "▁" * 11 + "█"
    assert last_hour(b"\xff" * 180 + b"\x32" * 180) == "·" * 6 + "▅" * 6
