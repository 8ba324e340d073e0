"""The drawn half of the table: rows that change while they are shown, line by line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from pilot.widgets.table_columns import TableColumn
from pilot.widgets.table_flash import PHASES, SECONDS, Flashes
from pilot.widgets.table_order import RowOrder
from pilot.widgets.table_painter import Look, Painter
from pilot.widgets.table_style import COMPONENTS, CSS
from pilot.widgets.table_window import anchor, neighbour, reveal, top_for

Row = TypeVar("Row")

APPLY_SECONDS = 0.1
"""Changes that come within this time are taken in together."""
_HEADING = 1


class TableView(ScrollView, Generic[Row], inherit_bindings=False):
    """Rows in order, a cursor that stays on its row and its line, changes that flash."""

    COMPONENT_CLASSES: ClassVar[set[str]] = COMPONENTS
    DEFAULT_CSS = CSS
    ALLOW_SELECT = False

    def __init__(
        self,
        columns: Sequence[TableColumn[Row]],
        key: Callable[[Row], str],
        *,
        tie: Callable[[Row], Any] | None = None,
        stale: Callable[[Row], bool] | None = None,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`key` is a row's identity; `tie` orders rows that a column does not; `stale` rows are drawn dim."""
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty_text = "nothing here"
        """Shown where there are no rows."""
        self.hidden_text = "no row passes the filter"
        """Shown where there are rows, and the filter hides all."""
        self.sort_column = ""
        self._key = key
        self._stale = stale
        self._clock = clock
        self._order = RowOrder[Row](tie or key)
        self._painter = Painter[Row](self.columns, self._component, lambda: self.rich_style)
        self._flashes = Flashes()
        self._flash_timer: Timer | None = None
        self._cursor: str | None = None
        self._marked: set[str] = set()
        self._pending: dict[str, Row] = {}
        self._leaving: set[str] = set()
        self._apply_timer: Timer | None = None
        self._applied = float("-inf")
        self._told_cursor: str | None = None

    # --- rows ----------------------------------------------------------------------------------------

    def replace(self, rows: Iterable[Row]) -> None:
        """Show these rows instead of all before, at once. The cursor stays on its row if it is there."""
        self._pending.clear()
        self._leaving.clear()
        by_key = {self._key(row): row for row in rows}
        self._around(lambda: self._order.replace(by_key), None)

    def apply(self, changed: Mapping[str, Row], gone: Iterable[str] = ()) -> None:
        """Rows that are new or different, and keys of those that are no more.

        They are shown together with others that come within APPLY_SECONDS. A row that is the same object as
        before is drawn anew: what its cells show may come from elsewhere.
        """
        for key in gone:
            self._pending.pop(key, None)
            self._leaving.add(key)
        self._pending.update(changed)
        self._leaving.difference_update(changed)
        if not self.is_mounted:
            self.settle()
        elif self._apply_timer is None and (self._pending or self._leaving):
            # Textual's timers cannot have an interval of zero.
            delay = max(0.001, self._applied + APPLY_SECONDS - time.monotonic())
            self._apply_timer = self.set_timer(delay, self.settle)

    def settle(self) -> None:
        """Take in all changes that wait."""
        if self._apply_timer is not None:
            self._apply_timer.stop()
            self._apply_timer = None
        if not (self._pending or self._leaving):
            return
        changed, gone = self._pending, self._leaving
        self._pending, self._leaving = {}, set()
        self._flash(changed)
        for key in changed.keys() | gone:
            self._painter.drop(key)
        self._around(lambda: self._order.apply(changed, gone), changed)
        self._applied = time.monotonic()

    def filter(self, passes: Callable[[Row], bool] | None) -> None:
        """Show the rows that pass only; all if it is None.

        Raises what `passes` raises; then the last filter stays.
        """
        self.settle()
        self._around(lambda: self._order.filter(passes), None)

    def row(self, key: str) -> Row | None:
        """A row, hidden or not."""
        return self._pending.get(key) or self._order.rows.get(key)

    @property
    def shown(self) -> Sequence[str]:
        """Keys of the rows that pass the filter, in order. Not to be changed."""
        return self._order.shown

    @property
    def total(self) -> int:
        """How many rows there are, hidden ones too."""
        return len(self._order.rows)

    def set_columns(self, columns: Sequence[TableColumn[Row]]) -> None:
        """Show these columns from now on; the order of rows stays."""
        self.columns = tuple(columns)
        self._painter.set_columns(self.columns)
        self.refresh()

    # --- the cursor and the window -------------------------------------------------------------------

    @property
    def cursor(self) -> str | None:
        """Key of the row under the cursor; None if there is no row."""
        return self._cursor

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return None if self._cursor is None else self.row(self._cursor)

    def move_to(self, key: str) -> bool:
        """Put the cursor on a row; False if it is not shown."""
        place = self._order.index(key)
        if place is not None:
            self._move_to_place(place)
        return place is not None

    @property
    def window_height(self) -> int:
        """Rows that fit on the screen."""
        return max(0, self.size.height - _HEADING)

    def _move_to_place(self, place: int) -> None:
        shown = self._order.shown
        if not shown:
            return
        place = max(0, min(place, len(shown) - 1))
        old, self._cursor = self._cursor, shown[place]
        for key in (old, self._cursor):
            self._refresh_key(key)
        self._scroll(reveal(place, self._top, self.window_height))
        self._tell_cursor()

    @property
    def _top(self) -> int:
        return self.scroll_offset.y

    def _scroll(self, top: int) -> None:
        if self.is_mounted and top != self._top:
            self.scroll_to(y=top, animate=False, force=True)

    def _around(self, change: Callable[[], None], changed: Mapping[str, Row] | None) -> None:
        """Change the order of rows so that the row that people look at stays on its line.

        `changed` are the only rows that look different afterwards; all may if it is None.
        """
        height, top = self.window_height, self._top
        before = self._order.shown.copy()
        place = None if self._cursor is None else self._order.index(self._cursor)
        held = anchor(before, place, top, height)
        change()
        shows, shown = self._order.shows, self._order.shown
        at_cursor = held.key == self._cursor
        self._cursor = neighbour(self._cursor, place, before, shows) or (shown[0] if shown else None)
        key = self._cursor if at_cursor else neighbour(held.key, top + held.offset, before, shows)
        now_at = None if key is None else self._order.index(key)
        if changed is None or len(before) != len(shown):
            self.virtual_size = Size(0, len(shown) + _HEADING)
            self.refresh()
        self._scroll(top_for(now_at, held.offset, len(shown), height))
        if self._top == top:
            self._refresh_changed(before[top : top + height], changed or {})
        self._tell_cursor()
        self._rows_changed()

    def _refresh_changed(self, before: Sequence[str], changed: Mapping[str, Row]) -> None:
        window = self._order.shown[self._top : self._top + self.window_height]
        for number, key in enumerate(window):
            if key in changed or number >= len(before) or before[number] != key:
                self.refresh_line(self._top + number + _HEADING)

    def _refresh_key(self, key: str | None) -> None:
        place = None if key is None else self._order.index(key)
        if place is not None and self._top <= place < self._top + self.window_height:
            self.refresh_line(place + _HEADING)

    def _tell_cursor(self) -> None:
        """The cursor may be on another row."""

    def _rows_changed(self) -> None:
        """Rows may be gone."""

    # --- what time changes ---------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look each second at what time alone changes."""
        self.virtual_size = Size(0, len(self._order.shown) + _HEADING)
        self.set_interval(1.0, self._second)

    def _second(self) -> None:
        now = self._clock()
        for key in self._order.shown[self._top : self._top + self.window_height]:
            if self._painter.outdated(key, now):
                self._painter.drop(key)
                self._refresh_key(key)

    def _flash(self, changed: Mapping[str, Row]) -> None:
        now, at = self._clock(), time.monotonic()
        for key in self._order.shown[self._top : self._top + self.window_height]:
            if key in changed and (
                columns := self._painter.differing(self._order.rows[key], changed[key], now)
            ):
                self._flashes.add(key, columns, at)
        if self._flashes and self._flash_timer is None and self.is_mounted:
            self._flash_timer = self.set_interval(SECONDS / PHASES, self._fade)

    def _fade(self) -> None:
        for key in self._flashes.expire(time.monotonic()):
            self._refresh_key(key)
        if not self._flashes and self._flash_timer is not None:
            self._flash_timer.stop()
            self._flash_timer = None

    # --- drawing -------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """A line of the widget, counted from its top."""
        self._painter.set_width(self.size.width)
        if y < _HEADING:
            return self._painter.heading(self.sort_column, self._order.reverse)
        shown, place = self._order.shown, y - _HEADING + self._top
        if place < len(shown):
            key = shown[place]
            row = self._order.rows[key]
            stale = self._stale is not None and self._stale(row)
            look = Look(key == self._cursor, key in self._marked, stale)
            phases = self._flashes.phases(key, time.monotonic())
            return self._painter.row(key, row, look, phases, self._clock())
        return self._painter.blank() if shown else self._empty_line(y - _HEADING)

    def _empty_line(self, y: int) -> Strip:
        lines = (self.hidden_text if self._order.rows else self.empty_text).splitlines()
        number = y - max(0, self.window_height - len(lines)) // 2
        return self._painter.note(lines[number]) if 0 <= number < len(lines) else self._painter.blank()

    def _component(self, name: str) -> tuple[Style, Style]:
        rules = self.get_component_styles(name)
        whole = self.get_component_rich_style(name)
        style = rules.text_style
        if rules.has_rule("color") or rules.has_rule("auto_color"):
            style += Style(color=whole.color)
        return style, Style(bgcolor=whole.bgcolor) if rules.has_rule("background") else Style()

    def notify_style_update(self) -> None:
        """The theme or the focus has changed."""
        super().notify_style_update()
        self._painter.forget()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in the window."""
        place = None if self._cursor is None else self._order.index(self._cursor)
        if place is not None:
            self._scroll(reveal(place, self._top, self.window_height))
