"""What is wrong with the site's networks, made of records alone: airboss counts it, clients show it.

- an interface of one cluster's node on the VLAN of another cluster;
- a bridge, network or device that nodes are plugged into and their host does not have;
- one MAC address at two interfaces;
- an interface of a running node whose cable is unplugged, or whose bridge is down.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from pilot.records import AnyRecord, Cluster, Host, Network, Nic, Node

FaultKind = Literal["foreign-vlan", "missing", "mac-twice", "down"]
KINDS: tuple[FaultKind, ...] = ("foreign-vlan", "missing", "mac-twice", "down")
"""Worst first."""
_RUNNING = ("on", "paused", "stopping")


class NetworkFault(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    kind: FaultKind
    at: tuple[str, ...]
    """Ids of what it is about: of interfaces (a node's id, `/` and its place from 0), or of a network."""
    host: str
    """Where; of the first if there are several."""
    words: str
    """A sentence without its full stop."""
    vlan: int | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of the nodes that it is about."""
        return tuple(dict.fromkeys(one.rpartition("/")[0] for one in self.at if not one.startswith("net:")))


class _Place(msgspec.Struct, frozen=True):
    node: Node
    number: int

    @property
    def id(self) -> str:
        return nic_id(self.node.id, self.number)

    @property
    def nic(self) -> Nic:
        return self.node.nics[self.number]

    @property
    def words(self) -> str:
        node = self.node
        named = f"{node.name or node.domain} of {node.cluster}" if node.cluster else node.domain
        return f"{named} on {node.host}"


def nic_id(node_id: str, number: int) -> str:
    """What names an interface: its node and its place there, from 0."""
    return f"{node_id}/{number}"


def network_faults(records: Iterable[AnyRecord]) -> list[NetworkFault]:
    """All that is wrong, worst first, then by host and words. Takes time linear in the records."""
    nodes: list[Node] = []
    site = _Site({}, {}, set())
    for record in records:
        if isinstance(record, Node):
            nodes.append(record)
        elif isinstance(record, Network):
            site.networks[record.host, record.name] = record
        elif isinstance(record, Cluster) and record.vlan is not None:
            site.owners[record.vlan] = record.name
        elif isinstance(record, Host) and record.state == "up":
            site.up.add(record.name)
    found = [*_foreign(nodes, site), *_missing(nodes, site), *_twice(nodes), *_down(nodes, site)]
    return sorted(found, key=lambda fault: (KINDS.index(fault.kind), fault.host, fault.words, fault.at))


class _Site(msgspec.Struct):
    networks: dict[tuple[str, str], Network]
    owners: dict[int, str]
    """Clusters by their VLAN."""
    up: set[str]
    """Hosts that answer."""


# Screens ask this again and again of all nodes of a site: places are made only of what is wrong.


def _foreign(nodes: Iterable[Node], site: _Site) -> Iterable[NetworkFault]:
    if not site.owners:
        return
    for node in nodes:
        for number, nic in enumerate(node.nics):
            owner = "" if nic.vlan is None else site.owners.get(nic.vlan, "")
            # A VM that is in no cluster may well be the owner's, and only not adopted yet.
            if owner and node.cluster and node.cluster != owner:
                place = _Place(node, number)
                words = f"{place.words} is on VLAN {nic.vlan}, which is cluster {owner}'s"
                yield NetworkFault("foreign-vlan", (place.id,), node.host, words, nic.vlan)


def _missing(nodes: Iterable[Node], site: _Site) -> Iterable[NetworkFault]:
    users: dict[tuple[str, str], list[_Place]] = {
        where: [] for where, network in site.networks.items() if network.missing
    }
    if not users:
        return
    for node in nodes:
        for number, nic in enumerate(node.nics):
            if (node.host, nic.network) in users:
                users[node.host, nic.network].append(_Place(node, number))
    for where, who in users.items():
        network = site.networks[where]
        who.sort(key=lambda place: (place.node.id, place.number))
        count = len({place.node.id for place in who})
        needs = f": {count} node{'s need' if count > 1 else ' needs'} it" if count else ""
        words = f"{network.host}: {network.words or f'{network.name} is not there'}{needs}"
        at = (network.id, *(place.id for place in who))
        yield NetworkFault("missing", at, network.host, words, network.vlan)


def _twice(nodes: Iterable[Node]) -> Iterable[NetworkFault]:
    first: dict[str, tuple[Node, int]] = {}
    more_than_one: dict[str, list[_Place]] = {}
    for node in nodes:
        for number, nic in enumerate(node.nics):
            if not nic.mac:
                continue
            if (known := first.get(nic.mac)) is None:
                first[nic.mac] = (node, number)
            else:
                same = more_than_one.setdefault(nic.mac, [_Place(*known)])
                same.append(_Place(node, number))
    for mac, same in more_than_one.items():
        same.sort(key=lambda place: (place.words, place.number, place.node.id))
        who = " and ".join(place.words for place in same[:3])
        more = f" and {len(same) - 3} more" if len(same) > 3 else ""
        vlans = {place.nic.vlan for place in same}
        vlan = vlans.pop() if len(vlans) == 1 else None
        at = tuple(place.id for place in same)
        yield NetworkFault("mac-twice", at, same[0].node.host, f"{mac} is at {who}{more}", vlan)


def _down(nodes: Iterable[Node], site: _Site) -> Iterable[NetworkFault]:
    for node in nodes:
        if node.state not in _RUNNING or node.stale_since is not None:
            continue
        for number, nic in enumerate(node.nics):
            network = site.networks.get((node.host, nic.network))
            if not nic.link:
                why = "its cable is unplugged"
            elif network is not None and network.up is False and not network.missing and node.host in site.up:
                why = f"{network.name} is down"
            else:
                continue
            place = _Place(node, number)
            words = f"{place.words}: {nic.mac or f'interface {number}'} is down: {why}"
            yield NetworkFault("down", (place.id,), node.host, words, nic.vlan)
