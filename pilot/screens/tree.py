"""A live tree over the inventory: an outline in a table, a filter, and verbs for the nodes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import Binding
from textual.widget import Widget

from pilot import filtering, going
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk
from pilot.records import AnyRecord, Node
from pilot.render.table import Cell
from pilot.render.tree_cells import outlined
from pilot.screens import acting
from pilot.screens.base import GoneTo
from pilot.screens.node_keys import NodeKeys
from pilot.store import Subscription
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf, Outline
from pilot.trees.searching import EntryHaystack, Fields
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import CursorMoved, MarksChanged, RowOpened, TableColumn
from pilot.widgets.tree_table import FoldWanted, TreeTable


class TreeScreen(NodeKeys):
    """Those that derive from it say what is in the tree and what is shown of it."""

    CSS_PATH = ["base.tcss", "tree.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="nodes.filter"),
        Binding("escape", "back", "clear", show=False, id="nodes.back"),
    ]
    NAME: ClassVar[str] = ""
    """What the tree is of, in one word."""
    COUNTED: ClassVar[str] = ""
    """What of it is counted, in one word with an s at its end."""
    FIELDS: ClassVar[Fields] = {}
    """What a filter may name."""

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self.outline = Outline(self._entries)
        self._desk: Desk | None = None
        self._scope = ""
        self._subscription: Subscription | None = None
        self._tally: set[str] = set()
        """The keys of the lines that are counted: to go over all of them at each change costs too much."""

    # --- what a tree says of itself ------------------------------------------------------------------

    def entries_of(self) -> EntriesOf:
        """The lines of a record."""
        raise NotImplementedError

    def cells(self) -> list[TableColumn[Entry]]:
        """The columns beside the names."""
        raise NotImplementedError

    def counts(self, entry: Entry) -> bool:
        """Whether a line is one of what is counted."""
        return bool(entry.node)

    def name_cell(self, entry: Entry) -> Cell:
        """A line's name as it is shown, without its arrow."""
        return Cell(entry.name, "strong" if not entry.depth else "")

    def nothing(self) -> str:
        """Why the tree is empty."""
        raise NotImplementedError

    def about(self, entry: Entry, now: float) -> Sequence[Cell]:
        """More of the line under the cursor, for the line below the tree."""
        return ()

    def more(self, entry: Entry, now: float) -> Sequence[Cell]:
        """What has no room there, on a line below it."""
        return ()

    # --- what is on it -------------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Filter line, tree, and a line about what is under the cursor."""
        yield CellLine(id="filter")
        yield TreeTable(
            self._columns(),
            self.outline.is_branch,
            self.outline.is_open,
            stale=self._stale,
            clock=self.cockpit.clock,
            id="tree",
        )
        yield CellLine(id="about")
        yield CellLine(id="more")

    def _columns(self) -> list[TableColumn[Entry]]:
        name = TableColumn[Entry](
            "name", self.NAME.upper(), self._outlined, lambda _: 0, 24, weight=3, widest=60, flashes=False
        )
        return [name, *self.cells()]

    def _outlined(self, entry: Entry, _now: float) -> Cell:
        cell = self.name_cell(entry)
        outline = self.outline
        return outlined(
            cell.text, entry.depth, outline.is_branch(entry.key), outline.is_open(entry.key), cell.tone
        )

    @property
    def table(self) -> TreeTable:
        """The tree."""
        return self.query_one("#tree", TreeTable)

    def on_mount(self) -> None:
        """Show what is known, and follow it."""
        self.table.focus()
        self._look()

    def on_unmount(self) -> None:
        """Follow no more."""
        if self._subscription is not None:
            self._subscription.close()

    def crumbs(self) -> Sequence[Cell]:
        """What is shown of what."""
        return [Cell(f"{self.NAME} › {self.cockpit.desk.scope or 'all'}", "dim")]

    def targets(self) -> Sequence[Node]:
        """The nodes of the marked lines, or of the one under the cursor; each once."""
        records = self.cockpit.desk.live.store.records
        entries = (self.outline.entries.get(key) for key in self.table.targets())
        nodes = {entry.node: records.get(entry.node) for entry in entries if entry is not None and entry.node}
        return [node for node in nodes.values() if isinstance(node, Node)]

    # --- following -----------------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, flash; another site or scope."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk = self.cockpit.desk
        if desk is not self._desk:
            if self._subscription is not None:
                self._subscription.close()
            self._desk, self._scope = desk, desk.scope
            # What changes from here on is told, however late the worker begins.
            self._subscription = desk.live.store.subscribe()
            self._replace()
            self._follow(desk, self._subscription)
        elif desk.scope != self._scope:
            self._scope = desk.scope
            self._replace()
        self._draw()

    @work(exclusive=True, group="store")
    async def _follow(self, desk: Desk, subscription: Subscription) -> None:
        complete = desk.live.store.complete
        try:
            async for changed in subscription:
                if not complete and desk.live.store.complete:
                    complete = True
                    self._replace()
                elif changed.keys:
                    self._apply(desk, changed.keys)
                else:
                    self.table.refresh()
                self._draw()
        finally:
            subscription.close()

    def _entries(self, record: AnyRecord) -> Iterable[Entry]:
        cluster = getattr(record, "cluster", None)
        if self._scope and cluster is not None and cluster != self._scope:
            return ()
        return self.entries_of()(record)

    def _replace(self) -> None:
        assert self._desk is not None
        try:
            self.outline.replace(self._desk.live.store.records.values())
        except PilotError as error:
            # A filter that takes too long on these lines.
            self.outline.match(None)
            self._filter_text = ""
            self.outline.replace(self._desk.live.store.records.values())
            self.cockpit.flash_error(error)
        self._tally = {key for key, entry in self.outline.entries.items() if self.counts(entry)}
        self.table.empty_text = self._nothing()
        self.table.replace(self.outline.entries.values())
        self.table.filter(self.outline.passes)

    def _apply(self, desk: Desk, keys: Iterable[str]) -> None:
        known: Mapping[str, AnyRecord] = desk.live.store.records
        changed, gone = self.outline.apply({key: known.get(key) for key in keys})
        self._tally.difference_update(changed, gone)
        self._tally.update(key for key, entry in changed.items() if self.counts(entry))
        self.table.apply(changed, gone)
        self.table.empty_text = self._nothing()

    def look_anew(self) -> None:
        """Another tree of the same records."""
        self.outline = Outline(self._entries)
        self.table.over(self.outline.is_branch, self.outline.is_open)
        if self._filter_text:
            self.outline.match(self.parse_filter(self._filter_text)[1])
        self._replace()
        self._draw()

    def _nothing(self) -> str:
        live = self.cockpit.desk.live
        if live.store.complete:
            return self.nothing()
        if live.state == "connecting":
            return f"Connecting to {live.name} …"
        return "Nothing is known yet: there is no link to the site."

    def _stale(self, entry: Entry) -> bool:
        record = entry.record
        return (
            self.cockpit.desk.live.store.stale_since is not None
            or getattr(record, "stale_since", None) is not None
        )

    # --- folding, filter, cursor -----------------------------------------------------------------------

    @on(FoldWanted)
    def _fold(self, event: FoldWanted) -> None:
        event.stop()
        if event.key is None:
            self.outline.fold_all(event.closed)
        else:
            self.outline.fold(event.key, event.closed)
        self._refold(event.key)

    def _refold(self, key: str | None) -> None:
        """Show what is open now; a cursor that is hidden goes to the branch that hides it."""
        table, entry = self.table, self.table.cursor_row
        table.refold(self.outline.passes)
        if key is not None:
            table.move_to(key)
        elif entry is not None and not self.outline.passes(entry):
            table.move_to(next(above for above in entry.above if not self.outline.is_open(above)))
        self._draw()

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Entry], bool]]:
        """Over what is known of the lines."""
        parsed = filtering.parse(text, self.FIELDS)
        return parsed, lambda entry: parsed.matches(EntryHaystack(entry, self.FIELDS))

    def set_filter(self, text: str) -> None:
        """Show the lines that fit, with the branches that they are below.

        Raises:
            UsageError: the filter is not understood; the one before stays.
        """
        parsed, passes = self.parse_filter(text)
        self.outline.match(None if parsed.empty else passes)
        self._filter_text = parsed.text
        self.table.refold(self.outline.passes)
        self._draw()

    @on(CursorMoved)
    @on(MarksChanged)
    def _moved(self) -> None:
        self._draw()
        self.refresh_bindings()

    def _draw(self) -> None:
        table, marked = self.table, len(self.table.marks)
        counted = len(self._tally)
        matched = f"{len(self._tally & self.outline.matched)} of " if self._filter_text else ""
        right = [Cell(f"{matched}{counted} {self.COUNTED if counted != 1 else self.COUNTED[:-1]}", "dim")]
        if marked:
            right.append(Cell(f", {marked} marked", "busy"))
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        self.query_one("#filter", CellLine).show(left, right)
        entry = table.cursor_row
        now = self.cockpit.clock()
        self.query_one("#about", CellLine).show(() if entry is None else self.about(entry, now))
        more = () if entry is None else self.more(entry, now)
        self.query_one("#more", CellLine).show(more)

    def show_line(self, key: str) -> bool:
        """Put the cursor on a line, opening what it is in; a filter that hides it is dropped."""
        entry = self.outline.entries.get(key)
        if entry is None:
            return False
        if self._filter_text and not self.outline.passes(entry):
            self.set_filter("")
        for above in entry.above:
            self.outline.fold(above, False)
        self._refold(key)
        return True

    def linked(self) -> AnyRecord | None:
        """What the line under the cursor is of."""
        entry = self.table.cursor_row if self.is_mounted else None
        return None if entry is None else entry.record

    def here(self) -> str:
        """The key of that line."""
        entry = self.table.cursor_row
        return "" if entry is None else entry.key

    # --- keys ------------------------------------------------------------------------------------------

    @on(RowOpened)
    def _opened(self, event: RowOpened) -> None:
        entry = self.outline.entries.get(event.key)
        if entry is not None and entry.node:
            self.cockpit.leave_trail(self.MODE, entry.key)
            self.post_message(GoneTo(going.Spot(entry.node)))
        elif entry is not None and self.outline.is_branch(entry.key):
            self.post_message(FoldWanted(entry.key, self.outline.is_open(entry.key)))

    def action_wall(self) -> None:
        """The screens of the marked nodes as a wall, or of all."""
        marked = bool(self.table.marks)
        only = frozenset(node.id for node in self.targets()) if marked else frozenset()
        self.post_message(acting.WallWanted(only, ""))

    def action_back(self) -> None:
        """Clear what marks or narrows, the newest first."""
        if self.table.marks:
            self.table.action_table_unmark_all()
        elif self._filter_text:
            self.set_filter("")
