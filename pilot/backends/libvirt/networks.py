"""The bridges, libvirt networks and devices that a host's nodes are plugged into, and their VLANs.

Sources are libvirt's networks, its interfaces (bridges with their ports) and node devices. What a daemon
does not tell, such as one without the interface driver, is not known, and not missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import libvirt
import msgspec

from pilot.backends.libvirt import network_xml
from pilot.backends.libvirt.domains import Plugged
from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.network_xml import NetworkFacts
from pilot.backends.libvirt.settings import Settings
from pilot.errors import PilotError
from pilot.records import Network, NetworkKind

T = TypeVar("T")
MOST = 256
"""Networks, and devices whose XML is read, of one host."""
LOOK_SECONDS = 5.0
"""Between two looks whether interfaces are plugged into something else than before."""
_TYPES: Mapping[str, NetworkKind] = {
    "bridge": "bridge", "network": "network", "openvswitch": "openvswitch", "direct": "direct",
}  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """What a host says it has."""

    networks: dict[str, tuple[bool, NetworkFacts]] | None = None
    """libvirt's networks, and whether each is active; None if it does not tell."""
    devices: dict[str, bool] | None = None
    """Network devices, bridges included, and whether each is up; None if it does not tell."""
    some: frozenset[str] = frozenset()
    """Other devices that are there; of these nothing else is known."""
    vlans: dict[str, int] = {}
    """Of devices whose XML names one."""


def look(raw: Any, plugged: Iterable[Plugged]) -> Found:
    """Ask a host; blocks for about 0.3 ms a network and used device."""
    networks = _networks(raw)
    wanted = {name for kind, name in plugged if kind != "network"}
    for _, facts in (networks or {}).values():
        wanted |= {facts.bridge, facts.device} - {""}
    devices = _devices(raw)
    if devices is None:
        return Found(networks, None, _node_devices(raw, wanted))
    # Ports of bridges are in no list of interfaces.
    some = _node_devices(raw, wanted - devices.keys()) if wanted - devices.keys() else frozenset()
    return Found(networks, devices, some, _vlans(raw, sorted(wanted & devices.keys())[:MOST]))


def _networks(raw: Any) -> dict[str, tuple[bool, NetworkFacts]] | None:
    names = _told(
        lambda: {one.name() for one in raw.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE)}
    )
    if names is None:
        return None
    found = {}
    for one in raw.listAllNetworks()[:MOST]:
        text = _told(one.XMLDesc)
        if text is not None:  # it may have gone meanwhile
            found[one.name()] = (one.name() in names, network_xml.read_network(text))
    return found


def _devices(raw: Any) -> dict[str, bool] | None:
    def ask() -> dict[str, bool]:
        up = {one.name() for one in raw.listAllInterfaces(libvirt.VIR_CONNECT_LIST_INTERFACES_ACTIVE)}
        return {one.name(): one.name() in up for one in raw.listAllInterfaces()}

    return _told(ask)


def _node_devices(raw: Any, wanted: Iterable[str]) -> frozenset[str]:
    """Those of the wanted devices that libvirt lists: their names end in a MAC, and have no signs left."""
    listed = _told(
        lambda: [one.name() for one in raw.listAllDevices(libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET)]
    )
    known = {re.sub(r"(_[0-9a-f]{2}){6}$", "", name) for name in listed or ()}
    return frozenset(name for name in wanted if f"net_{re.sub('[^A-Za-z0-9]', '_', name)}" in known)


def _vlans(raw: Any, names: Iterable[str]) -> dict[str, int]:
    found = {}
    for name in names:
        text = _told(functools.partial(_interface_xml, raw, name))
        if text is not None and (tag := network_xml.read_interface(text).vlan) is not None:
            found[name] = tag
    return found


def _interface_xml(raw: Any, name: str) -> str:
    return str(raw.interfaceLookupByName(name).XMLDesc())


def _told(ask: Callable[[], T]) -> T | None:
    """What a driver says; None for what it does not know, or what went meanwhile.

    Raises:
        libvirt.libvirtError: the connection is lost.
    """
    try:
        return ask()
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
        return None


