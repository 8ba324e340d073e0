"""A table of any rows: 50,000 of them cost what is on the screen. Domain-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from textual import events
from textual.binding import Binding, BindingType

from pilot.widgets.table_columns import TableColumn
from pilot.widgets.table_marks import Marks
from pilot.widgets.table_messages import CursorMoved, MarksChanged, RowOpened, SortChanged
from pilot.widgets.table_view import TableView
from pilot.widgets.table_window import top_for

Row = TypeVar("Row")

__all__ = [
    "CursorMoved",
    "MarksChanged",
    "Place",
    "RowOpened",
    "SortChanged",
    "TableColumn",
    "VirtualTable",
]


class Place(NamedTuple):
    """Where somebody is in a table: for those who show other rows in between."""

    cursor: str | None
    line: int
    """The line of the window that the cursor is on."""
    marks: frozenset[str]


def _binding(id: str, keys: str, description: str) -> Binding:
    return Binding(keys, f"table_{id.replace('-', '_')}", description, show=False, id=f"table.{id}")


class VirtualTable(TableView[Row], inherit_bindings=False):
    """A TableView with keys, mouse and marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _binding("down", "down,j", "down"),
        _binding("up", "up,k", "up"),
        _binding("page-down", "pagedown,ctrl+f", "page down"),
        _binding("page-up", "pageup,ctrl+b", "page up"),
        _binding("top", "home,g", "first row"),
        _binding("bottom", "end,G", "last row"),
        _binding("open", "enter", "open"),
        _binding("mark", "space", "mark"),
        _binding("mark-range", "ctrl+@,ctrl+space", "mark up to here"),
        _binding("mark-all", "ctrl+a", "mark all shown"),
        _binding("unmark-all", "ctrl+backslash", "unmark all"),
        _binding("sort-next", "greater_than_sign", "sort by the next column"),
        _binding("sort-previous", "less_than_sign", "sort by the column before"),
        _binding("sort-reverse", "tilde", "sort the other way round"),
    ]

    def __init__(
        self,
        columns: Sequence[TableColumn[Row]],
        key: Callable[[Row], str],
        *,
        sort: str = "",
        reverse: bool = False,
        tie: Callable[[Row], Any] | None = None,
        **more: Any,
    ) -> None:
        """As TableView; `sort` is the key of the column that rows are sorted by at first."""
        super().__init__(columns, key, tie=tie, **more)
        self._marks = Marks()
        self._marked = self._marks.keys
        if sort:
            self.sort_by(sort, reverse)

    # --- sorting -------------------------------------------------------------------------------------

    def sort_by(self, column: str, reverse: bool = False) -> None:
        """Sort by a column.

        Raises:
            KeyError: there is no such column.
        """
        found = {one.key: one for one in self.columns}[column]
        self.settle()
        self.sort_column = column
        self._around(lambda: self._order.sort(found.sort, reverse), None)
        if self.is_mounted:
            self.post_message(SortChanged(self, column, reverse))

    @property
    def reverse(self) -> bool:
        """Whether the sorted column runs downwards."""
        return self._order.reverse

    def action_table_sort_next(self) -> None:
        """Sort by the next column that is shown."""
        self._sort_step(1)

    def action_table_sort_previous(self) -> None:
        """Sort by the column before that is shown."""
        self._sort_step(-1)

    def action_table_sort_reverse(self) -> None:
        """Sort the other way round."""
        if self.sort_column:
            self.sort_by(self.sort_column, not self.reverse)

    def _sort_step(self, step: int) -> None:
        keys = [placed.column.key for placed in self._painter.placed]
        if keys:
            at = keys.index(self.sort_column) + step if self.sort_column in keys else 0
            self.sort_by(keys[at % len(keys)])

    # --- marks ---------------------------------------------------------------------------------------

    @property
    def marks(self) -> frozenset[str]:
        """Keys of the marked rows, hidden ones too."""
        return frozenset(self._marks.keys)

    def targets(self) -> list[str]:
        """What a verb acts on: the marked rows, those shown first and in order; else the cursor's row."""
        if not self._marks.keys:
            return [] if self._cursor is None else [self._cursor]
        shown = [key for key in self._order.shown if key in self._marks.keys]
        return shown + sorted(self._marks.keys.difference(shown))

    def mark(self, keys: Iterable[str]) -> None:
        """Mark these rows too."""
        self._marks.add(key for key in keys if key in self._order.rows)
        self._marks_changed()

    def action_table_mark(self) -> None:
        """Mark the row under the cursor, or no longer."""
        if self._cursor is not None:
            self._marks.toggle(self._cursor)
            self._marks_changed()

    def action_table_mark_range(self) -> None:
        """Mark all rows from the one marked last to the cursor."""
        place = None if self._cursor is None else self._order.index(self._cursor)
        if place is not None:
            begin = self._marks.begin
            self._marks.extend(self._order.shown, place, None if begin is None else self._order.index(begin))
            self._marks_changed()

    def action_table_mark_all(self) -> None:
        """Mark all rows that are shown."""
        self.mark(self._order.shown)

    def action_table_unmark_all(self) -> None:
        """Mark nothing."""
        if self._marks.keys:
            self._marks.clear()
            self._marks_changed()

    def _marks_changed(self) -> None:
        self.refresh()
        self.post_message(MarksChanged(self, self.marks))

    def _rows_changed(self) -> None:
        if self._marks.keep(self._order.rows):
            self._marks_changed()

    # --- places --------------------------------------------------------------------------------------

    def place(self) -> Place:
        """Where the user is."""
        at = None if self._cursor is None else self._order.index(self._cursor)
        return Place(self._cursor, 0 if at is None else at - self._top, self.marks)

    def return_to(self, place: Place) -> None:
        """Cursor, marks and window as they were, as far as the rows are there."""
        self._marks.clear()
        self.mark(place.marks)
        at = None if place.cursor is None else self._order.index(place.cursor)
        if at is not None:
            self._move_to_place(at)
            self._scroll(top_for(at, place.line, len(self._order.shown), self.window_height))

    # --- keys and mouse ------------------------------------------------------------------------------

    def action_table_down(self) -> None:
        """One row down."""
        self._step(1)

    def action_table_up(self) -> None:
        """One row up."""
        self._step(-1)

    def action_table_page_down(self) -> None:
        """A screen down."""
        self._step(max(1, self.window_height - 1))

    def action_table_page_up(self) -> None:
        """A screen up."""
        self._step(-max(1, self.window_height - 1))

    def action_table_top(self) -> None:
        """To the first row."""
        self._move_to_place(0)

    def action_table_bottom(self) -> None:
        """To the last row."""
        self._move_to_place(len(self._order.shown) - 1)

    def action_table_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor is not None:
            self.post_message(RowOpened(self, self._cursor))

    def _step(self, rows: int) -> None:
        place = None if self._cursor is None else self._order.index(self._cursor)
        if place is not None:
            self._move_to_place(place + rows)

    def on_click(self, event: events.Click) -> None:
        """The heading sorts; a row takes the cursor, is marked with Ctrl, opens on a double click."""
        at = event.get_content_offset(self)
        if at is None or event.button != 1:
            return
        event.stop()
        if at.y == 0:
            self._click_heading(at.x)
            return
        place = at.y - 1 + self._top
        if place >= len(self._order.shown):
            return
        self._move_to_place(place)
        if event.ctrl:
            self.action_table_mark()
        elif event.shift:
            self.action_table_mark_range()
        elif event.chain == 2:
            self.action_table_open()

    def _click_heading(self, x: int) -> None:
        for column, begin, width in self._painter.placed:
            if begin <= x < begin + width:
                self.sort_by(column.key, column.key == self.sort_column and not self.reverse)

    def _tell_cursor(self) -> None:
        if self._cursor != self._told_cursor:
            self._told_cursor = self._cursor
            self.post_message(CursorMoved(self, self._cursor))
