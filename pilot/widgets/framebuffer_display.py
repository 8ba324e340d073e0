"""Frames of a VM's screen drawn as lines of cells: text with cursor, selection and search, or a picture."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from pilot.console.engine import Run
from pilot.console.selection import Position, copied
from pilot.vnc.decoded import FrameLines
from pilot.vnc.drawing import Drawn
from pilot.vnc.renderer import Frame
from pilot.widgets.terminal_marks import Marks
from pilot.widgets.terminal_painter import Painter, Span


class Told(Message):
    """Base of what a screen tells."""

    def __init__(self, display: FramebufferDisplay) -> None:
        self.display = display
        super().__init__()

    @property
    def control(self) -> FramebufferDisplay:
        """The screen."""
        return self.display


class FramebufferDisplay(Widget):
    """Shows frames; draws only lines that changed. What is smaller than the room stands in its middle."""

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False

    DEFAULT_CSS = """
    FramebufferDisplay {
        width: 1fr;
        height: 1fr;
        overflow: hidden;
    }
    """

    class Resized(Told):
        """There is room for so many columns and rows."""

        def __init__(self, display: FramebufferDisplay, columns: int, rows: int) -> None:
            self.columns = columns
            self.rows = rows
            super().__init__(display)

    class Copied(Told):
        """A text went to the clipboard."""

        def __init__(self, display: FramebufferDisplay, text: str, whole: bool) -> None:
            self.text = text
            self.whole = whole
            """Whether that is all: a clipboard takes so much and no more."""
            super().__init__(display)

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        """Show nothing yet."""
        super().__init__(name=name, id=id, classes=classes)
        self.frame = Frame(())
        self.shows_text = False
        self.lines = FrameLines()
        """The text that is shown; no lines while a picture is."""
        self.marks = Marks(self.lines)
        self._painter = Painter()
        self._note = ""
        self._panned: tuple[int, int] | None = None
        """The first column and row of text in view, where the user chose; None: where the cursor is."""
        self._placed: tuple[int, ...] = ()

    # --- what is shown ---------------------------------------------------------------------------

    def show(self, drawn: Drawn) -> None:
        """Show this frame from now on."""
        before, cursor_before = self.frame.lines, self.frame.cursor
        self.frame = frame = drawn.frame
        if drawn.kind == "text" or self.shows_text:
            self.shows_text = drawn.kind == "text"
            self.lines.show(frame.lines if self.shows_text else ())
        if self._place() or len(before) != len(frame.lines):
            self.refresh()
            return
        rows = {row for row, (old, new) in enumerate(zip(before, frame.lines, strict=True)) if old != new}
        if frame.cursor != cursor_before:
            rows |= {cursor.row for cursor in (cursor_before, frame.cursor) if cursor is not None}
        width = self.content_size.width
        regions = [Region(0, row, width, 1) for row in map(self._row_of, rows) if row is not None]
        if regions:
            self.refresh(*regions)

    def note(self, text: str) -> None:
        """Say this in the last row: that what is shown is old, for instance; nothing if it is empty."""
        if text != self._note:
            self._note = text
            self.refresh(Region(0, max(self.content_size.height - 1, 0), self.content_size.width, 1))

    def on_resize(self, event: events.Resize) -> None:
        """Tell how much room there is."""
        width, height = self.content_size
        self._place()
        self.refresh()
        if width > 0 and height > 0:
            self.post_message(self.Resized(self, width, height))

    def _place(self) -> bool:
        """Find out which part is in view and where it stands; whether that has changed."""
        width, height = self.content_size
        columns = self.lines.columns if self.shows_text else _width(self.frame.lines)
        rows = len(self.frame.lines)
        left = top = 0
        if self.shows_text:
            left, top = self._panned if self._panned is not None else self._wanted(width, height)
            left = min(max(left, 0), max(columns - width, 0))
            top = min(max(top, 0), max(rows - height, 0))
        placed = (max((width - columns) // 2, 0), max((height - rows) // 2, 0), left, top)
        changed = placed != self._placed
        self._placed = placed
        return changed

    def _wanted(self, width: int, height: int) -> tuple[int, int]:
        """Where one wants to look in text that is larger than the room: at the cursor, or the last line."""
        cursor = self.frame.cursor
        if cursor is not None:
            return cursor.column - width + 1, cursor.row - height + 1
        last = next((row for row in range(self.lines.rows - 1, -1, -1) if self.lines.text(row)), 0)
        return 0, last - height + 1

    def _row_of(self, line: int) -> int | None:
        """The row that a line is in; None if it is out of view."""
        row = line + self._placed[1] - self._placed[3]
        return row if 0 <= row < self.content_size.height else None

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of the window."""
        self._painter.set_base(self.rich_style)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """A row of the window."""
        width, height = self.content_size
        across, down, left, top = self._placed or (0, 0, 0, 0)
        line = y - down + top
        if width <= 0 or y < down or not 0 <= line < len(self.frame.lines):
            strip = self._painter.blank(max(width, 0))
        else:
            runs = self.frame.lines[line]
            spans = [*self.marks.spans(line), *self._cursor_spans(line)] if self.shows_text else ()
            strip = Strip.join(
                [self._painter.blank(across), self._painter.line(runs, left, width - across, spans)]
            )
        if self._note and y == height - 1:
            strip = self._painter.tagged(strip, self._note, width)
        return strip

    def _cursor_spans(self, line: int) -> list[Span]:
        cursor = self.frame.cursor
        if cursor is None or not cursor.visible or line != cursor.row:
            return []
        return [Span(cursor.column, cursor.column + 1, "cursor" if self.has_focus else "place")]

    # --- places ----------------------------------------------------------------------------------

    def pixel_at(self, x: float, y: float) -> tuple[int, int]:
        """The guest's pixel at a place of the window, in cells; it may lie outside of the screen."""
        across, down, left, top = self._placed or (0, 0, 0, 0)
        (wide, high), (first, upper) = self.frame.scale, self.frame.origin
        return int(first + (x - across + left) * wide), int(upper + (y - down + top) * high)

    def cell_of(self, event: events.MouseEvent) -> Position:
        """The cell of text that the mouse is on, or the nearest one."""
        across, down, left, top = self._placed or (0, 0, 0, 0)
        place = event.get_content_offset_capture(self)
        line = min(max(place.y - down + top, 0), max(self.lines.rows - 1, 0))
        return Position(line, min(max(place.x - across + left, 0), max(self.lines.columns - 1, 0)))

    def pan_text(self, columns: int, rows: int) -> bool:
        """Look so many cells further to the right and down; False if that changes nothing."""
        self._panned = (self._placed[2] + columns, self._placed[3] + rows) if self._placed else (0, 0)
        changed = self._place()
        self._panned = (self._placed[2], self._placed[3])
        if changed:
            self.refresh()
        return changed

    def follow_cursor(self) -> None:
        """Look where the cursor is again."""
        self._panned = None
        if self._place():
            self.refresh()

    # --- copying and searching -------------------------------------------------------------------

    def copy(self) -> str:
        """Put what is selected into the user's clipboard; the text, empty if nothing is."""
        return self.to_clipboard(self.marks.selected_text())

    def to_clipboard(self, text: str) -> str:
        """Put a text into the user's clipboard; what went there."""
        if text:
            text, whole = copied(text)
            self.app.copy_to_clipboard(text)
            self.post_message(self.Copied(self, text, whole))
        return text

    def search(self, text: str) -> int:
        """Mark all places where this stands, and show the last; how many there are. Nothing ends it.

        Raises:
            UsageError: it is too long.
        """
        found = self.marks.search(text)
        self._show_match()
        return found

    def search_next(self, step: int) -> bool:
        """Show the next place, or with -1 the one before; False if there is none."""
        found = self.marks.step(step)
        self._show_match()
        return found

    def _show_match(self) -> None:
        line = self.marks.current_line
        if line is not None and self._placed and self._row_of(line) is None:
            self.pan_text(0, line - self.content_size.height // 2 - self._placed[3])
        self.refresh()


def _width(lines: Sequence[tuple[Run, ...]]) -> int:
    """Cells of a picture, all of whose lines are of the same width."""
    return sum(cell_len(run.text) for run in lines[0]) if lines else 0