def records(host: str, plugged: Iterable[Plugged], found: Found) -> list[Network]:
    """A record for each of libvirt's networks, and for all else that interfaces are plugged into."""
    made: dict[str, Network] = {}
    for name, (active, facts) in (found.networks or {}).items():
        made[name] = _libvirts(host, name, active, facts, found)
    for kind, name in sorted(set(plugged)):
        if name not in made and kind in _TYPES:
            made[name] = _plugged(host, kind, name, found)
    return list(made.values())[: 2 * MOST]


def vlans(plugged: Iterable[Plugged], made: Iterable[Network]) -> dict[Plugged, int]:
    """What carries which VLAN, of all that interfaces are plugged into."""
    tags = {network.name: network.vlan for network in made}
    return {one: tag for one in plugged if (tag := tags.get(one[1])) is not None}


def _libvirts(host: str, name: str, active: bool, facts: NetworkFacts, found: Found) -> Network:
    missing, words = False, ""
    if facts.uses_existing_bridge and _there(facts.bridge, found) is False:
        missing, words = True, f"its bridge {facts.bridge} is not there"
    elif not active:
        words = "it is not active: virsh net-start"
    up: bool | None = active
    if active and facts.uses_existing_bridge and found.devices is not None and not facts.openvswitch:
        up = found.devices.get(facts.bridge, False)
    tag = facts.vlan
    if tag is None:
        tag = _vlan(facts.bridge, found) if facts.bridge else _vlan(facts.device, found)
    return Network(
        f"net:{host}/{name}", host=host, name=name, type="network", bridge=facts.bridge or facts.device,
        vlan=tag, up=up, missing=missing, words=words,
    )  # fmt: skip


def _plugged(host: str, kind: str, name: str, found: Found) -> Network:
    missing = (found.networks is not None) if kind == "network" else _there(name, found) is False
    up: bool | None = None
    # Open vSwitch's own device of a bridge is down while the bridge forwards.
    if kind in ("bridge", "direct") and not missing:
        up = None if found.devices is None else found.devices.get(name)
    return Network(
        f"net:{host}/{name}", host=host, name=name, type=_TYPES[kind],
        vlan=None if kind == "network" else _vlan(name, found),
        up=False if missing else up, missing=missing,
        words=f"the host has no {_WORDS[kind]} {name}" if missing else "",
    )  # fmt: skip


_WORDS = {"bridge": "bridge", "openvswitch": "bridge", "network": "libvirt network", "direct": "device"}


def _there(name: str, found: Found) -> bool | None:
    if name in found.some:
        return True
    return None if found.devices is None else name in found.devices


def _vlan(name: str, found: Found) -> int | None:
    return found.vlans.get(name) or network_xml.named_vlan(name)


class NetworkWatch:
    """Looks at one host's networks at a slow pace, and tells what changed."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        tell: Callable[[list[Network]], None],
        gone: Callable[[list[str]], None],
    ) -> None:
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._tell = tell
        self._gone = gone
        self._told: dict[str, Network] = {}

    async def run(self) -> None:
        """Look until cancelled; soon after the host came up, and when something else is plugged into."""
        loop = asyncio.get_running_loop()
        looked: frozenset[Plugged] | None = None
        after = 0.0
        step = min(LOOK_SECONDS, self._settings.networks)
        await asyncio.sleep(step * self._rng())
        while True:
            if self._watch.record.state != "up":
                looked = None
            else:
                plugged = frozenset(self._watch.domains.plugged())
                if plugged != looked or loop.time() >= after:
                    after = loop.time() + self._settings.networks * (0.75 + self._rng() / 2)
                    looked = plugged
                    with contextlib.suppress(PilotError, libvirt.libvirtError):
                        await self._round(plugged)
            await asyncio.sleep(step if looked is not None else min(1.0, step))

    async def _round(self, plugged: frozenset[Plugged]) -> None:
        found = await self._lanes.call(
            "looking at networks", lambda raw: look(raw, plugged), self._settings.query
        )
        made = records(self._watch.address.name, plugged, found)
        now = {network.id: network for network in made}
        changed = [network for network in made if self._told.get(network.id) != network]
        gone = [record_id for record_id in self._told if record_id not in now]
        self._told = now
        if changed:
            self._tell(changed)
        if gone:
            self._gone(gone)
        self._watch.carries(vlans(plugged, made))
