"""The nodes of the scope, live: one table, a filter, and the pane of the node under the cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial

from textual import on, work
from textual.binding import Binding
from textual.containers import Container
from textual.widget import Widget

from pilot import filtering
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.glance import Glance
from pilot.records import Node
from pilot.render.node_search import NODE_FIELDS, NodeHaystacks
from pilot.render.nothing import no_nodes
from pilot.render.table import Cell
from pilot.screens import node_columns
from pilot.screens.node_keys import NodeKeys
from pilot.screens.node_pane import NodePane
from pilot.store import Subscription
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import (
    CursorMoved,
    MarksChanged,
    Place,
    RowOpened,
    SortChanged,
    TableColumn,
    VirtualTable,
)

_SPARE = 2
"""Lines of the table beside its nodes: the heading, and one that parts it from the pane."""


class NodeTable(VirtualTable[Node]):
    """The table, with the keys that the bottom line is to show."""

    BINDINGS = [
        Binding("enter", "table_open", "details", key_display="⏎", id="table.open"),
        Binding("space", "table_mark", "mark", id="table.mark"),
    ]


class NodesScreen(NodeKeys):
    """The first screen: where people live."""

    MODE = "nodes"
    CSS_PATH = ["base.tcss", "nodes.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="nodes.filter"),
        Binding("escape", "back", "clear", show=False, id="nodes.back"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._glance = Glance(self._tail)
        self._haystacks = NodeHaystacks()
        self._desk: Desk | None = None
        self._scope: str | None = None
        self._subscription: Subscription | None = None
        self._places: dict[str, tuple[str, Place]] = {}
        """Filter and place in the table at the sites that were looked at before."""
        self._was_live = False
        self._pending: dict[str, str] = {}
        self._usage_version = 0
        self._several = False
        self._clusters: set[str] = set()

    # --- what is on it ---------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Filter line, table, pane."""
        yield CellLine(id="filter")
        yield Container(
            NodeTable(
                self._columns(),
                lambda node: node.id,
                tie=node_columns.tie,
                stale=self._stale,
                clock=self.cockpit.clock,
                id="table",
            ),
            NodePane(self.cockpit, self._glance, id="pane"),
            id="nodes-body",
        )

    def _columns(self) -> list[TableColumn[Node]]:
        """All columns; the clusters' only where there are several."""
        found = node_columns.columns(self.cockpit)
        return found if self._several else [column for column in found if column.key != "cluster"]

    @property
    def table(self) -> VirtualTable[Node]:
        """The table."""
        return self.query_one("#table", VirtualTable)

    def on_mount(self) -> None:
        """Show what is known, and follow it."""
        self.table.focus()
        self._look()

    def on_unmount(self) -> None:
        """Follow no more."""
        self._glance.stop()
        if self._subscription is not None:
            self._subscription.close()

    def on_screen_suspend(self) -> None:
        """Not shown: no console is looked at."""
        self._glance.stop()

    def on_screen_resume(self) -> None:
        """Shown again."""
        if self.is_mounted:
            self._show_cursor()

    def crumbs(self) -> Sequence[Cell]:
        """What is shown of what."""
        scope = self.cockpit.desk.scope or "all"
        return [Cell(f"nodes › {scope}", "dim")]

    # --- following -------------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, flash; another site or scope; what was asked of nodes."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk = self.cockpit.desk
        if desk is not self._desk:
            self._turn_to(desk)
        elif desk.scope != self._scope:
            self._scope = desk.scope
            self._replace()
        pending = desk.activities.all_pending()
        if pending != self._pending:
            different = {key for key, _ in pending.items() ^ self._pending.items()}
            self._pending = pending
            self._touch(different)
        if (empty := no_nodes(desk.live, desk.scope)) != self.table.empty_text:
            self.table.empty_text = empty
            self.table.refresh()
        self.query_one(NodePane).look_again()
        self.draw_filter()
        live = desk.live.state == "live"
        if live and not self._was_live:
            self._show_cursor()
        self._was_live = live

    def _turn_to(self, desk: Desk) -> None:
        """Show another site, as it was left."""
        if self._desk is not None:
            self._places[self._desk.live.name] = self._filter_text, self.table.place()
        if self._subscription is not None:
            self._subscription.close()
        self._desk, self._scope = desk, desk.scope
        self._pending, self._usage_version, self._was_live = {}, desk.live.usage.version, False
        # What changes from here on is told, however late the worker begins.
        self._subscription = desk.live.store.subscribe()
        text, place = self._places.get(desk.live.name, ("", None))
        self.table.filter(None)
        self._filter_text = ""
        self._replace()
        if text:
            self.try_filter(text)
        if place is not None:
            self.table.return_to(place)
        self._follow(desk, self._subscription)

    @work(exclusive=True, group="store")
    async def _follow(self, desk: Desk, subscription: Subscription) -> None:
        unlisten = desk.live.usage.changed.listen(partial(self._used, desk))
        first = not desk.live.store.complete
        try:
            async for changed in subscription:
                if first and desk.live.store.complete:
                    first = False
                    self._replace()
                elif changed.keys:
                    self._apply(desk, changed.keys)
                else:
                    self.table.refresh()
                self.draw_filter()
        finally:
            unlisten()
            subscription.close()

    def _replace(self) -> None:
        desk = self.cockpit.desk
        nodes = list(desk.nodes())
        self._haystacks = NodeHaystacks()
        self._count_clusters({node.cluster for node in nodes})
        self.table.empty_text = no_nodes(desk.live, desk.scope)
        try:
            self.table.replace(nodes)
        except PilotError as error:
            # A filter that takes too long on these nodes.
            self.table.filter(None)
            self._filter_text = ""
            self.table.replace(nodes)
            self.cockpit.flash_error(error)
        self._show_cursor()

    def _apply(self, desk: Desk, keys: Iterable[str]) -> None:
        changed, gone = {}, []
        for key in keys:
            record = desk.live.store.records.get(key)
            if isinstance(record, Node) and (not desk.scope or record.cluster == desk.scope):
                changed[key] = record
            else:
                gone.append(key)
        if not self._several:
            self._count_clusters(self._clusters | {node.cluster for node in changed.values()})
        self._haystacks.forget(gone)
        self.table.apply(changed, gone)
        self.table.empty_text = no_nodes(desk.live, desk.scope)
        if self.table.cursor in changed:
            # Of a node that was turned on there is a console again.
            self._show_cursor()

    def _count_clusters(self, clusters: set[str]) -> None:
        self._clusters = clusters
        if (len(clusters) > 1) != self._several:
            self._several = len(clusters) > 1
            self.table.set_columns(self._columns())

    def _touch(self, keys: Iterable[str]) -> None:
        """Draw these nodes anew: what is known of them beside their record has changed."""
        rows = ((key, self.table.row(key)) for key in keys)
        self.table.apply({key: row for key, row in rows if row is not None})

    def _used(self, desk: Desk) -> None:
        if desk is not self._desk:
            return
        usage = desk.live.usage
        self._touch(usage.changed_since(self._usage_version))
        self._usage_version = usage.version

    def _stale(self, node: Node) -> bool:
        return node.stale_since is not None or self.cockpit.desk.live.store.stale_since is not None

    def _tail(self, node_id: str, cluster: str) -> AsyncIterator[bytes]:
        return self.cockpit.desk.live.tail(node_id, cluster)

    # --- cursor, marks, filter --------------------------------------------------------------------

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_cursor()

    def _show_cursor(self) -> None:
        node = self.table.cursor_row
        self.query_one(NodePane).show(node)
        if self.is_current and self.cockpit.desk.live.state == "live":
            self._glance.look(node)

    @on(MarksChanged)
    @on(SortChanged)
    def _marks_changed(self) -> None:
        self.draw_filter()
        self.refresh_bindings()

    def draw_filter(self) -> None:
        """The filter, and how many nodes pass it."""
        table = self.table
        shown, total, marked = len(table.shown), table.total, len(table.marks)
        # What few nodes do not need is the pane's; a filter moves nothing.
        table.styles.max_height = total + _SPARE if total else None
        counts = f"{shown} of {total}" if shown != total else f"{total}"
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        right = [Cell(f"{counts} node{'s' if total != 1 else ''}", "dim")]
        if marked:
            hidden = self.hidden() if table.total != shown else 0
            right.append(Cell(f", {marked} marked{f', {hidden} hidden' if hidden else ''}", "busy"))
        self.query_one("#filter", CellLine).show(left, right)

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Node], bool]]:
        """Over what is known of nodes."""
        parsed = filtering.parse(text, NODE_FIELDS)
        return parsed, lambda node: parsed.matches(self._haystacks.of(node))

    def show_line(self, node_id: str) -> None:
        """Put the cursor on a node; a filter that hides it is dropped."""
        if not self.table.move_to(node_id):
            self.set_filter("")
            self.table.move_to(node_id)

    def linked(self) -> Node | None:
        """The node under the cursor."""
        return self.table.cursor_row if self.is_mounted else None

    def here(self) -> str:
        """Its id."""
        node = self.linked()
        return "" if node is None else node.id

    # --- keys ------------------------------------------------------------------------------------

    def action_details(self) -> None:
        """A larger pane, or a smaller one again."""
        self.toggle_class("-details")

    @on(RowOpened)
    def _opened(self) -> None:
        self.action_details()

    def action_back(self) -> None:
        """Clear what narrows or marks, the newest first."""
        if self.has_class("-details"):
            self.remove_class("-details")
        elif self.table.marks:
            self.table.action_table_unmark_all()
        elif self._filter_text:
            self.set_filter("")
