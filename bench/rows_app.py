"""A table of nodes in an app of its own: `python -m bench.rows_app virtual|stock COUNT CHANGES [SORT]`.

CHANGES a second hit rows anywhere in the list. `stock` is Textual's DataTable, fed as its documentation says.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence

import msgspec
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from pilot.records import Nic, Node, NodeState
from pilot.render.natural import natural_key
from pilot.render.nodes import state_cell
from pilot.render.sparkline import sparkline
from pilot.render.table import Cell
from pilot.render.times import ago, memory
from pilot.widgets.table import TableColumn, VirtualTable

STATES: tuple[NodeState, ...] = ("on", "off", "paused", "stopping")
TICK = 0.05
"""Seconds between two batches of changes."""


def nodes(count: int) -> list[Node]:
    """Nodes on as many hosts as they would have, forty each."""
    now = time.time()
    return [
        Node(
            id=f"{number:032x}",
            name=f"compute-0-{number}",
            cluster=f"vc{number % 50}",
            host=f"vm-container-0-{number // 40}",
            domain=f"hosted-vm-{number}",
            state=STATES[number % 2],
            since=now - number,
            nics=(Nic(f"52:54:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}", "br", 2),),
            vcpus=2,
            memory=2 << 20,
            writer=str(number % 101),  # stands for how busy it is
        )
        for number in range(count)
    ]


def changed(node: Node) -> Node:
    """The node, some time later."""
    return msgspec.structs.replace(
        node, state=random.choice(STATES), since=time.time(), writer=str(random.randrange(101))
    )


def _load(node: Node, now: float) -> Cell:
    percent = int(node.writer)
    return Cell(f"{sparkline(bytes([percent]) * 8, 8)} {percent:3} %")


COLUMNS: tuple[TableColumn[Node], ...] = (
    TableColumn("name", "NODE", lambda n, _: Cell(n.name, "strong"), lambda n: natural_key(n.name), 16, 2),
    TableColumn("state", "STATE", state_cell, lambda n: n.state, 18),
    TableColumn("host", "HOST", lambda n, _: Cell(n.host), lambda n: natural_key(n.host), 16, 1, priority=1),
    TableColumn("cpu", "CPU", _load, lambda n: int(n.writer), 14, priority=2),
    TableColumn("memory", "MEM", lambda n, _: Cell(memory(n.memory)), lambda n: n.memory, 6, priority=3),
    TableColumn(
        "since", "SINCE", lambda n, now: Cell(ago(n.since, now)), lambda n: n.since, 8, priority=4, timed=True
    ),
)


class RowsApp(App[None]):
    """One table and nothing else."""

    def __init__(self, rows: Sequence[Node], changes: float, sort: str = "name") -> None:
        super().__init__()
        self.rows = list(rows)
        self.changes = changes
        self.sort = sort

    def on_mount(self) -> None:
        """Fill the table, and begin to change it."""
        self.fill()
        if self.changes:
            self.set_interval(TICK, self._change)

    def fill(self) -> None:
        """Show all rows."""

    def update(self, rows: Sequence[Node]) -> None:
        """Show that these have changed."""

    def _change(self) -> None:
        rows = []
        for _ in range(max(1, round(self.changes * TICK))):
            number = random.randrange(len(self.rows))
            self.rows[number] = changed(self.rows[number])
            rows.append(self.rows[number])
        self.update(rows)


class VirtualApp(RowsApp):
    """With our table."""

    def compose(self) -> ComposeResult:
        """One table."""
        self.table = VirtualTable[Node](
            COLUMNS, lambda n: n.id, sort=self.sort, tie=lambda n: natural_key(n.name)
        )
        yield self.table

    def fill(self) -> None:
        """Show all rows."""
        self.table.replace(self.rows)
        self.table.focus()

    def update(self, rows: Sequence[Node]) -> None:
        """Show that these have changed."""
        self.table.apply({row.id: row for row in rows})


class StockApp(RowsApp):
    """With Textual's own."""

    def compose(self) -> ComposeResult:
        """One table."""
        self.table: DataTable[str] = DataTable(cursor_type="row")
        yield self.table

    def fill(self) -> None:
        """Show all rows."""
        for column in COLUMNS:
            self.table.add_column(column.title, key=column.key, width=column.width)
        now = time.time()
        for row in self.rows:
            self.table.add_row(*(column.cell(row, now).text for column in COLUMNS), key=row.id)
        self.table.focus()

    def update(self, rows: Sequence[Node]) -> None:
        """Show that these have changed."""
        now = time.time()
        for row in rows:
            for column in COLUMNS:
                self.table.update_cell(row.id, column.key, column.cell(row, now).text)


if __name__ == "__main__":
    kind = {"virtual": VirtualApp, "stock": StockApp}[sys.argv[1]]
    kind(nodes(int(sys.argv[2])), float(sys.argv[3]), *sys.argv[4:]).run()
