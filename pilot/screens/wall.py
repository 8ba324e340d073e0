"""The wall: the screens of many nodes as tiles, each with its age; only those in view are followed."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import on
from textual.binding import Binding
from textual.widget import Widget

from pilot import filtering, wire
from pilot.console.engine import Look, Run
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit, Desk, Opened
from pilot.live.wall import Wall as Followed
from pilot.live.wall_tile import Tile, source
from pilot.records import Node
from pilot.render.node_search import NODE_FIELDS, NodeHaystacks
from pilot.render.nothing import no_nodes
from pilot.render.table import Cell
from pilot.screens import acting, node_columns
from pilot.screens.base import TabChosen
from pilot.screens.node_keys import NodeKeys
from pilot.vnc import thumbnail as render
from pilot.vnc.renderer import View
from pilot.vnc.text import Fonts
from pilot.widgets.cell_line import CellLine
from pilot.widgets.wall import Picture, Wall

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream

MODE = "wall"
DRAW_SECONDS = 0.05
"""Between two moments in which tiles are drawn."""
DRAW_BUDGET = 0.02
"""Seconds of them that drawing may take: keys are taken in between."""
_DIM = Look(dim=True)


class WallScreen(NodeKeys):
    """A tab of its own; with this module comes numpy: import it when the wall is wanted first."""

    MODE = MODE
    CSS_PATH = ["base.tcss"]
    BINDINGS = [
        Binding("slash", "filter", "filter", key_display="/", id="nodes.filter"),
        Binding("escape", "back", "back", show=False, id="nodes.back"),
        Binding("r", "anew", "look anew", show=False, id="wall.anew"),
    ]

    def __init__(self, cockpit: Cockpit, only: frozenset[str] = frozenset(), filter_text: str = "") -> None:
        """Of all nodes of the scope, or `only` of these; narrowed by a filter at first."""
        super().__init__(cockpit)
        self.only = only
        self._first_filter = filter_text
        self._haystacks = NodeHaystacks()
        self._desk: Desk | None = None
        self._followed: Followed | None = None
        self._known: tuple[Node, ...] = ()
        self._fonts = Fonts.built_in()
        threading.Thread(target=self._fonts.search, name="fonts", daemon=True).start()

    def body(self) -> Iterable[Widget]:
        """Filter line and tiles."""
        yield CellLine(id="filter")
        yield Wall(self._head, self._picture, id="wall")

    @property
    def table(self) -> Wall:
        """The tiles."""
        return self.query_one("#wall", Wall)

    def on_mount(self) -> None:
        """Show what is known, and follow it."""
        self.table.focus()
        self.set_interval(DRAW_SECONDS, self._draw)
        self._look()
        if self._first_filter:
            self.try_filter(self._first_filter)

    def on_unmount(self) -> None:
        """Follow none."""
        if self._followed is not None:
            self._followed.look(())

    def on_screen_suspend(self) -> None:
        """Not shown: nothing is asked."""
        if self._followed is not None:
            self._followed.look(())

    def on_screen_resume(self) -> None:
        """Shown again."""
        if self.is_mounted:
            self._look()

    def crumbs(self) -> Sequence[Cell]:
        """What is shown of what."""
        return [Cell(f"wall › {self.cockpit.desk.scope or 'all'}", "dim")]

    def named(self) -> Opened:
        """What the tab says."""
        return Opened(MODE, f"▦ {len(self.only)} nodes" if self.only else "▦ wall")

    def show_only(self, only: frozenset[str], filter_text: str) -> None:
        """Show these from now on; all if there are none."""
        self.only = only
        self._known = ()
        self.cockpit.open_tab(self.named())
        if self.is_mounted:
            self._look()
            self.try_filter(filter_text)

    # --- following -------------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Title, tabs, flash; nodes that have changed; ages."""
        super().show_frame()
        if self.is_mounted:
            self._look()
            self.table.refresh()

    def _look(self) -> None:
        desk = self.cockpit.desk
        if desk is not self._desk:
            self._turn_to(desk)
        nodes = (node for node in desk.nodes() if not self.only or node.id in self.only)
        known = tuple(sorted(nodes, key=node_columns.tie))
        table = self.table
        table.empty_text = no_nodes(desk.live, desk.scope)
        if known != self._known:
            self._known = known
            self._haystacks = NodeHaystacks()
            try:
                table.replace(known)
            except PilotError as error:
                self.set_filter("")
                self.cockpit.flash_error(error)
            if desk.live.store.complete and self._followed is not None:
                self._followed.forget()
        self.draw_filter()
        self._follow()

    def _turn_to(self, desk: Desk) -> None:
        """Another site."""
        if self._followed is not None:
            self._followed.look(())
        live = desk.live

        def node_of(node_id: str) -> Node | None:
            record = live.store.records.get(node_id)
            return record if isinstance(record, Node) else None

        async def screen(node_id: str, cluster: str) -> ScreenStream:
            return await live.screen(node_id, cluster, "watch")

        def log(node_id: str, cluster: str, last: int) -> AsyncIterator[wire.LogPage]:
            return live.log(node_id, cluster, last=last)

        self._desk = desk
        self._followed = Followed(node_of, screen, live.tail, log, clock=self.cockpit.clock)

    @on(Wall.Moved)
    def _follow(self) -> None:
        """Follow what is in view, while it is."""
        if self._followed is not None:
            seen = self.is_current and self.cockpit.desk.live.state == "live"
            self._followed.look(self.table.in_view() if seen else ())
            self.refresh_bindings()

    # --- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw tiles that have changed, as many as there is time for."""
        if not self.is_current or self._followed is None:
            return
        table, until = self.table, self.cockpit.monotonic() + DRAW_BUDGET
        view = View(table.tile_width - 1, table.picture_rows)
        for node in table.in_view():
            tile = self._followed.tile(node)
            if tile.stale:
                tile.draw(self._fonts, view)
                table.draw_again(node.id)
                if self.cockpit.monotonic() > until:
                    return

    def _tile(self, node: Node) -> Tile:
        assert self._followed is not None
        return self._followed.tile(node)

    def _head(self, node: Node) -> tuple[Sequence[Cell], Sequence[Cell]]:
        tile = self._tile(node)
        age = render.age_cell(node, tile.live, tile.updated, self.cockpit.clock())
        return [Cell(node.name or node.domain, "strong")], [age]

    def _picture(self, node: Node, _columns: int, rows: int) -> Picture:
        tile = self._tile(node)
        old = not tile.live
        if tile.drawn is not None:
            frame = tile.drawn.frame
            lines = render.shrunk(frame, rows) if tile.drawn.kind == "text" else list(frame.lines[:rows])
            if lines:
                return Picture(lines, old)
        if tile.words:
            return Picture([(Run(words, Look()),) for words in tile.words[-rows:]], old)
        said = tile.why or {
            "none": "no screen, no serial console",
            "words": "it said nothing that was kept",
        }.get(source(node), "" if tile.live else "…")
        return Picture([(Run(said, _DIM),)])

    # --- filter and keys -------------------------------------------------------------------------

    def draw_filter(self) -> None:
        """The filter, and how many nodes pass it."""
        shown, total, marked = len(self.table.shown), self.table.total, len(self.table.marks)
        left = [Cell("/ ", "dim"), Cell(self._filter_text)] if self._filter_text else [Cell("")]
        counts = f"{shown} of {total}" if shown != total else f"{total}"
        right = [Cell(f"{counts} node{'s' if total != 1 else ''}", "dim")]
        if marked:
            right.append(Cell(f", {marked} marked", "busy"))
        self.query_one("#filter", CellLine).show(left, right)

    def parse_filter(self, text: str) -> tuple[filtering.Filter, Callable[[Node], bool]]:
        """Over what is known of nodes."""
        parsed = filtering.parse(text, NODE_FIELDS)
        return parsed, lambda node: parsed.matches(self._haystacks.of(node))

    @on(Wall.Opened)
    def _opened(self) -> None:
        """Zoom in: the screen's tab, or the console's of a node without one."""
        node = self.table.row(self.table.cursor or "")
        if node is None:
            return
        if source(node) in ("screen", "none") and node.screen:
            self.post_message(acting.ScreensWanted((node,)))
        else:
            self.post_message(acting.ConsolesWanted((node,)))

    def action_back(self) -> None:
        """Clear the filter; then to the nodes."""
        if self._filter_text:
            with suppress(PilotError):
                self.set_filter("")
        else:
            self.post_message(TabChosen("nodes"))

    def action_anew(self) -> None:
        """Look at all that are in view anew, without waiting for their turns."""
        if self._followed is not None:
            self._followed.hurry()

    @on(Wall.Closed)
    def _wall_left(self) -> None:
        """Leave the wall, and its tab."""
        self.post_message(acting.TabClosed(MODE))
