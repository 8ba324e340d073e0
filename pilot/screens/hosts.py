"""Hosts as a tree: how much of each is given away, what runs there, and its storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding

from pilot.loads import Loads
from pilot.records import Host, Node, Pool, Volume
from pilot.render import host_cells, load_cells, node_cells
from pilot.render.node_search import NODE_FIELDS
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.tree import TreeScreen
from pilot.screens.tree_columns import column
from pilot.trees import hosts
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf
from pilot.trees.searching import Fields
from pilot.widgets.table import TableColumn
from pilot.wire import HostLoad


def _of_nodes(read: Callable[[Node], Sequence[str]]) -> Callable[[Entry], Sequence[str]]:
    return lambda entry: read(entry.record) if isinstance(entry.record, Node) else ()


class HostsScreen(TreeScreen):
    """An area of the app."""

    MODE = "hosts"
    NAME = "hosts"
    COUNTED = "nodes"
    FIELDS: ClassVar[Fields] = {name: _of_nodes(read) for name, read in NODE_FIELDS.items()} | {
        "name": lambda entry: (entry.name,),
    }

    BINDINGS = [Binding("C", "cordon", "cordon", show=False, id="tree.cordon")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A read-only look cordons nothing."""
        if action == "cordon" and self.cockpit.readonly:
            return False
        return super().check_action(action, parameters)

    def action_cordon(self) -> None:
        """Start no node on the host under the cursor any more; on one that is cordoned, again."""
        host = self.linked()
        hosts = [host] if isinstance(host, Host) else []
        self.post_message(acting.CordonWanted(hosts, all(one.cordon is None for one in hosts)))

    _loads: Loads | None = None
    _loads_time: float | None = None

    def entries_of(self) -> EntriesOf:
        """Host, its nodes, its storage."""
        return hosts.entries

    def nothing(self) -> str:
        """Why the tree is empty."""
        return "No host of yours is known: `[[host]]` tables in airboss's agent.toml name a site's hosts."

    def name_cell(self, entry: Entry) -> Cell:
        """Hosts stand out; of a node its cluster is told too."""
        record = entry.record
        if isinstance(record, Node) and record.cluster:
            return Cell(f"{record.cluster}  {entry.name}")
        return super().name_cell(entry)

    def about(self, entry: Entry, now: float) -> Sequence[Cell]:
        """More of a host."""
        if not isinstance(entry.record, Host):
            return ()
        nodes = [one.record for one in self.outline.below(entry.key) if isinstance(one.record, Node)]
        return [*host_cells.about_host(entry.record, now), *host_cells.hung_cells(nodes)]

    def more(self, entry: Entry, now: float) -> Sequence[Cell]:
        """The last hour of a host."""
        if not isinstance(entry.record, Host):
            return ()
        return load_cells.hour_cells(entry.record, self._load_of(entry.record))

    def _load_of(self, host: Host) -> HostLoad | None:
        return self.cockpit.desk.live.loads.known.host(host.name)

    def show_frame(self) -> None:
        """Title, tabs, flash; and hosts as busy as they are now."""
        loads = self.cockpit.desk.live.loads.known
        if self.is_mounted and (self._loads, self._loads_time) != (loads, loads.time):
            self._loads, self._loads_time = loads, loads.time
            self.table.draw_anew()
        super().show_frame()

    def cells(self) -> list[TableColumn[Entry]]:
        """What is known of each line."""
        return [
            column("state", "STATE", self._state, 16, timed=True, priority=1),
            column("cpu", "CPU", self._busy, 14, right=True, priority=1, flashes=False),
            column("load", "LOAD", self._load, 6, right=True, priority=6, flashes=False),
            column("given", "VCPUS", self._processors, 9, right=True, priority=4),
            column("memory", "MEM", self._memory, 16, right=True, priority=3),
            column("net", "NET", self._net, 20, right=True, priority=7, flashes=False),
            column("what", "", self._what, 20, weight=2, priority=2, flashes=False),
        ]

    def _state(self, entry: Entry, now: float) -> Cell:
        record = entry.record
        if isinstance(record, Node):
            return node_cells.state_with_pending(record, self._pending_of(record), now)
        if isinstance(record, Host):
            return host_cells.state_cell(record, now)
        return host_cells.pool_cell(record) if isinstance(record, Pool) and entry.part is None else Cell("")

    def _pending_of(self, node: Node) -> str | None:
        return self.cockpit.desk.activities.pending(node.id)

    def _given(self, entry: Entry) -> tuple[int, int]:
        below = (child.record for child in self.outline.below(entry.key))
        return host_cells.given(record for record in below if isinstance(record, Node))

    def _busy(self, entry: Entry, _now: float) -> Cell:
        record = entry.record
        if isinstance(record, Node):
            return node_cells.cpu_cell(record, self.cockpit.desk.live.usage.cpu(record.id))
        return load_cells.busy_cell(record, self._load_of(record)) if isinstance(record, Host) else Cell("")

    def _load(self, entry: Entry, _now: float) -> Cell:
        host = entry.record
        return load_cells.load_cell(host, self._load_of(host)) if isinstance(host, Host) else Cell("")

    def _net(self, entry: Entry, _now: float) -> Cell:
        host = entry.record
        return load_cells.net_cell(host, self._load_of(host)) if isinstance(host, Host) else Cell("")

    def _processors(self, entry: Entry, _now: float) -> Cell:
        record = entry.record
        if isinstance(record, Node):
            return Cell(f"{record.vcpus}" if record.vcpus else "", "dim")
        if not entry.depth:
            return host_cells.processors_cell(
                record if isinstance(record, Host) else None, self._given(entry)[0]
            )
        return Cell("")

    def _memory(self, entry: Entry, _now: float) -> Cell:
        record = entry.record
        if isinstance(record, Node):
            return node_cells.memory_cell(record)
        if isinstance(record, Pool):
            return host_cells.room_cell(entry.part if isinstance(entry.part, Volume) else record)
        return host_cells.memory_cell(record if isinstance(record, Host) else None, self._given(entry)[1])

    def _what(self, entry: Entry, _now: float) -> Cell:
        record = entry.record
        if isinstance(record, Node):
            vlans = node_cells.vlan_cell(record).text
            return Cell(f"VLAN {vlans}" if vlans else "", "dim")
        if isinstance(record, Pool):
            if isinstance(entry.part, Volume):
                return Cell(self._users(entry.part), "dim")
            return Cell(record.words or record.type, "bad" if record.words else "dim")
        return Cell(host_cells.counted(self.outline.below(entry.key)), "dim")

    def _users(self, volume: Volume) -> str:
        records = self.cockpit.desk.live.store.records
        users = [record for key in volume.nodes if isinstance(record := records.get(key), Node)]
        return ", ".join(user.name or user.domain for user in users) or "used by no node"
