"""A recording of airboss's in a tab: it is got, held against the journal, and played."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from textual import on, work
from textual.binding import Binding
from textual.containers import Container
from textual.widget import Widget

from pilot.console.bittty_engine import BitttyEngine
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.live.playing import Player, look_through
from pilot.live.recording_list import RecordingList
from pilot.live.recordings import Checked, checked, fetch
from pilot.render import recordings as cells
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.base import PilotScreen, TabChosen
from pilot.screens.player_pane import PlayerPane
from pilot.screens.recordings import MODE as LIST
from pilot.widgets.cell_line import CellLine
from pilot.widgets.prompt import Prompt
from pilot.wire import Recording, plain


class PlayerScreen(PilotScreen):
    """One tab."""

    AUTO_FOCUS = ""
    CSS_PATH = ["base.tcss", "player.tcss"]
    BINDINGS = [
        Binding("r", "again", "try again", id="player.again"),
        Binding("q", "close", "close", id="player.close"),
        Binding("escape", "back", "back", show=False, id="player.leave"),
    ]

    def __init__(self, cockpit: Cockpit, desk: Desk, mode: str, wanted: Recording | str) -> None:
        """`wanted`: the recording; or what `:play` was told, its id or a node's name."""
        super().__init__(cockpit)
        self.MODE = mode
        self.desk = desk
        self._scope = desk.scope
        self.wanted = wanted
        self._recording = wanted if isinstance(wanted, Recording) else None
        self._checked: Checked | None = None
        self._doing: Cell | None = None
        """What is going on, or why nothing is."""
        self._file: BinaryIO | None = None
        self.pane: PlayerPane | None = None

    def body(self) -> Iterable[Widget]:
        """A line that says what it is, and what plays below it."""
        yield CellLine(id="recording")
        yield Container(id="player")

    def on_mount(self) -> None:
        """Get it."""
        self.name_tab()
        self.action_again()

    def on_unmount(self) -> None:
        """It is needed no more."""
        if self._file is not None:
            self._file.close()

    def name_tab(self) -> None:
        """Say in the tab strip what is here."""
        name = self._recording.name if self._recording is not None else str(self.wanted)
        self.cockpit.open_tab(Opened(self.MODE, f"▸ {plain(name, 40)}"))

    def crumbs(self) -> Sequence[Cell]:
        """Where one is."""
        return [Cell("recordings › player", "dim")]

    def focus_body(self) -> None:
        """Keys are the player's."""
        if self.pane is not None:
            self.pane.focus()

    def on_screen_suspend(self) -> None:
        """Not shown, or below a dialog: it stands still."""
        if self.pane is not None:
            self.pane.shown(False)

    def on_screen_resume(self) -> None:
        """Shown again."""
        self.cockpit.sites.switch(self.desk.live.site.name)
        if self.pane is not None:
            self.pane.shown(True)

    # --- getting it ------------------------------------------------------------------------------

    @work(exclusive=True, group="getting")
    async def _get(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is played from
        try:
            player = await self._opened(file)
        except (PilotError, OSError) as error:
            file.close()
            words = error.message if isinstance(error, PilotError) else f"it cannot be kept: {error.strerror}"
            self._say(Cell(words, "bad"))
            self.refresh_bindings()
            return
        except BaseException:
            file.close()
            raise
        self._file = file
        self._say(None)
        self.pane = PlayerPane(player, lambda words: self.cockpit.flash(words, "dim", 6))
        await self.query_one("#player").mount(self.pane)
        self.refresh_bindings()
        if self.is_current:
            self.pane.focus()
        else:
            self.pane.shown(False)

    async def _opened(self, file: BinaryIO) -> Player:
        """A player of the recording.

        Raises:
            PilotError: there is none, or it cannot be got.
            OSError: it cannot be kept here.
        """
        live = self.desk.live
        self._say(Cell("asking for it …", "busy"))
        recording = self._recording or await RecordingList(live).find(self._scope, str(self.wanted))

        def progress(done: int, total: int) -> None:
            self._say(Cell(f"getting it: {cells.size(done)} of {cells.size(total)}", "busy"))

        self._recording = await fetch(live, recording.id, recording.cluster, file, progress)
        self.name_tab()
        self._say(Cell("looking into the journal …", "busy"))
        self._checked = await checked(live, self._recording, file)
        contents = await asyncio.to_thread(look_through, file)
        engine = BitttyEngine(
            contents.header.columns, contents.header.rows, scrollback=self.cockpit.settings.scrollback
        )
        return Player(file, contents, engine)

    def _say(self, doing: Cell | None) -> None:
        self._doing = doing
        self._draw()

    def show_frame(self) -> None:
        """Title, tabs, flash, and what it is."""
        super().show_frame()
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        one, left, right = self._recording, [Cell("▸ ", "dim")], list[Cell]()
        left.append(Cell(cells.headline(one) if one is not None else str(self.wanted), "strong"))
        if self._doing is not None:
            left += [Cell(" · ", "dim"), self._doing]
        elif one is not None and self._checked is not None:
            right.append(cells.checked_cell(one, *self._checked))
        self.query_one("#recording", CellLine).show(left, right)

    # --- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now has no key."""
        if action == "again":
            return self.pane is None and self._doing is not None and self._doing.tone == "bad"
        return super().check_action(action, parameters)

    def action_again(self) -> None:
        """Try to get it."""
        self._get()

    @on(Prompt.Submitted)
    def _asked(self, event: Prompt.Submitted) -> None:
        if event.sign == "/" and self.pane is not None:
            self.pane.search(event.text)

    def action_close(self) -> None:
        """Close the tab."""
        self.post_message(acting.TabClosed(self.MODE))

    def action_back(self) -> None:
        """To the list, if it is open; else to the nodes."""
        opened = any(tab.mode == LIST for tab in self.cockpit.opened)
        self.post_message(TabChosen(LIST if opened else "nodes"))
