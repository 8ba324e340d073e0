"""VLANs as a tree: whose each is, which hosts carry it, and the interfaces that are on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

from textual import work

from pilot.faults import NetworkFault, network_faults
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.loads import LiveLoads, follow
from pilot.records import Cluster, Network, Nic, Node
from pilot.render import load_cells, vlan_cells
from pilot.render.table import Cell
from pilot.render.vlans import FAULT_WORDS
from pilot.screens.tree import TreeScreen
from pilot.screens.tree_columns import column
from pilot.trees import vlans
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf
from pilot.trees.searching import Fields
from pilot.widgets.table import TableColumn
from pilot.wire import NicLoad

JUDGE_SECONDS = 2.0
"""Between two looks for what is wrong: each goes over all records."""


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

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._loads = LiveLoads()
        self._loaded: Desk | None = None
        """Whose interfaces are followed."""
        self._wrong: dict[str, list[NetworkFault]] = {}
        """What is wrong, by the key of the line that it is at."""
        self._judged: tuple[object, int] = (None, -1)
        self._judged_at = 0.0

    # --- what interfaces carry, while somebody looks -----------------------------------------------

    def on_screen_suspend(self) -> None:
        """Not shown: nobody needs to be told what interfaces carry."""
        self.workers.cancel_group(self, "loads")
        self._loaded = None

    def show_frame(self) -> None:
        """Title, tabs, flash; what is wrong by now, and what interfaces carry."""
        if self.is_mounted and self.is_current:
            desk = self.cockpit.desk
            if desk is not self._loaded:
                self._loaded, self._loads = desk, LiveLoads()
                self._follow_loads(desk, self._loads)
            self._judge()
        super().show_frame()

    @work(exclusive=True, group="loads")
    async def _follow_loads(self, desk: Desk, loads: LiveLoads) -> None:
        unlisten = loads.changed.listen(self._carried)
        try:
            await follow(desk.live.watch_loads, loads)
        finally:
            unlisten()

    def _carried(self) -> None:
        self.call_later(self._carry)

    def _carry(self) -> None:
        if self.is_mounted:
            self.table.draw_anew()

    def _judge(self) -> None:
        store, now = self.cockpit.desk.live.store, self.cockpit.clock()
        looked = store, store.version
        if looked == self._judged or 0 <= now - self._judged_at < JUDGE_SECONDS:
            return
        self._judged, self._judged_at = looked, now
        wrong: dict[str, list[NetworkFault]] = {}
        for fault in network_faults(store.records.values()):
            for place in fault.at:
                record = store.records.get(place)
                line = vlans.line_of(record) if isinstance(record, Network) else place
                wrong.setdefault(line, []).append(fault)
        if wrong != self._wrong:
            self._wrong = wrong
            self.table.draw_anew()

    def _faults(self, entry: Entry) -> list[NetworkFault]:
        """What is wrong at a line; of one that is open to those below it, nothing of theirs."""
        return self._wrong.get(entry.key, [])

    def _faults_below(self, key: str) -> list[NetworkFault]:
        # From what is wrong, not from what is below: that may be all nodes of the site.
        found: dict[NetworkFault, None] = {}
        for line, faults in self._wrong.items():
            entry = self.outline.entries.get(line)
            if entry is not None and key in entry.above:
                found.update(dict.fromkeys(faults))
        return list(found)

    def _load_of(self, entry: Entry) -> NicLoad | None:
        return self._loads.known.nic(entry.key)

    # --- what a tree says of itself ----------------------------------------------------------------

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
            column("model", "MODEL", lambda entry, _: _told(entry, "model"), 8, priority=5),
            column("net", "NET", self._of_load(load_cells.carried_cell), 20, right=True, priority=4,
                   flashes=False),
            column("packets", "PACKETS", self._of_load(load_cells.packets_cell), 8, right=True, priority=7,
                   flashes=False),
            column("errors", "ERRORS", self._of_load(load_cells.errors_cell), 6, right=True, priority=6),
            column("what", "", self._what, 24, weight=2, priority=3, flashes=False),
        ]  # fmt: skip

    def _of_load(self, read: Callable[[Node, NicLoad | None], Cell]) -> Callable[[Entry, float], Cell]:
        def cell(entry: Entry, _now: float) -> Cell:
            node = entry.record
            return read(node, self._load_of(entry)) if isinstance(node, Node) else Cell("")

        return cell

    def _state(self, entry: Entry, _now: float) -> Cell:
        record, nic = entry.record, _nic(entry)
        if nic is not None and isinstance(record, Node):
            return vlan_cells.link_cell(record, nic)
        if entry.depth:
            return vlan_cells.network_state(record if isinstance(record, Network) else None)
        return vlan_cells.owners_cell(_tag(entry), self.cockpit.desk.live.store.of(Cluster))

    def about(self, entry: Entry, now: float) -> Sequence[Cell]:
        """What is wrong here, in a sentence; else how it is plugged in."""
        record, nic = entry.record, _nic(entry)
        wrong = self._faults(entry) or self._faults_below(entry.key)
        said = [Cell(entry.name, "strong"), Cell("  ")]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            said.append(Cell(f"✕ {wrong[0].words}.{more}", "bad"))
        elif isinstance(record, Network):
            said.append(vlan_cells.network_words(record))
        elif nic is not None and isinstance(record, Node):
            plugged = f"{nic.kind} {nic.network}".strip()
            said.append(Cell(f"{plugged} on {record.host}", "dim"))
        elif not entry.depth:
            said.append(Cell(_counted(self._nodes_below(entry.key)), "dim"))
        return said

    def more(self, entry: Entry, now: float) -> Sequence[Cell]:
        """The last hour of an interface."""
        load = self._load_of(entry) if _nic(entry) is not None else None
        return () if load is None else load_cells.carried_hour(load)

    def _what(self, entry: Entry, _now: float) -> Cell:
        if wrong := self._faults(entry):
            words = dict.fromkeys(FAULT_WORDS[fault.kind] for fault in wrong)
            return Cell(f"✕ {', '.join(words)}", "bad")
        if isinstance(entry.record, Network):
            return vlan_cells.network_words(entry.record)
        if entry.depth:
            return Cell("")
        if wrong := self._faults_below(entry.key):
            return Cell(f"✕ {len(wrong)} wrong · {_counted(self._nodes_below(entry.key))}", "bad")
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
