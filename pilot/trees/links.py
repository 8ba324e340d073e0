"""From any thing to what it belongs to and what belongs to it: its host, VLANs, cluster, slots, instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from pilot.records import AnyRecord, Cluster, Host, Instance, Machine, Network, Node, Pool, Source
from pilot.render.natural import natural_key

MOST_NICS = 4
"""Interfaces of one node that are told apart."""
MOST_USERS = 8
"""Nodes that use a storage pool's volumes."""


class Link(msgspec.Struct, frozen=True):
    """A line of some area."""

    area: str
    """The app's mode: nodes, hosts, vlans, instances, slots, clusters."""
    key: str
    """Of its line there."""
    what: str
    """What it is, in a word."""
    name: str


def links(record: AnyRecord, records: Mapping[str, AnyRecord]) -> list[Link]:
    """Where one may want to go from a record; never to a record that is not known."""
    node = _node_of(record, records)
    found = [] if node is None else list(_of_node(node, records))
    if isinstance(record, Host | Network | Pool):
        name = record.name if isinstance(record, Host) else record.host
        found.append(Link("hosts", f"host:{name}", "host", name))
    if isinstance(record, Pool):
        users = dict.fromkeys(user for volume in record.volumes for user in volume.nodes)
        known = [user for id in users if isinstance(user := records.get(id), Node)]
        found += [Link("nodes", user.id, "used by", user.name or user.domain) for user in known[:MOST_USERS]]
    if isinstance(record, Network):
        vlan = "vlan:" if record.vlan is None else f"vlan:{record.vlan}"
        found.append(Link("vlans", f"{vlan}/{record.host}/{record.name}", "network", record.name))
    if isinstance(record, Machine) and node is None:
        found.append(Link("slots", record.id, "slots", record.name))
    if isinstance(record, Source):
        found.append(_of_source(record))
    return found


def _node_of(record: AnyRecord, records: Mapping[str, AnyRecord]) -> Node | None:
    found = records.get(record.node) if isinstance(record, Instance | Machine) else record
    return found if isinstance(found, Node) else None


def _of_node(node: Node, records: Mapping[str, AnyRecord]) -> Iterator[Link]:
    name = node.name or node.domain
    yield Link("nodes", node.id, "node", name)
    if node.cluster:
        yield Link("clusters", f"{node.cluster}/", "cluster", node.cluster)
    if node.provider == "libvirt":
        yield Link("hosts", node.id, "host", node.host)
    for number, nic in enumerate(node.nics[:MOST_NICS] if node.provider == "libvirt" else ()):
        vlan = "untagged" if nic.vlan is None else str(nic.vlan)
        yield Link("vlans", f"{node.id}/{number}", "VLAN", f"{vlan}, {nic.mac}")
    for record in records.values():
        if isinstance(record, Instance) and record.node == node.id:
            yield Link("instances", record.id, "instance", record.id.removeprefix("instance:"))
        elif isinstance(record, Machine) and record.node == node.id:
            yield Link("slots", record.id, "slots", f"{record.name} in {record.pool}")


def _of_source(source: Source) -> Link:
    if source.type == "ec2":
        return Link("instances", source.id, "region", source.name)
    return Link("slots", f"pool-of:{source.name}", "pool", source.name)


_NAMED: dict[type, Callable[..., Link]] = {
    Host: lambda host: Link("hosts", host.id, "host", host.name),
    Instance: lambda one: Link("instances", one.id, "instance", one.id.removeprefix("instance:")),
    Machine: lambda one: Link("slots", one.id, "machine", one.name),
    Cluster: lambda one: Link("clusters", f"{one.name}/", "cluster", one.name),
    Source: _of_source,
}


def all_named(records: Iterable[AnyRecord]) -> Iterator[Link]:
    """Things that have a name and are no nodes."""
    return (_NAMED[type(record)](record) for record in records if type(record) in _NAMED)


def named(text: str, records: Iterable[AnyRecord]) -> Link | None:
    """The thing of this name that is no node: of this name, else whose name begins so, else has it inside."""
    places = sorted(all_named(records), key=lambda place: natural_key(place.name))
    for fits in (str.__eq__, str.startswith, str.__contains__):
        for place in places:
            if fits(place.name, text):
                return place
    return None
