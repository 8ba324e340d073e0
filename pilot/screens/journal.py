"""The journal: what was asked of the cluster's nodes, by whom, what came of it; and whether it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import on, work
from textual.binding import Binding
from textual.containers import Container, VerticalScroll
from textual.widget import Widget

from pilot import filtering
from pilot.errors import PilotError
from pilot.journal import Deed
from pilot.live.cockpit import Cockpit, Desk
from pilot.live.journal import JournalView
from pilot.render import journal as cells
from pilot.render.journal_search import JOURNAL_FIELDS, DeedHaystack
from pilot.render.table import Cell
from pilot.screens.filtered import FilteredScreen
from pilot.screens.verified import VerifiedScreen
from pilot.widgets.cell_line import CellLine
from pilot.widgets.lines import Lines
from pilot.widgets.table import CursorMoved, RowOpened, SortChanged, TableColumn, VirtualTable

_LABEL = 12
_OLDER_BELOW = 20
"""When the cursor is so near the oldest record that is here, more of the past is read."""


class JournalScreen(FilteredScreen):
    """The records of one cluster; of the whole site for its admins."""

    MODE = "journal"
    CSS_PATH = ["base.tcss", "journal.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="journal.filter"),
        Binding("v", "verify", "verify", id="journal.verify"),
        Binding("o", "older", "older", id="journal.older"),
        Binding("escape", "back", "clear", show=False, id="journal.back"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._desk: Desk | None = None
        self._view: JournalView | None = None
        self._shown: dict[str, Deed] = {}
        self._checking = ""

    def body(self) -> Iterable[Widget]:
        """Filter line, table, details."""
        yield CellLine(id="journal-filter")
        with_names = self._columns()
        yield Container(
            VirtualTable[Deed](
                with_names,
                lambda deed: f"{deed.id:016}",
                sort="time",
                reverse=True,
                clock=self.cockpit.clock,
                id="deeds",
            ),
            VerticalScroll(Lines(), id="deed"),
            id="journal-body",
        )

    def _columns(self) -> list[TableColumn[Deed]]:
        def names() -> dict[str, str]:
            return self._view.names if self._view is not None else {}

        return [
            TableColumn("time", "TIME", cells.time_cell, lambda d: d.id, width=19),
            TableColumn(
                "who", "WHO", lambda d, _: cells.who_cell(d), lambda d: d.record.principal, 12, 1, 30
            ),
            TableColumn("verb", "VERB", lambda d, _: cells.verb_cell(d), lambda d: d.record.verb, 15),
            TableColumn(
                "nodes", "NODES", lambda d, _: cells.targets_cell(d, names()), self._nodes_value, 14, 2, 40
            ),
            TableColumn(
                "outcome",
                "OUTCOME",
                lambda d, _: cells.outcome_cell(d),
                lambda d: cells.outcome_cell(d).text,
                width=12,
                weight=3,
                priority=1,
            ),
            TableColumn(
                "took",
                "TOOK",
                lambda d, _: cells.took_cell(d),
                lambda d: d.outcome.time - d.record.time if d.outcome else -1,
                width=7,
                right=True,
                priority=3,
            ),
        ]

    def _nodes_value(self, deed: Deed) -> str:
        return cells.targets_cell(deed, self._view.names if self._view is not None else {}).text

    @property
    def table(self) -> VirtualTable[Deed]:
        """The table."""
        return self.query_one("#deeds", VirtualTable)

    def on_mount(self) -> None:
        """Begin to read."""
        self.table.focus()
        self._look()

    def crumbs(self) -> Sequence[Cell]:
        """Whose journal it is."""
        view = self._view
        return [Cell(f"journal › {view.cluster or 'whole site'}" if view is not None else "journal", "dim")]

    def show_frame(self) -> None:
        """Another site or scope is another journal."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    # --- following -------------------------------------------------------------------------------

    def _look(self) -> None:
        desk = self.cockpit.desk
        cluster = self._cluster(desk)
        if cluster is None:
            self.table.empty_text = "Connecting …" if not desk.live.principal else "No cluster is yours."
        elif desk is not self._desk or self._view is None or self._view.cluster != cluster:
            self._desk = desk
            self._view = JournalView(desk.live, cluster)
            self._shown = {}
            self.table.replace(())
            self._follow(self._view)
        self.draw_filter()

    def _cluster(self, desk: Desk) -> str | None:
        """The cluster whose journal it is: the scope; else all for an admin, or the first of one's own."""
        if desk.scope or not desk.live.principal:
            return desk.scope or None
        if desk.live.role_in("") == "admin":
            return ""
        own = [name for name in desk.live.clusters() if desk.live.may("journal.read", name)]
        return next(iter(own or desk.live.clusters()), None)

    @work(exclusive=True, group="journal")
    async def _follow(self, view: JournalView) -> None:
        def changed() -> None:
            self.call_later(self._redraw, view)

        unlisten = view.changed.listen(changed)
        try:
            self._redraw(view)
            await view.run()
        finally:
            unlisten()

    def _redraw(self, view: JournalView) -> None:
        if view is not self._view or not self.is_mounted:
            return
        now = {f"{deed.id:016}": deed for deed in view.deeds}
        changed = {key: deed for key, deed in now.items() if self._shown.get(key) is not deed}
        gone = [key for key in self._shown if key not in now]
        self._shown = now
        self.table.empty_text = self._empty(view)
        self.table.apply(changed, gone)
        # At once: the line above the table counts its rows.
        self.table.settle()
        self.table.refresh()
        self.draw_filter()
        self._draw_details()

    def _empty(self, view: JournalView) -> str:
        if view.error is not None:
            return f"{view.error.message}. {view.error.hint}"
        if view.state == "reading":
            return "Reading the journal …"
        return f"Nothing has been asked of {view.cluster or 'this site'} yet."

    # --- filter, details --------------------------------------------------------------------------

    def draw_filter(self) -> None:
        """The filter, how many records pass it, and how the reading goes."""
        table, view = self.table, self._view
        shown, total = len(table.shown), table.total
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        right = []
        if view is not None and view.problem:
            right.append(Cell(f"✕ {view.problem}   ", "bad"))
        elif view is not None and view.state == "lost":
            right.append(Cell("not live   ", "busy"))
        if self._checking:
            right.append(Cell(f"{self._checking}   ", "busy"))
        counts = f"{shown} of {total}" if shown != total else f"{total}"
        older = "" if view is None or view.whole else ", older ones with o"
        right.append(Cell(f"{counts} record{'s' if total != 1 else ''}{older}", "dim"))
        self.query_one("#journal-filter", CellLine).show(left, right)

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Deed], bool]]:
        """Over what is recorded of a request."""
        parsed = filtering.parse(text, JOURNAL_FIELDS)
        names = self._view.names if self._view is not None else {}
        return parsed, lambda deed: parsed.matches(DeedHaystack(deed, names))

    @on(CursorMoved)
    def _cursor_moved(self) -> None:
        self._draw_details()
        table = self.table
        near = table.cursor in table.shown[-_OLDER_BELOW:]
        if near and table.sort_column == "time" and len(table.shown) > _OLDER_BELOW:
            self._load_older(quietly=True)

    @on(SortChanged)
    def _sorted(self) -> None:
        self.draw_filter()

    def _draw_details(self) -> None:
        deed, view = self.table.cursor_row, self._view
        lines: list[Sequence[Cell]] = []
        if deed is not None and view is not None:
            lines = [
                [Cell(label.ljust(_LABEL), "dim"), value] for label, value in cells.details(deed, view.names)
            ]
        self.query_one("#deed Lines", Lines).show(lines)

    # --- keys ------------------------------------------------------------------------------------

    @on(RowOpened)
    def _opened(self) -> None:
        self.action_details()

    def action_details(self) -> None:
        """A larger pane, or a smaller one again."""
        self.toggle_class("-details")

    def action_back(self) -> None:
        """The larger pane, then the filter."""
        if self.has_class("-details"):
            self.remove_class("-details")
        elif self._filter_text:
            self.set_filter("")

    def action_older(self) -> None:
        """Read more of the past; ask again if it was refused."""
        if self._view is not None and self._view.state == "refused":
            self._view.retry()
        else:
            self._load_older()

    @work(exclusive=True, group="older")
    async def _load_older(self, quietly: bool = False) -> None:
        if self._view is None:
            return
        try:
            more = await self._view.load_older()
        except PilotError as error:
            self.cockpit.flash_error(error)
        else:
            if not more and not quietly:
                self.cockpit.flash("That is all of it, or all that is kept here.", "dim")

    def action_verify(self) -> None:
        """Check the whole journal: its chain, its signatures, the receipts that were kept."""
        if self._view is not None and not self._checking:
            self._verify(self._view)

    @work(exclusive=True, group="verify")
    async def _verify(self, view: JournalView) -> None:
        hello = self.cockpit.desk.live.hello
        if hello is None:
            self.cockpit.flash("There is no link to the site.", "bad")
            return

        def progress(done: int, total: int) -> None:
            self._checking = f"checking {done} of {total}"
            self.draw_filter()

        self._checking = "checking …"
        self.draw_filter()
        try:
            found = await view.verify({hello.airboss}, self.cockpit.config.receipts, progress)
        except PilotError as error:
            self.cockpit.flash_error(error)
        else:
            lines = cells.verified_lines(found.report, found.receipts, found.contradicted, view.cluster)
            self.app.push_screen(VerifiedScreen(lines, ok=found.ok))
        finally:
            self._checking = ""
            self.draw_filter()
