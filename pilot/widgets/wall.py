"""Tiles side by side and in rows, one of them under the cursor; only what is in view is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from pilot.console.engine import Run
from pilot.records import Node
from pilot.render.table import Cell
from pilot.widgets.cell_line import Toned
from pilot.widgets.table import Place
from pilot.widgets.terminal_painter import Painter

SIZES = ((24, 4), (36, 7), (52, 11), (80, 25))
"""Columns (at least) and lines of a tile's picture, smallest first."""
GAP = 2
"""Columns between tiles."""
BAR = "▌"


class Picture(NamedTuple):
    """What a tile shows."""

    lines: Sequence[tuple[Run, ...]]
    old: bool = False
    """It is not as it is now: it is drawn dim."""


class Wall(Toned, can_focus=True):
    """Nodes as tiles. What stands in them it is told by two functions."""

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False
    COMPONENT_CLASSES = {"wall--body", "wall--bar"}
    DEFAULT_CSS = """
    Wall {
        width: 1fr;
        height: 1fr;
        padding: 0 1;
        & > .wall--body { background: $surface; }
        & > .wall--bar { color: $accent; text-style: bold; }
    }
    """
    BINDINGS = [
        Binding("enter", "open", "screen", key_display="⏎", id="wall.open"),
        Binding("left,h", "move(-1, 0)", "left", show=False, id="wall.left"),
        Binding("right,l", "move(1, 0)", "right", show=False, id="wall.right"),
        Binding("up,k", "move(0, -1)", "up", show=False, id="wall.up"),
        Binding("down,j", "move(0, 1)", "down", show=False, id="wall.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="wall.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="wall.page-down"),
        Binding("home", "end(-1)", "first", show=False, id="wall.first"),
        Binding("end", "end(1)", "last", show=False, id="wall.last"),
        Binding("space", "mark", "mark", show=False, id="wall.mark"),
        Binding("plus,equals_sign", "size(1)", "larger", key_display="+", id="wall.larger"),
        Binding("q", "close", "close", id="wall.close"),
        Binding("minus", "size(-1)", "smaller", key_display="-", id="wall.smaller"),
    ]

    class Moved(Message):
        """Cursor, marks, or what is in view are others."""

    class Opened(Message):
        """The tile under the cursor is wanted large."""

    class Closed(Message):
        """The wall is not wanted any more."""

    def __init__(
        self,
        head: Callable[[Node], tuple[Sequence[Cell], Sequence[Cell]]],
        picture: Callable[[Node, int, int], Picture],
        *,
        id: str | None = None,
    ) -> None:
        """No tiles yet.

        Args:
            head: both ends of the line over a tile.
            picture: what a tile shows in so many columns and lines.
            id: of the widget.
        """
        super().__init__(id=id)
        self.empty_text = ""
        """What is said where there are no tiles."""
        self._head = head
        self._picture = picture
        self._chosen: int | None = None
        """The size that the user chose; None: the largest with which all tiles are in view."""
        self._rows: dict[str, Node] = {}
        self._passes: Callable[[Node], bool] | None = None
        self._shown: list[str] = []
        self._marks: set[str] = set()
        self._cursor: str | None = None
        self._top = 0
        self._painter = Painter()

    # --- rows, as a table has them ---------------------------------------------------------------

    @property
    def shown(self) -> Sequence[str]:
        """Ids of the nodes that pass the filter, in order."""
        return self._shown

    @property
    def total(self) -> int:
        """How many nodes there are, hidden ones too."""
        return len(self._rows)

    @property
    def marks(self) -> frozenset[str]:
        """Ids of the marked nodes."""
        return frozenset(self._marks)

    @property
    def cursor(self) -> str | None:
        """The node under the cursor."""
        return self._cursor

    def row(self, key: str) -> Node | None:
        """A node, hidden or not."""
        return self._rows.get(key)

    def targets(self) -> list[str]:
        """What a verb acts on: the marked nodes, or the one under the cursor."""
        if self._marks:
            return [key for key in self._rows if key in self._marks]
        return [self._cursor] if self._cursor is not None else []

    def filter(self, passes: Callable[[Node], bool] | None) -> None:
        """Show the nodes that pass only. Raises what `passes` raises; then nothing has changed."""
        shown = [key for key, node in self._rows.items() if passes is None or passes(node)]
        self._passes = passes
        self._show(shown)

    def replace(self, nodes: Sequence[Node]) -> None:
        """These are the nodes from now on, in this order."""
        passes = self._passes
        shown = [node.id for node in nodes if passes is None or passes(node)]
        self._rows = {node.id: node for node in nodes}
        self._marks.intersection_update(self._rows)
        self._show(shown)

    def place(self) -> Place:
        """Where the user is."""
        return Place(self._cursor, 0, self.marks)

    def return_to(self, place: Place) -> None:
        """Back to where the user was."""
        self._marks = set(place.marks) & self._rows.keys()
        if place.cursor in self._shown:
            self._move_to(self._shown.index(place.cursor))

    def _show(self, shown: list[str]) -> None:
        at = self._at
        self._shown = shown
        if self._cursor not in shown:
            self._cursor = shown[min(at, len(shown) - 1)] if shown else None
        self._settle()

    # --- the plan of the tiles -------------------------------------------------------------------

    @property
    def _at(self) -> int:
        return self._shown.index(self._cursor) if self._cursor in self._shown else 0

    @property
    def _tile_size(self) -> int:
        if self._chosen is not None:
            return self._chosen
        return next((size for size in range(len(SIZES) - 1, 0, -1) if self._all_fit(size)), 1)

    def _all_fit(self, size: int) -> bool:
        wide, high = SIZES[size]
        across = max(1, (self.content_size.width + GAP) // (wide + GAP))
        return -(-len(self._shown) // across) * (high + 2) <= self.content_size.height + 1

    @property
    def across(self) -> int:
        """Tiles side by side."""
        wide = SIZES[self._tile_size][0]
        return max(1, (self.content_size.width + GAP) // (wide + GAP))

    @property
    def tile_width(self) -> int:
        """Columns of a tile, which fill the room."""
        return max(1, (self.content_size.width + GAP) // self.across - GAP)

    @property
    def picture_rows(self) -> int:
        """Lines of a tile's picture."""
        return max(1, min(SIZES[self._tile_size][1], self.content_size.height - 1))

    @property
    def _step(self) -> int:
        return self.picture_rows + 2

    @property
    def _down(self) -> int:
        """Rows of tiles in view, if only in part."""
        return max(1, -(-self.content_size.height // self._step))

    def in_view(self) -> list[Node]:
        """The nodes whose tiles are in view, if only in part."""
        first = self._top * self.across
        return [self._rows[key] for key in self._shown[first : first + self._down * self.across]]

    def _settle(self) -> None:
        """Keep the cursor in view."""
        row, whole = self._at // self.across, max(1, (self.content_size.height + 1) // self._step)
        last = max(0, -(-len(self._shown) // self.across) - whole)
        self._top = min(max(min(self._top, row), row - whole + 1), last)
        self.refresh()
        self.post_message(self.Moved())

    # --- keys and mouse --------------------------------------------------------------------------

    def action_move(self, across: int, down: int) -> None:
        """To a tile beside, above or below."""
        step = across + down * self.across
        if 0 <= self._at + step < len(self._shown):
            self._move_to(self._at + step)

    def action_page(self, step: int) -> None:
        """So many tiles as are in view further."""
        whole = max(1, (self.content_size.height + 1) // self._step)
        self._move_to(self._at + step * whole * self.across)

    def action_end(self, step: int) -> None:
        """To the first tile, or the last."""
        self._move_to(0 if step < 0 else len(self._shown) - 1)

    def action_mark(self) -> None:
        """Mark the tile, or no more."""
        if self._cursor is not None:
            self._marks ^= {self._cursor}
            self._settle()

    def action_size(self, step: int) -> None:
        """Larger or smaller tiles."""
        self._chosen = min(max(self._tile_size + step, 0), len(SIZES) - 1)
        self._settle()

    def action_open(self) -> None:
        """Look at one alone."""
        if self._cursor is not None:
            self.post_message(self.Opened())

    def action_close(self) -> None:
        """Leave."""
        self.post_message(self.Closed())

    def _move_to(self, at: int) -> None:
        if self._shown:
            self._cursor = self._shown[min(max(at, 0), len(self._shown) - 1)]
            self._settle()

    def on_resize(self) -> None:
        """There is other room."""
        self._settle()

    def on_click(self, event: events.Click) -> None:
        """To the tile under the mouse; twice opens it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        column = place.x // (self.tile_width + GAP)
        at = (self._top + place.y // self._step) * self.across + column
        if column < self.across and at < len(self._shown):
            self._move_to(at)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self) -> None:
        """A row of tiles further."""
        self.action_move(0, 1)

    def on_mouse_scroll_up(self) -> None:
        """A row of tiles back."""
        self.action_move(0, -1)

    # --- drawing ---------------------------------------------------------------------------------

    def draw_again(self, node_id: str) -> None:
        """A tile shows something else."""
        if node_id not in self._shown:
            return
        row, column = divmod(self._shown.index(node_id) - self._top * self.across, self.across)
        if 0 <= row < self._down:
            self.refresh(
                Region(column * (self.tile_width + GAP), row * self._step, self.tile_width, self._step)
            )

    def render_line(self, y: int) -> Strip:
        """A line through a row of tiles."""
        width, base = self.content_size.width, self.rich_style
        if not self._shown:
            text = self.abreast([Cell(self.empty_text if y == 0 else "", "dim")], (), width)
            return Strip(text.render(self.app.console)).adjust_cell_length(width).apply_style(base)
        row, line = divmod(y, self._step)
        first = (self._top + row) * self.across
        parts: list[Strip] = []
        for key in self._shown[first : first + self.across]:
            parts += [self._tile_line(key, line), Strip.blank(GAP, base)]
        return Strip.join(parts).adjust_cell_length(width, base) if parts else Strip.blank(width, base)

    def _tile_line(self, key: str, line: int) -> Strip:
        """A line of one tile: its head, its picture, and an empty one below."""
        base, width = self.rich_style, self.tile_width
        if line > self.picture_rows:
            return Strip.blank(width, base)
        node = self._rows[key]
        bar = Strip.blank(1, base)
        if key == self._cursor:
            lit = base + self.get_component_rich_style("wall--bar", partial=True)
            bar = Strip([Segment(BAR, lit)], 1)
        if line == 0:
            left, right = self._head(node)
            if key in self._marks:
                left = [Cell("✓ ", "busy"), *left]
            text = self.abreast(left, right, width - 1)
            head = Strip(text.render(self.app.console)).adjust_cell_length(width - 1).apply_style(base)
            return Strip.join([bar, head])
        ground = base + self.get_component_rich_style("wall--body", partial=True)
        self._painter.set_base(ground)
        picture = self._picture(node, width - 1, self.picture_rows)
        runs = picture.lines[line - 1] if line <= len(picture.lines) else ()
        body = self._painter.line(runs, 0, width - 1)
        if picture.old:
            body = body.apply_style(self.get_component_rich_style("tone--dim", partial=True))
        return Strip.join([bar, body])
