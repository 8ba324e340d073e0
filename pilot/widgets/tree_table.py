"""A table whose rows are the lines of a tree: always in the tree's order, with branches that fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from pilot.trees.entries import Entry
from pilot.widgets.table import VirtualTable
from pilot.widgets.table_columns import GUTTER, TableColumn


class FoldWanted(Message):
    """A branch is to be closed or opened; without a key, all of them."""

    def __init__(self, key: str | None, closed: bool) -> None:
        super().__init__()
        self.key = key
        self.closed = closed


class TreeTable(VirtualTable[Entry]):
    """Lines of one tree. Who has it folds them, when told that this is wanted, and filters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "table_open", "go to", key_display="⏎", id="table.open"),
        Binding("space", "table_mark", "mark", id="table.mark"),
        Binding("right,l", "tree_open", "open", key_display="→", id="tree.open"),
        Binding("left,h", "tree_close", "close", key_display="←", id="tree.close"),
        Binding("plus", "tree_all(False)", "open all", show=False, id="tree.open-all"),
        Binding("minus", "tree_all(True)", "close all", show=False, id="tree.close-all"),
    ]

    def __init__(
        self,
        columns: Sequence[TableColumn[Entry]],
        is_branch: Callable[[str], bool],
        is_open: Callable[[str], bool],
        **more: Any,
    ) -> None:
        """`is_branch`, `is_open`: of the line of this key."""
        super().__init__(columns, lambda entry: entry.key, tie=lambda entry: entry.path, **more)
        self.over(is_branch, is_open)

    def over(self, is_branch: Callable[[str], bool], is_open: Callable[[str], bool]) -> None:
        """Ask these of lines from now on."""
        self._is_branch = is_branch
        self._is_open = is_open

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A tree has one order."""
        return not action.startswith("table_sort")

    def refold(self, passes: Callable[[Entry], bool]) -> None:
        """Show the lines that pass now, with arrows that are as things are."""
        self.filter(passes)
        for key in self._order.shown:
            if self._is_branch(key):
                self._painter.drop(key)
        self.refresh()

    def draw_anew(self) -> None:
        """What lines show beside their records has changed."""
        for key in self._order.shown:
            self._painter.drop(key)
        self.refresh()

    def action_tree_open(self) -> None:
        """Open the branch; of one that is open, go to its first line."""
        key = self._cursor
        if key is None or not self._is_branch(key):
            return
        if self._is_open(key):
            self.action_table_down()
        else:
            self.post_message(FoldWanted(key, False))

    def action_tree_close(self) -> None:
        """Close the branch; from what is no open branch, go to the one above."""
        entry = self.cursor_row
        if entry is None:
            return
        if self._is_branch(entry.key) and self._is_open(entry.key):
            self.post_message(FoldWanted(entry.key, True))
        elif entry.above:
            self.move_to(entry.above[-1])

    def action_tree_all(self, closed: bool) -> None:
        """Close all branches, or open them."""
        self.post_message(FoldWanted(None, closed))

    def on_click(self, event: events.Click) -> None:
        """A click on a branch's arrow opens or closes it; on anything else it is the table's."""
        at = event.get_content_offset(self)
        place = -1 if at is None else at.y - 1 + self._top
        if at is not None and event.button == 1 and at.y > 0 and place < len(self._order.shown):
            entry = self._order.rows[self._order.shown[place]]
            arrow = GUTTER + 2 * entry.depth
            if self._is_branch(entry.key) and arrow <= at.x <= arrow + 1:
                event.stop()
                event.prevent_default()
                self.post_message(FoldWanted(entry.key, self._is_open(entry.key)))
                return
        super().on_click(event)

    def _click_heading(self, x: int) -> None:
        """A tree has one order."""
