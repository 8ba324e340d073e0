"""Bridges, libvirt networks, VLANs and traffic: on real bridges in a namespace, and as XML tells them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import libvirt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.libvirt import network_xml
from pilot.backends.libvirt.network_xml import InterfaceFacts, NetworkFacts, named_vlan
from pilot.backends.libvirt.networks import Found, records, vlans
from pilot.backends.libvirt.provider import HostAddress, LibvirtProvider
from pilot.backends.libvirt.traffic import Counted, traffic
from pilot.backends.provider import Traffic
from pilot.demo.hypervisor import PrivateHost
from pilot.records import Network
from tests.backends.libvirt import namespace, tiny_guest
from tests.backends.libvirt.conftest import FAST, Recorder, Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
QUICK = msgspec.structs.replace(FAST, load=0.3, networks=0.4, storage=0.4, volumes=0.4)
REAL = pytest.mark.skipif(bool(namespace.possible()), reason=namespace.possible())


# --- what XML says -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("vlan100", 100), ("br-vlan7", 7), ("eth1.2", 2), ("p1p1.4094", 4094), ("br0", None), ("br100", None),
        ("vlan0", None), ("eth0.4095", None), ("", None), ("vlan", None), ("vlan12345", None),
    ],
)  # fmt: skip
def test_names_that_tell_a_vlan(name: str, tag: int | None) -> None:
    assert named_vlan(name) == tag


@given(st.text())
def test_any_name_and_any_text_are_survived(text: str) -> None:
    tag = named_vlan(text)
    assert tag is None or 0 < tag < 4095
    assert network_xml.read_network(text) == NetworkFacts()
    assert network_xml.read_interface(text) == InterfaceFacts()


@pytest.mark.parametrize(
    ("xml", "facts"),
    [
        ("<network><name>n</name><bridge name='virbr1'/></network>", NetworkFacts("virbr1")),
        ("<network><forward/><bridge name='virbr0'/></network>", NetworkFacts("virbr0", "nat")),
        (
            "<network><forward mode='bridge'/><bridge name='ovs0'/><virtualport type='openvswitch'/>"
            "<vlan><tag id='42'/></vlan></network>",
            NetworkFacts("ovs0", "bridge", "", 42, True),
        ),
        (
            "<network><forward mode='bridge'><interface dev='eth1.7'/></forward></network>",
            NetworkFacts("", "bridge", "eth1.7"),
        ),
        (
            "<network><forward mode='bridge'/><bridge name='o'/><portgroup name='a'><vlan><tag id='1'/>"
            "</vlan></portgroup><portgroup name='b' default='yes'><vlan><tag id='2'/></vlan></portgroup>"
            "</network>",
            NetworkFacts("o", "bridge", "", 2),
        ),
        ("<network><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan></network>", NetworkFacts()),
        ("<network><vlan><tag id='4096'/></vlan></network>", NetworkFacts()),
        ("<!DOCTYPE x><network><vlan><tag id='4'/></vlan></network>", NetworkFacts()),
    ],
)
def test_a_networks_xml(xml: str, facts: NetworkFacts) -> None:
    assert network_xml.read_network(xml) == facts


@pytest.mark.parametrize(
    ("xml", "facts"),
    [
        (
            "<interface type='bridge' name='br7'><bridge><interface type='vlan' name='eth0.7'>"
            "<vlan tag='7'><interface name='eth0'/></vlan></interface>"
            "<interface type='ethernet' name='vnet0'/></bridge></interface>",
            InterfaceFacts(7, ("eth0.7", "vnet0")),
        ),
        (
            "<interface type='vlan' name='up'><vlan tag='12'><interface name='eth0'/></vlan></interface>",
            InterfaceFacts(12),
        ),
        # Two VLANs on one bridge are no one's.
        (
            "<interface type='bridge' name='b'><bridge><interface name='e.1'/><interface name='e.2'/>"
            "</bridge></interface>",
            InterfaceFacts(None, ("e.1", "e.2")),
        ),
        (
            "<interface type='bridge' name='b'><bridge><interface name='e.3'/></bridge></interface>",
            InterfaceFacts(3, ("e.3",)),
        ),
    ],
)
def test_an_interfaces_xml(xml: str, facts: InterfaceFacts) -> None:
    assert network_xml.read_interface(xml) == facts


# --- what records are made of it -----------------------------------------------------------------------


def one(found: Found, kind: str, name: str) -> Network:
    return next(network for network in records("h", [(kind, name)], found) if network.name == name)


def test_what_cannot_be_known_is_not_missing() -> None:
    nothing = Found()
    for kind in ("bridge", "openvswitch", "direct", "network"):
        shown = one(nothing, kind, "vlan9")
        assert (shown.missing, shown.up, shown.words) == (False, None, "")
    assert one(nothing, "bridge", "vlan9").vlan == 9
    assert one(nothing, "network", "vlan9").vlan is None  # a network's name is anybody's choice


def test_a_network_and_its_bridge() -> None:
    facts = NetworkFacts("br7", "bridge")
    found = Found({"seven": (True, facts)}, {"br7": True}, frozenset(), {"br7": 7})
    assert one(found, "network", "seven") == Network(
        "net:h/seven", host="h", name="seven", type="network", bridge="br7", vlan=7, up=True
    )
    lost = one(Found({"seven": (True, facts)}, {}), "network", "seven")
    assert (lost.missing, lost.words, lost.up) == (True, "its bridge br7 is not there", False)
    # libvirt makes the bridge of a network that it routes itself: it is not missing while that is off.
    off = one(Found({"nat": (False, NetworkFacts("virbr0", "nat"))}, {}), "network", "nat")
    assert (off.missing, off.up) == (False, False)
    assert "not active" in off.words
    gone = one(Found({}, {}), "network", "nowhere")
    assert (gone.missing, gone.words) == (True, "the host has no libvirt network nowhere")


def test_a_bridge_of_open_vswitch_is_not_called_down() -> None:
    found = Found({}, {"br-int": False})
    assert one(found, "openvswitch", "br-int").up is None
    assert one(found, "bridge", "br-int").up is False


def test_which_vlan_carries_what() -> None:
    plugged = {("bridge", "br7"), ("network", "seven"), ("bridge", "plain")}
    found = Found(
        {"seven": (True, NetworkFacts("br7", "bridge"))},
        {"br7": True, "plain": True},
        frozenset(),
        {"br7": 7},
    )
    assert vlans(plugged, records("h", plugged, found)) == {("bridge", "br7"): 7, ("network", "seven"): 7}


counters = st.tuples(*[st.integers(0, 2**64)] * 8)


@given(counters, counters, st.floats(0, 1e9), st.floats(0, 1e9))
def test_traffic_is_never_negative(a: tuple[int, ...], b: tuple[int, ...], t: float, u: float) -> None:
    shown = traffic(Counted(t, a), Counted(u, b))
    assert min(msgspec.structs.astuple(shown)) >= 0
    assert (shown.errors, shown.drops) == (b[4] + b[5], b[6] + b[7])


def test_traffic() -> None:
    before, now = Counted(10.0, (0,) * 8), Counted(12.0, (200, 400, 2, 4, 1, 0, 0, 3))
    assert traffic(before, now) == Traffic(100, 200, 1, 2, 1, 3)
    assert traffic(None, now) == Traffic(errors=1, drops=3)
    assert traffic(now, before) == Traffic()  # turned off and on meanwhile


# --- a test host ---------------------------------------------------------------------------------------


async def test_networks_of_libvirt(test_host: Hosts, rig: NewRig) -> None:
    host = test_host()
    outside = libvirt.open(host.uri)
    r = await rig(host, settings=QUICK)
    default = await until(lambda: r.sink.others.get("net:sim/default"), what="its network is told")
    assert default == Network(
        "net:sim/default", host="sim", name="default", type="network", bridge="virbr0", up=True
    )
    outside.networkDefineXML("<network><name>seven</name><vlan><tag id='7'/></vlan></network>")
    outside.defineXML(
        "<domain type='test'><name>v</name><memory>64</memory><os><type>hvm</type></os><devices>"
        "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='seven'/></interface>"
        "</devices></domain>"
    )
    await until(lambda: (n := r.sink.node("v")) is not None and n.nics[0].vlan == 7, 10, "its VLAN is known")
    seven = r.sink.others["net:sim/seven"]
    assert isinstance(seven, Network)
    assert (seven.vlan, seven.up) == (7, False)
    assert "not active" in seven.words
    outside.networkLookupByName("seven").undefine()
    await until(
        lambda: getattr(r.sink.others["net:sim/seven"], "missing", False), 10, "the network is missing"
    )
    outside.close()


# --- real bridges --------------------------------------------------------------------------------------


@pytest.fixture
def bridged(hosts: Hosts) -> Iterator[tuple[PrivateHost, namespace.Namespace]]:
    """A host in a namespace with the bridge vlan100, up, and the devices eth9 (its port) and eth8."""
    space = namespace.Namespace()
    host = hosts("vm-container-0-7", start=False)
    space.run(
        "ip link add vlan100 type bridge forward_delay 0", "ip link add eth9 type veth peer name far",
        "ip link set eth9 master vlan100", "ip link set eth9 up", "ip link set far up",
        "ip link set vlan100 up", "ip link add eth8 type veth peer name far8", "ip link set eth8 up",
        "ip link set far8 up",
    )  # fmt: skip
    space.start(host)
    yield host, space
    host.clear()
    space.close()


def plugged(kind: str, source: str, mac: int, extra: str = "") -> str:
    return (
        f"<interface type='{kind}'><mac address='52:54:00:00:07:{mac:02x}'/>"
        f"<source {source}/><model type='e1000'/>{extra}</interface>"
    )


@REAL
async def test_a_bridge_that_is_missing_comes_and_goes(
    bridged: tuple[PrivateHost, namespace.Namespace], tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host, space = bridged
    vms = tiny(host)
    xml = tiny_guest.domain_xml("vm-1", vms.disk)
    cards = (
        plugged("bridge", "bridge='vlan100'", 1)
        + plugged("bridge", "bridge='vlan200'", 2, "<link state='down'/>")
        + plugged("direct", "dev='eth9' mode='bridge'", 3)
        + plugged("direct", "dev='eth8' mode='bridge'", 5)
        + plugged(
            "bridge", "bridge='br-int'", 4, "<vlan><tag id='300'/></vlan><virtualport type='openvswitch'/>"
        )
    )
    vms.connection.defineXML(xml.replace("<memballoon", cards + "<memballoon"))
    r = await rig(host, settings=QUICK)

    def network(name: str) -> Network:
        found = r.sink.others.get(f"net:vm-container-0-7/{name}")
        return found if isinstance(found, Network) else Network("", host="", name="", type="other")

    await until(lambda: network("vlan200").missing, 15, "the missing bridge is told")
    assert network("vlan200").words == "the host has no bridge vlan200"
    assert (network("vlan100").missing, network("vlan100").vlan) == (False, 100)
    await until(lambda: network("vlan100").up, 10, "the bridge carries traffic")
    assert (network("eth8").type, network("eth8").up) == ("direct", True)
    assert (network("eth9").up, network("eth9").missing) == (None, False)
    assert (network("br-int").type, network("br-int").missing) == ("openvswitch", True)
    node = r.sink.node("vm-1")
    assert node is not None
    assert [(nic.kind, nic.network, nic.vlan, nic.link) for nic in node.nics] == [
        ("bridge", "vlan100", 100, True), ("bridge", "vlan200", 200, False),
        ("direct", "eth9", None, True), ("direct", "eth8", None, True), ("openvswitch", "br-int", 300, True),
    ]  # fmt: skip
    space.run("ip link add vlan200 type bridge")
    await until(lambda: network("vlan200").name and not network("vlan200").missing, 10, "it is there")
    assert network("vlan200").up is False  # nothing is plugged in
    space.run("ip link del vlan100")
    await until(lambda: network("vlan100").missing, 10, "it is gone")


class Carried:
    """What a provider tells of traffic."""

    def __init__(self) -> None:
        self.now: dict[str, Traffic] = {}
        self.times = 0

    def __call__(self, _host: str, found: Mapping[str, Traffic] | None) -> None:
        self.now, self.times = dict(found or {}), self.times + 1


@pytest.fixture
async def counting(
    bridged: tuple[PrivateHost, namespace.Namespace],
) -> AsyncIterator[tuple[Recorder, Carried]]:
    host, _ = bridged
    sink, carried = Recorder(), Carried()
    address = HostAddress(host.name, host.uri)
    provider = LibvirtProvider([address], settings=QUICK, carried=carried)
    await provider.start(sink)
    yield sink, carried
    await provider.stop()
    await asyncio.sleep(0)


@REAL
async def test_packets_of_a_real_tap_are_counted_also_while_a_neighbour_hangs(
    bridged: tuple[PrivateHost, namespace.Namespace],
    tiny: Callable[[PrivateHost], Tiny],
    counting: tuple[Recorder, Carried],
) -> None:
    host, space = bridged
    sink, carried = counting
    vms = tiny(host)
    for number, name in enumerate(("asks", "hangs")):
        tap = f"tap{number}"
        space.run(
            f"ip tuntap add {tap} mode tap user {host.account.uid}",
            f"ip link set {tap} master vlan100",
            f"ip link set {tap} up",
        )
        card = plugged("ethernet", "", number).replace("<source />", f"<target dev='{tap}' managed='no'/>")
        xml = tiny_guest.domain_xml(name, vms.disk).replace("<memballoon", card + "<memballoon")
        # Its firmware asks for an address first: these are the packets.
        domain = vms.connection.defineXML(xml.replace("<boot dev='hd'/>", "<boot dev='network'/>"))
        domain.create()
    await sink.node_is("asks", "on", 20)
    await sink.node_is("hangs", "on", 20)
    asks, hangs = (f"{sink.id(name)}/0" for name in ("asks", "hangs"))
    await until(lambda: carried.now.keys() >= {asks, hangs}, 10, "both are counted")
    vms.signal("hangs", signal.SIGSTOP)
    times = carried.times
    await until(lambda: getattr(carried.now.get(asks), "packets_sent", 0), 60, "its packets are counted")
    await until(lambda: carried.times > times + 10, 20, "it is told on and on")
    assert carried.now[hangs].packets_sent == 0
    assert carried.now.keys() >= {asks, hangs}
