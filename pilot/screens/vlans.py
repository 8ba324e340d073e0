"""VLANs as a tree: whose each is, which hosts carry it, and the interfaces that are on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from pilot.records import Cluster, Network, Nic, Node
from pilot.render import vlan_cells
from pilot.render.table import Cell
from pilot.screens.tree import TreeScreen
from pilot.screens.tree_columns import column
from pilot.trees import vlans
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf
from pilot.trees.searching import Fields
from pilot.widgets.table import TableColumn


def _nic(entry: Entry) -> Nic | None:
    return entry.part if isinstance(entry.part, Nic) else None


def _of_nic(entry: Entry, name: str) -> Sequence[str]:
    value = getattr(_nic(entry), name, None)
    return (str(value),) if value else ()


def _told(entry: Entry, name: str) -> Cell:
    return Cell(next(iter(_of_nic(entry, name)), ""))


def _host(entry: Entry) -> Sequence[str]:
    host = getattr(entry.record, "host", "")
    return (host,) if host else ()


class VlansScreen(TreeScreen):
    """An area of the app."""

    MODE = "vlans"
    NAME = "vlans"
    COUNTED = "interfaces"
    FIELDS: ClassVar[Fields] = {
        "name": lambda entry: (entry.name,),
        "cluster": lambda entry: (entry.record.cluster,) if isinstance(entry.record, Node) else (),
        "host": _host,
        "mac": lambda entry: _of_nic(entry, "mac"),
        "network": lambda entry: _of_nic(entry, "network"),
        "model": lambda entry: _of_nic(entry, "model"),
        "vlan": lambda entry: (entry.above[0] if entry.above else entry.key).partition(":")[2:],
    }

    def entries_of(self) -> EntriesOf:
        """VLAN, what carries it on a host, interfaces."""
        return vlans.entries

    def nothing(self) -> str:
        """Why the tree is empty."""
        return "None of the nodes that you see has a network interface."

    def name_cell(self, entry: Entry) -> Cell:
        """VLANs stand out; of an interface its node and cluster are told."""
        if not entry.depth:
            return Cell(f"VLAN {entry.name}" if entry.name != vlans.UNTAGGED else entry.name, "strong")
        if isinstance(entry.record, Node):
            return Cell(f"{entry.record.cluster}  {entry.name}" if entry.record.cluster else entry.name)
        return Cell(entry.name)

    def cells(self) -> list[TableColumn[Entry]]:
        """What is known of each line."""
        return [
            column("state", "STATE", self._state, 14, priority=1),
            column("mac", "MAC", lambda entry, _: _told(entry, "mac"), 17, priority=2),
            column("model", "MODEL", lambda entry, _: _told(entry, "model"), 8, priority=4),
            column("what", "", self._what, 24, weight=2, priority=3, flashes=False),
        ]

    def _state(self, entry: Entry, _now: float) -> Cell:
        record, nic = entry.record, _nic(entry)
        if nic is not None and isinstance(record, Node):
            return vlan_cells.link_cell(record, nic)
        if entry.depth:
            return vlan_cells.network_state(record if isinstance(record, Network) else None)
        return vlan_cells.owners_cell(_tag(entry), self.cockpit.desk.live.store.of(Cluster))

    def _what(self, entry: Entry, _now: float) -> Cell:
        if isinstance(entry.record, Network):
            return vlan_cells.network_words(entry.record)
        if entry.depth:
            return Cell("")
        return Cell(_counted(self._nodes_below(entry.key)), "dim")

    def _nodes_below(self, key: str) -> Iterator[Node]:
        for network in self.outline.below(key):
            for entry in self.outline.below(network.key):
                if isinstance(entry.record, Node):
                    yield entry.record


def _tag(entry: Entry) -> int | None:
    return None if entry.name == vlans.UNTAGGED else int(entry.name)


def _counted(nodes: Iterable[Node]) -> str:
    found = list(nodes)
    clusters = sorted({node.cluster or "no cluster" for node in found})
    hosts = {node.host for node in found}
    of = ", ".join(clusters[:3]) + (" …" if len(clusters) > 3 else "")
    return f"{len(found)} on {len(hosts)} host{'s' if len(hosts) != 1 else ''}{': ' if of else ''}{of}"
