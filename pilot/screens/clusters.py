"""Clusters whole: local nodes, instances and slots in one pool, a line for each part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.binding import Binding
from textual.widget import Widget

from pilot import going
from pilot.attention import concerns
from pilot.live.cockpit import Cockpit
from pilot.render.cluster import Part, parts
from pilot.render.natural import natural_key
from pilot.render.table import Cell
from pilot.screens.base import GoneTo, PilotScreen
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import CursorMoved, RowOpened, TableColumn, VirtualTable


class PartTable(VirtualTable[Part]):
    """The table, with what its key does here."""

    BINDINGS = [Binding("enter", "table_open", "go to", key_display="⏎", id="table.open")]


class ClustersScreen(PilotScreen):
    """An area of the app: the cluster in scope, or all of the user's."""

    MODE = "clusters"
    CSS_PATH = ["base.tcss", "tree.tcss"]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._shown: dict[str, Part] = {}
        self._order: dict[str, int] = {}
        self._looked: tuple[object, ...] = ()

    def body(self) -> Iterable[Widget]:
        """A table of parts."""
        yield CellLine(id="filter")
        yield PartTable(
            [
                TableColumn("cluster", "CLUSTER", _cluster, lambda one: one.cluster, 14, weight=1, widest=24),
                TableColumn(
                    "state", "STATE", lambda one, _: one.said, lambda one: one.said.text, 24, weight=2
                ),
                TableColumn(
                    "more",
                    "",
                    lambda one, _: one.more,
                    lambda one: "",
                    20,
                    weight=3,
                    priority=1,
                    flashes=False,
                ),
            ],
            lambda one: one.key,
            tie=lambda one: self._order.get(one.key, 0),
            clock=self.cockpit.clock,
            id="tree",
        )
        yield CellLine(id="about")

    @property
    def table(self) -> VirtualTable[Part]:
        """The table."""
        return self.query_one("#tree", VirtualTable)

    def on_mount(self) -> None:
        """Look at once."""
        self.table.focus()
        self._look()

    def focus_body(self) -> None:
        """The table has the keys."""
        self.table.focus()

    def crumbs(self) -> Sequence[Cell]:
        """Which."""
        return [Cell(f"clusters › {self.cockpit.desk.scope or 'all'}", "dim")]

    def show_frame(self) -> None:
        """Title, tabs, flash; the parts as they are now, looked at once a second."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk, now = self.cockpit.desk, self.cockpit.clock()
        looked = desk, desk.scope, desk.live.store.version, int(now)
        if looked == self._looked:
            return
        self._looked = looked
        records = desk.live.store.records
        found = concerns(records, now)
        names = [desk.scope] if desk.scope else sorted(desk.live.clusters(), key=natural_key)
        fresh = {part.key: part for name in names for part in parts(name, records, found, now)}
        self._order = {key: number for number, key in enumerate(fresh)}
        gone = [key for key in self._shown if key not in fresh]
        self._shown = fresh
        self.table.empty_text = "None of your clusters is known yet."
        self.table.apply(fresh, gone)
        self.table.settle()
        self._draw()

    @on(CursorMoved)
    def _draw(self) -> None:
        """What the line under the cursor has no room for."""
        part = self.table.cursor_row
        said = part is not None and part.more.text
        self.query_one("#about", CellLine).show((part.said, Cell("  "), part.more) if part and said else ())

    def show_line(self, key: str) -> None:
        """Put the cursor on a part."""
        self.table.move_to(key)

    def here(self) -> str:
        """The part that the cursor is on."""
        part = self.table.cursor_row
        return "" if part is None else part.key

    @on(RowOpened)
    def _opened(self) -> None:
        part = self.table.cursor_row
        if part is None or not part.area:
            return
        self.cockpit.leave_trail(self.MODE, part.key)
        wanted = going.Spot(part.line) if part.line else going.Area(part.area, part.filter)
        self.post_message(GoneTo(wanted))


def _cluster(part: Part, _now: float) -> Cell:
    return Cell(f"  {part.name}") if part.name else Cell(part.cluster, "strong")
