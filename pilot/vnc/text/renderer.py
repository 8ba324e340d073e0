"""A screen as the text that stands on it."""

from __future__ import annotations

from collections.abc import Sequence

from pilot.console.engine import Cursor, Run
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.renderer import Frame, Kind, View
from pilot.vnc.text.decode import Decoder
from pilot.vnc.text.fonts import Fonts
from pilot.vnc.text.screen import TextScreen


class TextRenderer:
    """Draws one cell of the terminal for each of the guest's; makes only lines that changed."""

    kind: Kind = "text"

    def __init__(self, fonts: Fonts | None = None) -> None:
        """Nothing is drawn yet; without fonts of one's own the usual ones are read."""
        self._decoder = Decoder(fonts or Fonts.built_in())
        self.text: TextScreen | None = None
        """What was drawn last, all of it: to select from and to search."""
        self._view: View | None = None
        self._drawn: TextScreen | None = None
        self._frame: Frame | None = None

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame | None:
        """The text in view; None if the screen shows none. Lines that did not change are the same objects.

        Cells are not zoomed. `view.left` and `view.top` are rounded down to whole cells.
        """
        self.text = text = self._decoder.decode(screen.packed, dirty)
        if text is None:
            return None
        if text is self._drawn and view == self._view and self._frame is not None:
            return self._frame
        width, height = text.cell
        left = min(max(0, view.left - text.origin[0]) // width, max(0, text.columns - view.columns))
        top = min(max(0, view.top - text.origin[1]) // height, max(0, text.rows - view.rows))
        columns, rows = min(text.columns, view.columns), min(text.rows, view.rows)
        self._frame = Frame(
            self._lines(text, view, (left, left + columns), (top, top + rows)),
            cursor=_moved(text.cursor, left, top, columns, rows),
            quality=text.hit_rate,
            scale=(float(width), float(height)),
            origin=(text.origin[0] + left * width, text.origin[1] + top * height),
        )
        self._drawn, self._view = text, view
        return self._frame

    def _lines(
        self, text: TextScreen, view: View, columns: tuple[int, int], rows: tuple[int, int]
    ) -> tuple[tuple[Run, ...], ...]:
        before, old = self._drawn, self._frame
        same = (
            text.same_rows(before)
            if before is not None and old is not None and view == self._view and before.grid == text.grid
            else None
        )
        return tuple(
            old.lines[row - rows[0]]
            if old is not None and same is not None and same[row]
            else text.line(row, *columns)
            for row in range(*rows)
        )


def _moved(cursor: Cursor | None, left: int, top: int, columns: int, rows: int) -> Cursor | None:
    """The cursor in cells of the view; None if it is outside."""
    if cursor is None:
        return None
    column, row = cursor.column - left, cursor.row - top
    return Cursor(column, row, cursor.visible) if 0 <= column < columns and 0 <= row < rows else None
