"""What needs attention now, worst first, each with the verb that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual import on, work
from textual.binding import Binding
from textual.widget import Widget

from pilot import filtering, going
from pilot.attention import Concern, concerns, flaps
from pilot.filtering import lines
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.events import EventsView
from pilot.records import AnyRecord, Instance, Machine, Node
from pilot.render import concerns as cells
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.base import GoneTo
from pilot.screens.filtered import FilteredScreen
from pilot.trees import links
from pilot.verbs import BY_ID
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import CursorMoved, RowOpened, TableColumn, VirtualTable


class ConcernTable(VirtualTable[Concern]):
    """The table, with what its key does here."""

    BINDINGS = [Binding("enter", "table_open", "go to", key_display="⏎", id="table.open")]


class OverviewScreen(FilteredScreen):
    """An area of the app."""

    MODE = "overview"
    CSS_PATH = ["base.tcss", "tree.tcss"]
    BINDINGS = [
        Binding("m", "mend", "mend", id="overview.mend"),
        Binding("c", "console", "console", id="nodes.console"),
        Binding("v", "screen", "screen", id="nodes.screen"),
        Binding("slash", "filter", "filter", key_display="/", id="nodes.filter"),
        Binding("escape", "back", "clear", show=False, id="nodes.back"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._shown: dict[str, Concern] = {}
        self._order: dict[str, int] = {}
        self._looked: tuple[object, ...] = ()
        self._desk: Desk | None = None
        self._events: EventsView | None = None

    def body(self) -> Iterable[Widget]:
        """Filter line, table, and the whole sentence of the line under the cursor."""
        yield CellLine(id="filter")
        yield ConcernTable(
            self._columns(),
            _key,
            tie=lambda concern: self._order.get(_key(concern), 0),
            clock=self.cockpit.clock,
            id="tree",
        )
        yield CellLine(id="about")

    def _columns(self) -> list[TableColumn[Concern]]:
        def column(
            key: str, title: str, cell: Callable[[Concern, float], Cell], width: int, **more: Any
        ) -> TableColumn[Concern]:
            return TableColumn(key, title, cell, lambda one: cell(one, 0).text, width, **more)

        return [
            column("kind", "WHAT", lambda one, _: cells.kind_cell(one), 12),
            column("name", "WHERE", lambda one, _: Cell(self._called(one)), 16, weight=1, widest=32),
            column("cluster", "CLUSTER", lambda one, _: Cell(cells.whose(self._record(one))), 8, priority=3),
            column("since", "SINCE", cells.since_cell, 6, right=True, timed=True, priority=2),
            column("words", "", lambda one, _: Cell(one.words), 24, weight=4, priority=1, flashes=False),
            column("mend", "MEND", lambda one, _: cells.mend_cell(one), 11, priority=1, flashes=False),
        ]

    def _record(self, concern: Concern) -> AnyRecord | None:
        return self.cockpit.desk.live.store.records.get(concern.about)

    def _called(self, concern: Concern) -> str:
        return cells.name_of(self._record(concern), concern.about)

    @property
    def table(self) -> VirtualTable[Concern]:
        """The table."""
        return self.query_one("#tree", VirtualTable)

    def on_mount(self) -> None:
        """Look at once."""
        self.table.focus()
        self._look()

    def crumbs(self) -> Sequence[Cell]:
        """Of what."""
        return [Cell(f"overview › {self.cockpit.desk.scope or 'all'}", "dim")]

    def show_frame(self) -> None:
        """Title, tabs, flash; and what needs attention by now: it is looked at once a second."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk = self.cockpit.desk
        now = self.cockpit.clock()
        if desk is not self._desk:
            self._desk, self._events = desk, EventsView(desk.live)
            self._follow(self._events)
        looked = desk, desk.scope, desk.live.store.version, int(now)
        if looked != self._looked:
            self._looked = looked
            found = [one for one in self._found(desk, now) if self._in_scope(one, desk.scope)]
            fresh = {_key(one): one for one in found}
            self._order = {key: number for number, key in enumerate(fresh)}
            gone = [key for key in self._shown if key not in fresh]
            self._shown = fresh
            # Their places depend on each other.
            self.table.apply(fresh, gone)
            self.table.settle()
        self.table.empty_text = (
            "Nothing needs attention." if desk.live.store.complete else "Nothing is known yet."
        )
        self._draw()

    @work(exclusive=True, group="events")
    async def _follow(self, events: EventsView) -> None:
        await events.run()

    def _found(self, desk: Desk, now: float) -> list[Concern]:
        flapped = {} if self._events is None else flaps(self._events.happenings.values())
        return concerns(desk.live.store.records, now, flapped)

    def _in_scope(self, concern: Concern, scope: str) -> bool:
        record = self._record(concern)
        return not scope or getattr(record, "cluster", scope) == scope

    def _draw(self) -> None:
        bad = sum(one.level == 0 for one in self._shown.values())
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        right = [Cell(f"{bad} bad", "bad"), Cell(" of ", "dim")] if bad else []
        self.query_one("#filter", CellLine).show(left, [*right, Cell(f"{len(self._shown)}", "dim")])
        concern = self.table.cursor_row
        said = "" if concern is None else cells.plain_line(concern, self._record(concern))
        self.query_one("#about", CellLine).show([Cell(said)])

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Concern], bool]]:
        """Over all that is shown of them."""
        parsed = filtering.parse(text, _FIELDS)
        return parsed, lambda one: parsed.matches(_Haystack(one, self._record(one)))

    def draw_filter(self) -> None:
        """What is set."""
        self._draw()

    @on(CursorMoved)
    def _moved(self) -> None:
        self._draw()
        self.refresh_bindings()

    def linked(self) -> AnyRecord | None:
        """What the line under the cursor is about."""
        concern = self.table.cursor_row if self.is_mounted else None
        return None if concern is None else self._record(concern)

    # --- keys ------------------------------------------------------------------------------------------

    def targets(self) -> Sequence[Node]:
        """The nodes that the marked lines, or the one under the cursor, are about."""
        rows = (self.table.row(key) for key in self.table.targets())
        nodes = {node.id: node for one in rows if one is not None and (node := self._node(one)) is not None}
        return list(nodes.values())

    def _node(self, concern: Concern) -> Node | None:
        record = self._record(concern)
        if isinstance(record, Instance | Machine):
            record = self.cockpit.desk.live.store.records.get(record.node)
        return record if isinstance(record, Node) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`m` is there where something mends it."""
        if action == "mend":
            concern = self.table.cursor_row if self.is_mounted else None
            return concern is not None and bool(concern.verb) and not self.cockpit.readonly
        return super().check_action(action, parameters)

    def action_mend(self) -> None:
        """Do what mends it, for the marked lines that the same mends; what is dangerous asks first."""
        concern = self.table.cursor_row
        verb = BY_ID.get(concern.verb) if concern is not None else None
        if concern is None or verb is None:
            return
        rows = [self.table.row(key) for key in self.table.targets()]
        same = [one for one in rows if one is not None and one.verb == concern.verb]
        nodes = {node.id: node for one in same if (node := self._node(one)) is not None}
        self.post_message(acting.VerbChosen(verb, list(nodes.values())))

    def action_console(self) -> None:
        """The console of the node, in a tab."""
        self.post_message(acting.ConsolesWanted(self.targets()))

    def action_screen(self) -> None:
        """The screen of the node, in a tab."""
        self.post_message(acting.ScreensWanted(self.targets()))

    @on(RowOpened)
    def _opened(self) -> None:
        record = self.linked()
        found = [] if record is None else links.links(record, self.cockpit.desk.live.store.records)
        if found:
            self.cockpit.leave_trail(self.MODE, "")
            self.post_message(GoneTo(going.follow(found[0])))

    def action_back(self) -> None:
        """Clear what marks or narrows."""
        if self.table.marks:
            self.table.action_table_unmark_all()
        elif self._filter_text:
            self.try_filter("")


def _key(concern: Concern) -> str:
    return f"{concern.kind}/{concern.about}"


_FIELDS: dict[str, Callable[[Concern, AnyRecord | None], str]] = {
    "what": lambda one, _: one.kind,
    "name": lambda one, record: cells.name_of(record, one.about),
    "cluster": lambda _, record: cells.whose(record),
    "host": lambda _, record: getattr(record, "host", ""),
    "words": lambda one, _: one.words,
    "mend": lambda one, _: one.verb,
}


class _Haystack:
    """A concern as filters see it."""

    __slots__ = ("_concern", "_record")

    def __init__(self, concern: Concern, record: AnyRecord | None) -> None:
        self._concern = concern
        self._record = record

    @property
    def title(self) -> str:
        return cells.name_of(self._record, self._concern.about)

    @property
    def text(self) -> str:
        return lines([read(self._concern, self._record) for read in _FIELDS.values()])

    def field(self, name: str) -> Sequence[str]:
        value = _FIELDS[name](self._concern, self._record)
        return (value,) if value else ()
