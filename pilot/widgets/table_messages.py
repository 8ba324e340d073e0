"""What a table tells: each in the past tense, after it has happened."""

from __future__ import annotations

from textual.message import Message
from textual.widget import Widget


class TableMessage(Message):
    """Base of a table's messages."""

    def __init__(self, table: Widget) -> None:
        super().__init__()
        self.table = table

    @property
    def control(self) -> Widget:
        """The table, so that handlers may select by it."""
        return self.table


class CursorMoved(TableMessage):
    """The cursor is on another row; `key` is None when there is no row left."""

    def __init__(self, table: Widget, key: str | None) -> None:
        super().__init__(table)
        self.key = key

    def can_replace(self, message: Message) -> bool:
        """Only where the cursor ended is of interest."""
        return isinstance(message, CursorMoved) and message.table is self.table


class RowOpened(TableMessage):
    """Enter or a double click on a row."""

    def __init__(self, table: Widget, key: str) -> None:
        super().__init__(table)
        self.key = key


class MarksChanged(TableMessage):
    """Other rows are marked than before."""

    def __init__(self, table: Widget, marks: frozenset[str]) -> None:
        super().__init__(table)
        self.marks = marks

    def can_replace(self, message: Message) -> bool:
        """Only the last marks are of interest."""
        return isinstance(message, MarksChanged) and message.table is self.table


class SortChanged(TableMessage):
    """Rows are sorted by another column, or the other way round."""

    def __init__(self, table: Widget, column: str, reverse: bool) -> None:
        super().__init__(table)
        self.column = column
        self.reverse = reverse
