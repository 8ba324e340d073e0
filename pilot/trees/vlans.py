"""VLANs with what carries them on each host, and the interfaces that are on them. EC2 has none."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import AnyRecord, Network, Nic, Node
from pilot.render.natural import natural_key
from pilot.trees.entries import Entry, below

UNTAGGED = "untagged"
_KNOWN, _NONE = 0, 1


def entries(record: AnyRecord) -> Iterable[Entry]:
    """The lines of a record in the tree of VLANs."""
    if isinstance(record, Network):
        vlan = _vlan(record.vlan)
        yield vlan
        yield _network(vlan, record.host, record.name, record)
    elif isinstance(record, Node) and record.provider != "ec2":
        for number, nic in enumerate(record.nics):
            yield from _nic(record, number, nic)


def line_of(network: Network) -> str:
    """The key of its own line."""
    return _network(_vlan(network.vlan), network.host, network.name).key


def _nic(node: Node, number: int, nic: Nic) -> Iterable[Entry]:
    vlan = _vlan(nic.vlan)
    network = _network(vlan, node.host, nic.network or nic.kind)
    yield vlan
    yield network
    name = node.name or node.domain
    step = (0, natural_key(node.cluster) + "\0" + natural_key(name) + f"\0{number:04}")
    yield below(network, f"{node.id}/{number}", step, name, node, part=nic, node=node.id)


def _vlan(tag: int | None) -> Entry:
    if tag is None:
        return Entry("vlan:", ((_NONE, ""),), (), UNTAGGED, None)
    return Entry(f"vlan:{tag}", ((_KNOWN, natural_key(str(tag))),), (), str(tag), None)


def _network(vlan: Entry, host: str, name: str, record: Network | None = None) -> Entry:
    # A network of a host may carry several VLANs: a port of Open vSwitch says which is its own.
    key = f"{vlan.key}/{host}/{name}"
    return below(
        vlan, key, (0, natural_key(host) + "\0" + natural_key(name)), f"{host} {name}".strip(), record
    )
