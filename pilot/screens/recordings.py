"""The recordings of consoles: which there are; one is played in a tab, saved to a file, or ended."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from textual import on, work
from textual.binding import Binding
from textual.widget import Widget

from pilot import filtering
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.live.recording_files import keep
from pilot.live.recording_list import RecordingList
from pilot.live.recordings import checked, fetch
from pilot.records import Node
from pilot.render import recordings as cells
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.base import TabChosen
from pilot.screens.filtered import FilteredScreen
from pilot.verbs import BY_ID
from pilot.widgets.cell_line import CellLine
from pilot.widgets.table import CursorMoved, RowOpened, TableColumn, VirtualTable
from pilot.wire import Recording, plain

MODE = "recordings"
AGAIN_SECONDS = 10.0
"""Between two looks while it is shown."""


class RecordingTable(VirtualTable[Recording]):
    """The table, with what its key does here."""

    BINDINGS = [Binding("enter", "table_open", "play", key_display="⏎", id="table.open")]


class RecordingsScreen(FilteredScreen):
    """A tab of its own."""

    MODE = MODE
    CSS_PATH = ["base.tcss", "recordings.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="recordings.filter"),
        Binding("w", "save", "save file", id="recordings.save"),
        Binding("e", "stop", "end it", id="recordings.stop"),
        Binding("r", "anew", "look anew", show=False, id="recordings.anew"),
        Binding("q", "close", "close", id="recordings.close"),
        Binding("escape", "back", "back", show=False, id="recordings.back"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__(cockpit)
        self._desk: Desk | None = None
        self._scope = ""
        self._list: RecordingList | None = None
        self._looked = float("-inf")
        self._unfollow: Callable[[], None] = lambda: None
        self._shown: dict[str, Recording] = {}
        self._saving = ""

    def named(self) -> Opened:
        """What the tab says."""
        return Opened(MODE, "◉ recordings")

    def body(self) -> Iterable[Widget]:
        """Filter line and table."""
        yield CellLine(id="recordings-filter")
        yield RecordingTable(
            _COLUMNS,
            lambda one: one.id,
            sort="began",
            reverse=True,
            clock=self.cockpit.clock,
            id="recordings",
        )
        yield CellLine(id="recording")

    @property
    def table(self) -> VirtualTable[Recording]:
        """The table."""
        return self.query_one("#recordings", VirtualTable)

    def on_mount(self) -> None:
        """Look at once."""
        self.table.focus()
        self._look()

    def on_unmount(self) -> None:
        """Follow no more."""
        self._unfollow()

    def crumbs(self) -> Sequence[Cell]:
        """Whose they are."""
        return [Cell(f"recordings › {self._scope or 'all'}", "dim")]

    def targets(self) -> Sequence[Node]:
        """The nodes of the recordings that are marked, or of the one under the cursor."""
        records = self.cockpit.desk.live.store.records
        rows = (self.table.row(key) for key in self.table.targets())
        nodes = {one.node: records.get(one.node) for one in rows if one is not None}
        return [node for node in nodes.values() if isinstance(node, Node)]

    # --- following -------------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, flash; another site or scope; now and then, what is new."""
        super().show_frame()
        if self.is_mounted:
            self._look()

    def _look(self) -> None:
        desk = self.cockpit.desk
        if desk is not self._desk or desk.scope != self._scope:
            if desk is not self._desk:
                self._unfollow()
                self._list = RecordingList(desk.live)
                self._unfollow = self._list.changed.listen(self._soon)
            self._desk, self._scope = desk, desk.scope
            self._looked, self._shown = float("-inf"), {}
            self.table.replace(())
        now = self.cockpit.monotonic()
        if self.is_current and desk.live.state == "live" and now - self._looked >= AGAIN_SECONDS:
            self._looked = now
            self._read()
        self._draw()

    @work(exclusive=True, group="recordings")
    async def _read(self) -> None:
        if self._list is not None:
            await self._list.look(self._scope)

    def _soon(self) -> None:
        self.call_later(self._redraw)

    def _redraw(self) -> None:
        if not self.is_mounted or self._list is None:
            return
        now = {one.id: one for one in self._list.recordings}
        changed = {key: one for key, one in now.items() if self._shown.get(key) != one}
        gone = [key for key in self._shown if key not in now]
        self._shown = now
        table = self.table
        table.apply(changed, gone)
        # At once: the line above the table counts its rows.
        table.settle()
        table.refresh()
        self._draw()

    def _draw(self) -> None:
        listed, live = self._list, self.cockpit.desk.live
        if listed is not None and listed.error is not None:
            self.table.empty_text = f"{listed.error.message}. {listed.error.hint}"
        elif live.state != "live" or listed is None or not listed.read:
            self.table.empty_text = "Looking …" if live.state == "live" else "There is no link to the site."
        else:
            self.table.empty_text = "Nothing was recorded yet: o on a node, or at its console, begins."
        self.draw_filter()
        self._draw_detail()

    @on(CursorMoved)
    def _draw_detail(self) -> None:
        one = self.table.cursor_row
        said: list[Cell] = []
        if one is not None:
            said = [Cell(cells.headline(one)), Cell(f"   {one.id}", "dim")]
        self.query_one("#recording", CellLine).show(
            said, [Cell(self._saving, "busy")] if self._saving else ()
        )
        self.refresh_bindings()

    def draw_filter(self) -> None:
        """The filter, and how many pass it."""
        shown, total = len(self.table.shown), self.table.total
        left = [Cell("/ ", "dim"), Cell(self.filter_text)] if self.filter_text else [Cell("")]
        counts = f"{shown} of {total}" if shown != total else f"{total}"
        going = sum(not one.ended for one in self._list.recordings) if self._list is not None else 0
        right = [Cell(f"{counts} recording{'s' if total != 1 else ''}", "dim")]
        if going:
            right.append(Cell(f", ◉ {going} go{'es' if going == 1 else ''} on", "bad"))
        self.query_one("#recordings-filter", CellLine).show(left, right)

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Recording], bool]]:
        """Over what is known of recordings."""
        parsed = filtering.parse(text, cells.RECORDING_FIELDS)
        return parsed, lambda one: parsed.matches(cells.RecordingHaystack(one))

    # --- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        if action == "stop":
            one = self.table.cursor_row if self.is_mounted else None
            return one is not None and not one.ended and not self.cockpit.readonly
        return super().check_action(action, parameters)

    @on(RowOpened)
    def action_play(self) -> None:
        """Play the one under the cursor, in its own tab."""
        if (one := self.table.cursor_row) is not None:
            self.post_message(acting.RecordingWanted(one))

    def action_stop(self) -> None:
        """End the recordings that are marked, or the one under the cursor."""
        nodes = [node for node in self.targets() if node.recorded]
        self.post_message(acting.VerbChosen(BY_ID["record.stop"], nodes))
        self._looked = float("-inf")

    def action_anew(self) -> None:
        """Ask airboss now."""
        self._looked = float("-inf")
        self._look()

    def action_save(self) -> None:
        """Save it as a file, in the folder that pilot was started in."""
        one = self.table.cursor_row
        if one is not None and self._desk is not None:
            self._save(self._desk, one, Path(cells.file_name(one)).absolute())

    @work(exclusive=True, group="saving")
    async def _save(self, desk: Desk, recording: Recording, path: Path) -> None:
        def progress(done: int, total: int) -> None:
            self._saving = f"saving: {cells.size(done)} of {cells.size(total)}"
            self._draw_detail()

        try:
            with tempfile.TemporaryFile() as file:
                recording = await fetch(desk.live, recording.id, recording.cluster, file, progress)
                found = await checked(desk.live, recording, file)
                await asyncio.to_thread(keep, file, path)
        except OSError as error:
            self.cockpit.flash(f"{path} cannot be written: {error.strerror or error}", "bad")
        except PilotError as error:
            self.cockpit.flash_error(error)
        else:
            said = cells.checked_cell(recording, *found)
            self.cockpit.flash(f"{plain(said.text)}; saved: {path}", said.tone, 20)
        finally:
            self._saving = ""
            if self.is_mounted:
                self._draw_detail()

    def action_back(self) -> None:
        """Clear the filter; then to the nodes."""
        if self.filter_text:
            self.try_filter("")
        else:
            self.post_message(TabChosen("nodes"))

    def action_close(self) -> None:
        """Close the tab."""
        self.post_message(acting.TabClosed(MODE))


def _column(
    key: str, cell: Callable[[Recording], Cell], sort: Callable[[Recording], Any], width: int, **more: Any
) -> TableColumn[Recording]:
    return TableColumn(key, key.upper(), lambda one, _: cell(one), sort, width, **more)


_COLUMNS = [
    _column("began", cells.began_cell, lambda one: one.started, 16),
    _column("node", lambda one: Cell(one.name, "strong"), lambda one: one.name, 12, weight=1, widest=30),
    _column("who", cells.by_cell, lambda one: one.principal, 8, weight=1, widest=24, priority=1),
    TableColumn[Recording](
        "lasted",
        "LASTED",
        cells.lasted_cell,
        lambda one: one.ended - one.started if one.ended else 2.0**40,
        8,
        right=True,
        timed=True,
        flashes=False,
    ),
    _column("size", lambda one: Cell(cells.size(one.size)), lambda one: one.size, 7, right=True),
    _column("ended", cells.ended_cell, lambda one: cells.ended_cell(one).text, 14, weight=3),
    _column("cluster", lambda one: Cell(one.cluster, "dim"), lambda one: one.cluster, 8, priority=2),
]
