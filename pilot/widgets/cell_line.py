"""One line of toned cells, some at the left, some at the right: title, flash and status lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from pilot.render.palette import Tone
from pilot.render.table import Cell, width
from pilot.wire import plain

_TONES: tuple[Tone, ...] = ("good", "busy", "bad", "dim", "strong")


class Toned(Widget):
    """A widget that draws tones in the theme's colours."""

    COMPONENT_CLASSES = {f"tone--{tone}" for tone in _TONES}
    DEFAULT_CSS = """
    Toned {
        & > .tone--good { color: $success; }
        & > .tone--busy { color: $warning; }
        & > .tone--bad { color: $error; text-style: bold; }
        & > .tone--dim { text-style: dim; }
        & > .tone--strong { text-style: bold; }
    }
    """

    def toned(self, cell: Cell) -> Text:
        """The cell's text, fit for a terminal, in its tone."""
        text = Text(plain(cell.text, 500), no_wrap=True, end="")
        if cell.tone:
            style = self.get_component_rich_style(f"tone--{cell.tone}", partial=True)
            text.stylize(style)
        return text

    def abreast(self, left: Sequence[Cell], right: Sequence[Cell], room: int) -> Text:
        """Cells at both ends of a line: what is at the right stays whole, what is at the left is cut."""
        end = Text(end="").join(self.toned(cell) for cell in right)
        start = Text(end="", no_wrap=True).join(self.toned(cell) for cell in left)
        space = room - end.cell_len
        if space < 1:
            end.truncate(room, overflow="ellipsis")
            return end
        start.truncate(max(0, space - (1 if end.cell_len else 0)), overflow="ellipsis")
        start.append(" " * max(0, space - start.cell_len))
        return start.append_text(end)


class CellLine(Toned):
    """Cells side by side on one line. What is at the right stays whole; what is at the left is cut."""

    DEFAULT_CSS = """
    CellLine { height: 1; width: 1fr; padding: 0 1; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()

    def show(self, left: Sequence[Cell], right: Sequence[Cell] = ()) -> None:
        """Show these from now on."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self.refresh()

    @property
    def shown(self) -> str:
        """All of the text, for tests and screen readers."""
        return "".join(cell.text for cell in (*self._left, *self._right))

    def render(self) -> Text:
        """The line."""
        return self.abreast(self._left, self._right, self.content_size.width)


def cells_width(cells: Sequence[Cell]) -> int:
    """Columns that the cells take."""
    return sum(width(cell.text) for cell in cells)
