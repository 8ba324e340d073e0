"""Lines of toned cells; and a list of them with a cursor that stays on its line's key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from pilot.render.table import Cell
from pilot.widgets.cell_line import Toned


class Row(NamedTuple):
    """A line of a list: what is cut if it is too long, and what is not."""

    key: int
    left: Sequence[Cell]
    right: Sequence[Cell] = ()


class Lines(Toned):
    """As high as its lines are many; to be put in something that scrolls. Only what is seen is drawn."""

    DEFAULT_CSS = "Lines { height: auto; width: 1fr; padding: 0 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: tuple[Row, ...] = ()

    def show(self, lines: Sequence[Sequence[Cell]]) -> None:
        """Show these from now on."""
        self.show_rows([Row(number, line) for number, line in enumerate(lines)])

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these from now on."""
        grown, self._rows = len(rows) != len(self._rows), tuple(rows)
        self.refresh(layout=grown)

    @property
    def shown(self) -> list[str]:
        """All of the text, line by line, for tests and screen readers."""
        return ["".join(cell.text for cell in (*row.left, *row.right)) for row in self._rows]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A row each."""
        return max(1, len(self._rows))

    def render_line(self, y: int) -> Strip:
        """One line."""
        width, base = self.content_size.width, self.rich_style
        if y >= len(self._rows):
            return Strip.blank(width, base)
        text = self.abreast(self._rows[y].left, self._rows[y].right, width)
        strip = Strip(text.render(self.app.console)).adjust_cell_length(width)
        return strip.apply_style(base + self.row_style(y))

    def row_style(self, _y: int) -> Style:
        """What is laid under a row."""
        return Style.null()


class LineList(Lines, can_focus=True):
    """Lines with a cursor."""

    COMPONENT_CLASSES = {"lines--cursor"}
    DEFAULT_CSS = """
    LineList {
        & > .lines--cursor { background: $foreground 8%; }
        &:focus > .lines--cursor, &.-chosen > .lines--cursor { background: $foreground 14%; }
        &:ansi > .lines--cursor { background: ansi_default; text-style: bold; }
        &:ansi:focus > .lines--cursor, &:ansi.-chosen > .lines--cursor { text-style: reverse; }
    }
    """
    BINDINGS = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "move(-10)", "page up", show=False),
        Binding("pagedown", "move(10)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]

    cursor: reactive[int | None] = reactive(None)
    """Key of the line that the cursor is on; None if there is no line."""

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, lines: LineList, key: int | None) -> None:
            super().__init__()
            self.lines = lines
            self.key = key

        @property
        def control(self) -> LineList:
            """Whose cursor."""
            return self.lines

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these. The cursor stays on its line; on the first one it stays first, as new lines come."""
        before = self._position
        super().show_rows(rows)
        if not rows:
            self.cursor = None
        elif not before or self._position is None:
            self.cursor = rows[min(before or 0, len(rows) - 1)].key
        else:
            self.call_after_refresh(self._follow)

    @property
    def _position(self) -> int | None:
        return next((i for i, row in enumerate(self._rows) if row.key == self.cursor), None)

    def row_style(self, y: int) -> Style:
        """The cursor's line is marked."""
        if self._rows[y].key == self.cursor:
            return self.get_component_rich_style("lines--cursor")
        return Style.null()

    def watch_cursor(self, key: int | None) -> None:
        """The cursor has moved."""
        self.post_message(self.Moved(self, key))
        self.refresh()
        self.call_after_refresh(self._follow)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        if self._rows:
            position = (self._position or 0) + by
            self.cursor = self._rows[min(max(position, 0), len(self._rows) - 1)].key

    def on_click(self, event: events.Click) -> None:
        """To the line that was clicked."""
        offset = event.get_content_offset(self)
        if offset is not None and 0 <= offset.y < len(self._rows):
            self.cursor = self._rows[offset.y].key

    def _follow(self) -> None:
        position = self._position
        if position is not None and isinstance(self.parent, Widget):
            self.parent.scroll_to_region(Region(0, position, 1, 1), animate=False)
