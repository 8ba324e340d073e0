"""A table's lines: rows, heading and empty state as strips, kept while nothing about them changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from pilot.render.palette import Tone
from pilot.widgets.table_columns import GAP, GUTTER, Placed, TableColumn, fit, place

Row = TypeVar("Row")

BAR = "▌"
MARK = "✓"
_GAP = " " * GAP
_NUMBER = re.compile(r"\d+")
_KEPT = 512
"""Rows whose strip is kept: several screens of them."""

StyleOf = Callable[[str], tuple[Style, Style]]
"""What a component class adds to a style: attributes and colour, then the background."""


class Look(NamedTuple):
    """How a row is drawn, besides its cells."""

    cursor: bool = False
    marked: bool = False
    stale: bool = False


class Kept(NamedTuple, Generic[Row]):
    """A strip, and what it was made from."""

    row: Row
    look: Look
    flashing: Mapping[str, int]
    second: int
    """The second it was made in; 0 if no cell depends on time."""
    timed: tuple[str, ...]
    """The texts that depend on time."""
    strip: Strip


class Painter(Generic[Row]):
    """Makes strips of one width."""

    def __init__(
        self, columns: Sequence[TableColumn[Row]], style_of: StyleOf, base: Callable[[], Style]
    ) -> None:
        self._columns = columns
        self._style_of = style_of
        self._base = base
        self._width = -1
        self.placed: list[Placed[Row]] = []
        """The columns that are shown."""
        self._kept: dict[str, Kept[Row]] = {}
        self._styles: dict[tuple[str, ...], Style] = {}

    def set_columns(self, columns: Sequence[TableColumn[Row]]) -> None:
        """Draw these columns from now on."""
        self._columns = columns
        self.forget()

    def forget(self) -> None:
        """Colours or columns are others from now on."""
        self._kept.clear()
        self._styles.clear()
        self._width = -1

    def set_width(self, width: int) -> None:
        """Make lines of so many cells from now on."""
        if width != self._width:
            self._width = width
            self._kept.clear()
            self.placed = place(self._columns, width)

    def row(self, key: str, row: Row, look: Look, flashing: Mapping[str, int], now: float) -> Strip:
        """A row as a strip."""
        # Taken out and put back as the newest: what is dropped when it is full was drawn longest ago.
        # (Textual's LRUCache keeps the first value of a key for ever.)
        kept = self._kept.pop(key, None)
        if (
            kept is not None
            and kept.row is row
            and kept.look == look
            and kept.flashing == flashing
            and kept.second in (0, int(now))
        ):
            self._kept[key] = kept
            return kept.strip
        if len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        timed = self._timed(row, now)
        second = int(now) if timed else 0
        strip = self._draw(row, look, flashing, now)
        self._kept[key] = Kept(row, look, flashing, second, timed, strip)
        return strip

    def drop(self, key: str) -> None:
        """Something about a row has changed."""
        self._kept.pop(key, None)

    def outdated(self, key: str, now: float) -> bool:
        """Whether time alone has changed what a row that was drawn shows."""
        kept = self._kept.get(key)
        if kept is None or not kept.timed:
            return False
        return kept.timed != self._timed(kept.row, now)

    def differing(self, before: Row, after: Row, now: float) -> list[str]:
        """The shown columns in which two rows differ to the eye, but for how long it has been so."""

        def said(column: TableColumn[Row], row: Row) -> str:
            text = column.cell(row, now).text
            return _NUMBER.sub("", text) if column.timed else text

        return [
            column.key
            for column, _, _ in self.placed
            if column.flashes and said(column, before) != said(column, after)
        ]

    def _timed(self, row: Row, now: float) -> tuple[str, ...]:
        return tuple(placed.column.cell(row, now).text for placed in self.placed if placed.column.timed)

    def _draw(self, row: Row, look: Look, flashing: Mapping[str, int], now: float) -> Strip:
        over = tuple(
            name
            for name, worn in (
                ("table--marked", look.marked),
                ("table--stale", look.stale),
                ("table--cursor", look.cursor),
            )
            if worn
        )
        under = over[: int(look.marked)]
        ground = self._style(over)
        segments = [
            Segment(BAR if look.cursor else " ", self._style((*over, "table--bar"))),
            Segment(MARK if look.marked else " ", self._style((*over, "table--bar"))),
            Segment(" ", ground),
        ]
        for number, (column, _, width) in enumerate(self.placed):
            cell = column.cell(row, now)
            if number:
                segments.append(Segment(_GAP, ground))
            # A mark colours what has no meaning of its own; a stale row has no other colour at all.
            names = over if not cell.tone or look.stale else (*under, _tone(cell.tone), *over[len(under) :])
            if phase := flashing.get(column.key):
                names = (*names, f"table--flash-{phase}")
            segments.append(Segment(fit(cell.text, width, column.right), self._style(names)))
        return self._line(segments, ground)

    def heading(self, sorted_by: str, reverse: bool) -> Strip:
        """The line of titles; an arrow stands at the column that rows are sorted by."""
        ground = self._style(("table--header",))
        segments = [Segment(" " * GUTTER, ground)]
        for number, (column, _, width) in enumerate(self.placed):
            if number:
                segments.append(Segment(_GAP, ground))
            if column.key == sorted_by:
                arrow = "↓" if reverse else "↑"
                text = fit(column.title, max(0, min(len(column.title), width - 2))) + f" {arrow}"
                style = self._style(("table--header", "table--sorted"))
                segments.append(Segment(fit(text, width, column.right), style))
            else:
                segments.append(Segment(fit(column.title, width, column.right), ground))
        return self._line(segments, ground)

    def note(self, text: str) -> Strip:
        """A line in the middle, such as why there are no rows."""
        style = self._style(("table--empty",))
        shown = fit(text, min(cell_len(text), self._width)).rstrip()
        left = max(0, self._width - cell_len(shown)) // 2
        return self._line([Segment(" " * left, style), Segment(shown, style)], style)

    def blank(self) -> Strip:
        """An empty line."""
        return self._line([], self._style(()))

    def _line(self, segments: list[Segment], ground: Style) -> Strip:
        # Segments of one style in one: fewer bytes for a slow connection.
        return Strip(segments).adjust_cell_length(self._width, ground).simplify()

    def _style(self, names: tuple[str, ...]) -> Style:
        """The widget's own style with these on top of it, the last one uppermost."""
        style = self._styles.get(names)
        if style is None:
            style = self._base()
            for name in names:
                attributes, background = self._style_of(name)
                style += attributes + background
            self._styles[names] = style
        return style


def _tone(tone: Tone) -> str:
    return f"tone--{tone}"
