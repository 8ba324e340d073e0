"""VLANs for a plain terminal: what carries them on which host, who is on them, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pilot.faults import FaultKind, NetworkFault, nic_id
from pilot.loads import Loads
from pilot.records import AnyRecord, Cluster, Network, Nic, Node
from pilot.render.hosts import rate
from pilot.render.natural import natural_key
from pilot.render.palette import paint
from pilot.render.table import Cell, Column, table
from pilot.render.vlan_cells import link_cell, network_state, network_words, owners_cell
from pilot.wire import plain

_COLUMNS = (
    Column("VLAN"), Column("CLUSTER"), Column("HOST"), Column("NETWORK"), Column("NODE"), Column("MAC"),
    Column("MODEL"), Column("STATE"), Column("IN", right=True), Column("OUT", right=True),
    Column("PACKETS", right=True), Column("ERRORS", right=True), Column(""),
)  # fmt: skip
FAULT_WORDS: dict[FaultKind, str] = {
    "foreign-vlan": "another cluster's VLAN", "missing": "missing", "mac-twice": "MAC twice", "down": "down",
}  # fmt: skip


class Plug(NamedTuple):
    """An interface of a node."""

    node: Node
    number: int

    @property
    def nic(self) -> Nic:
        """What the record says of it."""
        return self.node.nics[self.number]

    @property
    def id(self) -> str:
        """What names it."""
        return nic_id(self.node.id, self.number)


class Carrier(NamedTuple):
    """What carries a VLAN on a host, and the interfaces that are plugged into it."""

    host: str
    name: str
    network: Network | None
    plugs: list[Plug]


def vlans_of(records: Iterable[AnyRecord]) -> dict[int | None, list[Carrier]]:
    """What carries each VLAN, by tag; under None what has no VLAN that is known, at the end."""
    everything = list(records)
    found: dict[int | None, dict[tuple[str, str], Carrier]] = {}
    networks = {(r.host, r.name): r for r in everything if isinstance(r, Network)}
    for (host, name), network in networks.items():
        found.setdefault(network.vlan, {})[host, name] = Carrier(host, name, network, [])
    for node in everything:
        for number, nic in enumerate(node.nics if isinstance(node, Node) and node.provider != "ec2" else ()):
            assert isinstance(node, Node)
            where = (node.host, nic.network)
            carriers = found.setdefault(nic.vlan, {})
            new = Carrier(node.host, nic.network or nic.kind, networks.get(where), [])
            carriers.setdefault(where, new).plugs.append(Plug(node, number))
    for carriers in found.values():
        for carrier in carriers.values():
            carrier.plugs.sort(
                key=lambda one: (one.node.cluster, natural_key(one.node.name), one.node.id, one.number)
            )
    return {
        tag: [carriers[where] for where in sorted(carriers, key=lambda one: (natural_key(one[0]), one[1]))]
        for tag, carriers in sorted(found.items(), key=lambda one: (one[0] is None, one[0] or 0))
    }


def vlan_table(
    records: Iterable[AnyRecord], faults: Iterable[NetworkFault], loads: Loads, colour: bool
) -> list[str]:
    """A line for each carrier of a VLAN, and for each interface; then what is wrong."""
    everything, wrong = list(records), list(faults)
    clusters = [r for r in everything if isinstance(r, Cluster)]
    at: dict[str, list[str]] = {}
    for fault in wrong:
        for place in fault.at:
            at.setdefault(place, []).append(FAULT_WORDS[fault.kind])
    rows: list[tuple[Cell, ...]] = []
    for tag, carriers in vlans_of(everything).items():
        for carrier in carriers:
            rows.append(_carrier_row(tag, carrier, clusters))
            for plug in carrier.plugs:
                rows.append(_plug_row(plug, at.get(plug.id, []), loads))
    lines = table(_COLUMNS, rows, colour)
    if wrong:
        lines.append("")
    lines += [
        f"{paint('✕ ' + FAULT_WORDS[fault.kind], 'bad', colour)}: {plain(fault.words, 500)}"
        for fault in wrong
    ]
    return lines


def _carrier_row(tag: int | None, carrier: Carrier, clusters: list[Cluster]) -> tuple[Cell, ...]:
    network = carrier.network
    return (
        Cell("untagged" if tag is None else str(tag), "strong"), owners_cell(tag, clusters),
        Cell(carrier.host), Cell(carrier.name, "strong"), *_NONE[:3], network_state(network), *_NONE[:4],
        Cell("") if network is None else network_words(network),
    )  # fmt: skip


_NONE = (Cell(""),) * 4


def _plug_row(plug: Plug, wrong: list[str], loads: Loads) -> tuple[Cell, ...]:
    node, nic, load = plug.node, plug.nic, loads.nic(plug.id)
    seen = load is not None and node.state == "on"
    lost = load.errors + load.drops if load is not None else 0
    name = f"{node.name or node.domain}" + (f" of {node.cluster}" if node.cluster else "")
    return (
        *_NONE[:4], Cell(name), Cell(nic.mac), Cell(nic.model, "dim"), link_cell(node, nic),
        Cell(rate(load.received_now) if load is not None and seen else ""),
        Cell(rate(load.sent_now) if load is not None and seen else ""),
        Cell(f"{load.packets_received + load.packets_sent}/s" if load is not None and seen else ""),
        Cell(str(lost) if seen else "", "bad" if lost else ""),
        Cell(f"✕ {', '.join(wrong)}" if wrong else "", "bad"),
    )  # fmt: skip
