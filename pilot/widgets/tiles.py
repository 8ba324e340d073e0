"""Terminals side by side as tiles, typed at together: all keys are theirs until the one that releases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from pilot.console.engine import Engine
from pilot.render.table import Cell
from pilot.widgets.cell_line import Toned
from pilot.widgets.terminal_painter import Painter, Span
from pilot.widgets.terminal_view import View

GAP = 1
"""Columns between tiles."""
LEAST_WIDTH, LEAST_HEIGHT = 24, 4
"""Of a tile; where there is less room, there are more pages."""
FRAME_SECONDS = 0.05
BAR = "▌"
Head = Callable[[int], tuple[Sequence[Cell], Sequence[Cell]]]


class Tiles(Toned, can_focus=True):
    """Engines, each below a line that says what it is."""

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False
    TAKES_ALL_KEYS: ClassVar[bool] = True
    """An app gives its own priority bindings up while this has the focus."""
    COMPONENT_CLASSES = {"tiles--head", "tiles--bar"}
    DEFAULT_CSS = """
    Tiles {
        width: 1fr;
        height: 1fr;
        & > .tiles--head { background: $panel; }
        & > .tiles--bar { color: $accent; text-style: bold; }
        &:ansi > .tiles--head { background: ansi_default; text-style: underline; }
    }
    """

    class KeyTyped(Message):
        """A key for the guests."""

        def __init__(self, key: str, character: str | None) -> None:
            super().__init__()
            self.key = key
            self.character = character

    class Pasted(Message):
        """The user pasted a text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class ReleaseRequested(Message):
        """The key that gives the focus back was pressed."""

    class Moved(Message):
        """Another tile is under the cursor."""

    def __init__(self, engines: Sequence[Engine], head: Head, release_key: str) -> None:
        """Show these; `head` says both ends of the line over one of them."""
        super().__init__()
        self.cursor = 0
        """The tile that the keys of the released tab are for."""
        self.release_key = release_key
        self._head = head
        self._views = [View(engine) for engine in engines]
        self._stale: set[int] = set()
        self._painter = Painter()

    def on_mount(self) -> None:
        """Begin to draw."""
        self.set_interval(FRAME_SECONDS, self._frame)

    # --- the plan --------------------------------------------------------------------------------

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles side by side and one below the other, on a page."""
        width, height = self.content_size
        across_most = max(1, (width + GAP) // (LEAST_WIDTH + GAP))
        down_most = max(1, height // LEAST_HEIGHT)
        count = len(self._views)
        across = math.isqrt(max(count - 1, 0)) + 1
        if count == 2 and width < 2 * 60:
            across = 1
        across = min(across, across_most)
        return across, max(1, min(-(-count // across), down_most))

    @property
    def pages(self) -> int:
        """How many pages there are."""
        across, down = self.grid
        return max(1, -(-len(self._views) // (across * down)))

    @property
    def page(self) -> int:
        """The page in view, from 0: the one with the cursor."""
        across, down = self.grid
        return self.cursor // (across * down)

    def _place(self, index: int) -> Region | None:
        """Where a tile is; None if it is on another page."""
        across, down = self.grid
        at = index - self.page * across * down
        if not 0 <= at < across * down:
            return None
        row, column = divmod(at, across)
        width, height = self.content_size
        left, right = ((width + GAP) * (column + step) // across for step in (0, 1))
        top, bottom = (height * (row + step) // down for step in (0, 1))
        return Region(left, top, max(1, right - left - GAP), max(1, bottom - top))

    def move_to(self, index: int) -> None:
        """Put the cursor on a tile."""
        index = min(max(index, 0), len(self._views) - 1)
        if index != self.cursor:
            self.cursor = index
            self.refresh()
            self.post_message(self.Moved())

    def move(self, across: int, down: int) -> None:
        """To a tile beside, above or below, if there is one."""
        index = self.cursor + across + down * self.grid[0]
        if 0 <= index < len(self._views):
            self.move_to(index)

    def turn(self, pages: int) -> None:
        """To another page."""
        across, down = self.grid
        self.move_to((min(max(self.page + pages, 0), self.pages - 1)) * across * down)

    # --- keys and mouse --------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        """Give the key to the guests: nobody else gets it."""
        event.stop()
        event.prevent_default()
        if event.key == self.release_key:
            self.post_message(self.ReleaseRequested())
        else:
            self.post_message(self.KeyTyped(event.key, event.character))

    async def on_paste(self, event: events.Paste) -> None:
        """Tell of a paste."""
        event.stop()
        event.prevent_default()
        if event.text:
            self.post_message(self.Pasted(event.text))

    def on_click(self, event: events.Click) -> None:
        """To the tile under the mouse."""
        place = event.get_content_offset(self)
        if place is None:
            return
        for index in range(len(self._views)):
            region = self._place(index)
            if region is not None and region.contains_point((place.x, place.y)):
                self.move_to(index)
                return

    def on_focus(self) -> None:
        """Cursors are drawn otherwise."""
        self.refresh()

    def on_blur(self) -> None:
        """Cursors are drawn otherwise."""
        self.refresh()

    # --- drawing ---------------------------------------------------------------------------------

    def draw_again(self, index: int) -> None:
        """A tile shows something else: draw it with the next frame."""
        self._stale.add(index)

    def _frame(self) -> None:
        if not self._stale or not self.screen.is_current:
            return
        regions = [region for index in self._stale if (region := self._place(index)) is not None]
        self._stale.clear()
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of the tiles."""
        self._painter.set_base(self.rich_style)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """A line through a row of tiles."""
        base, width = self.rich_style, self.content_size.width
        parts: list[Strip] = []
        done = 0
        for index in range(len(self._views)):
            region = self._place(index)
            if region is None or not region.y <= y < region.bottom:
                continue
            parts += [Strip.blank(region.x - done, base), self._tile_line(index, region, y - region.y)]
            done = region.right
        return Strip.join(parts).adjust_cell_length(width, base) if parts else Strip.blank(width, base)

    def _tile_line(self, index: int, region: Region, line: int) -> Strip:
        base, width = self.rich_style, region.width - 1
        bar = Strip.blank(1, base)
        if index == self.cursor:
            lit = base + self.get_component_rich_style("tiles--bar", partial=True)
            bar = Strip([Segment(BAR, lit)], 1)
        if line == 0:
            ground = base + self.get_component_rich_style("tiles--head", partial=True)
            text = self.abreast(*self._head(index), width - 1)
            head = Strip(text.render(self.app.console)).adjust_cell_length(width).apply_style(ground)
            return Strip.join([bar, head])
        view = self._views[index]
        view.width, view.height = width, region.height - 1
        engine = view.engine
        number = view.line_at(line - 1 + view.margin[1])
        if number is None or line - 1 >= view.height:
            return Strip.join([bar, Strip.blank(width, base)])
        body = self._painter.line(engine.line(number), view.left, width, self._cursor_of(engine, number))
        return Strip.join([bar, body.adjust_cell_length(width, base)])

    def _cursor_of(self, engine: Engine, number: int) -> list[Span]:
        cursor = engine.cursor
        if not cursor.visible or number != engine.history + cursor.row:
            return []
        column = min(cursor.column, engine.columns - 1)
        return [Span(column, column + 1, "cursor" if self.has_focus else "place")]
