"""Everything that happened, whoever wanted it: the newest first, filtered as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import on, work
from textual.binding import Binding
from textual.widget import Widget

from pilot import filtering, going
from pilot.filtering import lines
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.events import EventsView
from pilot.records import AnyRecord, Happening
from pilot.render import happenings as cells
from pilot.render.table import Cell
from pilot.screens.base import GoneTo
from pilot.screens.filtered import FilteredScreen
from pilot.trees import links
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import CursorMoved, RowOpened, TableColumn, VirtualTable


class EventTable(VirtualTable[Happening]):
    """The table, with what its key does here."""

    BINDINGS = [Binding("enter", "table_open", "go to", key_display="⏎", id="table.open")]


class EventsScreen(FilteredScreen):
    """An area of the app."""

    MODE = "events"
    CSS_PATH = ["base.tcss", "tree.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="nodes.filter"),
        Binding("escape", "back", "clear", show=False, id="nodes.back"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._desk: Desk | None = None
        self._scope = ""
        self._view: EventsView | None = None
        self._shown: dict[int, Happening] = {}

    def body(self) -> Iterable[Widget]:
        """Filter line and table."""
        yield CellLine(id="filter")
        yield EventTable(
            [
                TableColumn("time", "TIME", cells.time_cell, lambda one: -one.number, 16, flashes=False),
                TableColumn(
                    "name", "WHERE", lambda one, _: Cell(one.name, "strong"), lambda one: one.name, 16,
                    weight=1, widest=32,
                ),
                TableColumn(
                    "cluster", "CLUSTER", lambda one, _: cells.cluster_cell(one),
                    lambda one: one.cluster or "", 8, priority=2,
                ),
                TableColumn("what", "WHAT", lambda one, _: Cell(one.what, "dim"), lambda one: one.what, 9,
                            priority=1),
                TableColumn("words", "", lambda one, _: cells.words_cell(one), lambda one: one.words, 24,
                            weight=4),
            ],
            lambda one: str(one.number),
            tie=lambda one: -one.number,
            clock=self.cockpit.clock,
            id="tree",
        )  # fmt: skip

    @property
    def table(self) -> VirtualTable[Happening]:
        """The table."""
        return self.query_one("#tree", VirtualTable)

    def on_mount(self) -> None:
        """Look at once."""
        self.table.focus()
        self._look()

    def crumbs(self) -> Sequence[Cell]:
        """Of what."""
        return [Cell(f"events › {self._scope or 'all'}", "dim")]

    def show_frame(self) -> None:
        """Title, tabs, flash; another site or scope."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk = self.cockpit.desk
        if desk is not self._desk or desk.scope != self._scope or self._view is None:
            self._desk, self._scope = desk, desk.scope
            self._view = EventsView(desk.live, desk.scope)
            self._shown = {}
            self.table.replace(())
            self._follow(self._view)
        self._draw()

    @work(exclusive=True, group="events")
    async def _follow(self, view: EventsView) -> None:
        unlisten = view.changed.listen(self._soon)
        try:
            await view.run()
        finally:
            unlisten()

    def _soon(self) -> None:
        self.call_later(self._news)

    def _news(self) -> None:
        if not self.is_mounted or self._view is None:
            return
        now = self._view.happenings
        fresh = {str(number): one for number, one in now.items() if number not in self._shown}
        gone = [str(number) for number in self._shown if number not in now]
        self._shown = dict(now)
        self.table.apply(fresh, gone)
        self.table.settle()
        self._draw()

    def _draw(self) -> None:
        table = self.table
        error = None if self._view is None else self._view.error
        empty = f"{error.message}. {error.hint}" if error else "Nothing has happened yet."
        if empty != table.empty_text:
            table.empty_text = empty
            table.refresh()
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        counts = (
            f"{len(table.shown)} of {table.total}" if len(table.shown) != table.total else f"{table.total}"
        )
        self.query_one("#filter", CellLine).show(left, [Cell(f"{counts} events", "dim")])

    def draw_filter(self) -> None:
        """What is set."""
        self._draw()

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Happening], bool]]:
        """Over all that is shown of them."""
        parsed = filtering.parse(text, _FIELDS)
        return parsed, lambda one: parsed.matches(_Haystack(one))

    def linked(self) -> AnyRecord | None:
        """What it happened to, if that is still there."""
        one = self.table.cursor_row if self.is_mounted else None
        return None if one is None else self.cockpit.desk.live.store.records.get(one.about)

    @on(CursorMoved)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(RowOpened)
    def _opened(self) -> None:
        record = self.linked()
        found = [] if record is None else links.links(record, self.cockpit.desk.live.store.records)
        if found:
            self.cockpit.leave_trail(self.MODE, "")
            self.post_message(GoneTo(going.follow(found[0])))
        else:
            self.cockpit.flash("What it happened to is not there any more.", "dim", 3)

    def action_back(self) -> None:
        """Clear what marks or narrows."""
        if self.table.marks:
            self.table.action_table_unmark_all()
        elif self._filter_text:
            self.try_filter("")


_FIELDS: dict[str, Callable[[Happening], str]] = {
    "name": lambda one: one.name,
    "cluster": lambda one: one.cluster or "",
    "host": lambda one: one.host,
    "what": lambda one: one.what,
    "words": lambda one: one.words,
}


class _Haystack:
    """A happening as filters see it."""

    __slots__ = ("_one",)

    def __init__(self, one: Happening) -> None:
        self._one = one

    @property
    def title(self) -> str:
        return self._one.name

    @property
    def text(self) -> str:
        return lines([read(self._one) for read in _FIELDS.values()])

    def field(self, name: str) -> Sequence[str]:
        value = _FIELDS[name](self._one)
        return (value,) if value else ()
