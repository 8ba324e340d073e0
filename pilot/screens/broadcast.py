"""A broadcast: one types at several consoles at once, until `Ctrl+]`; then keys choose who takes part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual import on
from textual.binding import Binding

from pilot.live.cockpit import Cockpit, Desk
from pilot.records import Node
from pilot.render.table import Cell
from pilot.screens import acting
from pilot.screens.answers import AnswersScreen
from pilot.screens.guest_tab import GuestTab
from pilot.screens.tiles_pane import TilesPane
from pilot.widgets.tiles import Tiles


class BroadcastScreen(GuestTab):
    """One tab of tiles."""

    CSS_PATH = ["base.tcss", "guest_tab.tcss"]
    GLYPH = "⋈"
    AREA = "broadcast"
    WORDS = (
        ("space choose", ""),
        ("⏎ zoom", ""),
        ("d differences", "diff"),
        ("q close", ""),
    )
    BINDINGS = [
        Binding("i", "type", "type", id="broadcast.type"),
        Binding("space", "choose", "type here or not", id="broadcast.choose"),
        Binding("a", "choose_all", "type to all", id="broadcast.all"),
        Binding("enter", "zoom", "console", key_display="⏎", id="broadcast.zoom"),
        Binding("d", "diff", "differences", id="broadcast.diff"),
        Binding("t", "take", "take keyboard", id="broadcast.take"),
        Binding("J", "join", "type too", id="broadcast.join"),
        Binding("r", "again", "try again", id="broadcast.again"),
        Binding("x", "cancel_paste", "stop paste", id="broadcast.cancel-paste"),
        Binding("left,h", "move(-1, 0)", "left", show=False, id="broadcast.left"),
        Binding("right,l", "move(1, 0)", "right", show=False, id="broadcast.right"),
        Binding("up,k", "move(0, -1)", "up", show=False, id="broadcast.up"),
        Binding("down,j", "move(0, 1)", "down", show=False, id="broadcast.down"),
        Binding("pageup", "turn(-1)", "page before", show=False, id="broadcast.page-up"),
        Binding("pagedown", "turn(1)", "next page", show=False, id="broadcast.page-down"),
        Binding("q", "close", "close", id="broadcast.close"),
        Binding("escape", "back", "to the nodes", show=False, id="broadcast.back"),
        Binding("ctrl+right_square_bracket", "literal", "send Ctrl+]", show=False, id="broadcast.literal"),
    ]

    def __init__(
        self, cockpit: Cockpit, desk: Desk, mode: str, nodes: Sequence[Node], turns: asyncio.Lock
    ) -> None:
        """The tab of this mode, for the consoles of these nodes."""
        super().__init__(cockpit, desk, mode)
        self.pane = TilesPane(cockpit, desk, nodes, turns, self._pane_changed)
        self.panes = [self.pane]
        self.active = self.pane

    def _pane_changed(self) -> None:
        if self.is_current:
            self.draw_line()
        self.tell_news()

    def show_node(self, desk: Desk, node: Node) -> bool:
        """A node's console has a tab of its own."""
        return False

    def quietly(self) -> Sequence[Cell]:
        """Who answered differently."""
        words = self.pane.differ_words()
        return [Cell(words, "bad")] if words else ()

    @on(Tiles.ReleaseRequested)
    def _released(self, event: Tiles.ReleaseRequested) -> None:
        event.stop()
        self.release()

    @on(Tiles.Moved)
    def _moved(self, event: Tiles.Moved) -> None:
        event.stop()
        self.draw_line()

    # --- keys ------------------------------------------------------------------------------------

    def action_move(self, across: int, down: int) -> None:
        """To a tile beside, above or below."""
        self.pane.tiles.move(across, down)

    def action_turn(self, pages: int) -> None:
        """To another page of tiles."""
        self.pane.tiles.turn(pages)

    def action_choose(self) -> None:
        """Type at this one, too, or no more."""
        member = self.pane.member
        self.pane.broadcast.choose(member, not member.chosen)

    def action_choose_all(self) -> None:
        """Type at all again."""
        for member in self.pane.broadcast.members:
            self.pane.broadcast.choose(member, True)

    def action_zoom(self) -> None:
        """This console's own tab; one types there, too."""
        self.post_message(acting.ConsolesWanted((self.pane.node,), "join"))

    def action_diff(self) -> None:
        """What the one under the cursor answered beside what most did; else the first that differs."""
        broadcast = self.pane.broadcast
        common, answers = broadcast.usual(), broadcast.answers()
        differing = [one for one in broadcast.members if one.session.node in broadcast.differing]
        if common is None or not differing:
            return
        member = self.pane.member if self.pane.member in differing else differing[0]
        answer = answers.get(member.session.node, ())
        self.app.push_screen(AnswersScreen(member.session.name, common, answer))

    def action_take(self) -> None:
        """The keyboard of this one, for you alone."""
        self.pane.member.session.take()

    def action_join(self) -> None:
        """Type at this one beside those who do."""
        self.pane.member.session.join()

    def action_again(self) -> None:
        """Open this one again, now."""
        self.pane.member.session.retry()

    def action_cancel_paste(self) -> None:
        """No more of what is being pasted."""
        self.pane.broadcast.cancel_paste()
