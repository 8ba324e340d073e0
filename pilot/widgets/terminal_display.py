"""A terminal engine drawn on the screen: lines, cursor, what is selected and what was searched for."""

from __future__ import annotations

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from pilot.console.engine import Engine
from pilot.console.selection import copied
from pilot.widgets.terminal_marks import Marks
from pilot.widgets.terminal_painter import Painter, Span
from pilot.widgets.terminal_view import View

FRAME_SECONDS = 1 / 60
FLOODED = 6
"""Frames in a row in which all changed, after which only every third one is drawn: nobody reads a flood, and
what a frame takes is missing elsewhere."""


class Told(Message):
    """Base of what a terminal tells."""

    def __init__(self, terminal: TerminalDisplay) -> None:
        self.terminal = terminal
        super().__init__()

    @property
    def control(self) -> TerminalDisplay:
        """The terminal."""
        return self.terminal


class TerminalDisplay(Widget):
    """Shows an engine; draws only what changed, once a frame, and nothing while nothing changes."""

    ALLOW_SELECT = False
    ALLOW_MAXIMIZE = False

    DEFAULT_CSS = """
    TerminalDisplay {
        width: 1fr;
        height: 1fr;
        overflow: hidden;
    }
    """

    class Resized(Told):
        """There is room for so many columns and rows."""

        def __init__(self, terminal: TerminalDisplay, columns: int, rows: int) -> None:
            self.columns = columns
            self.rows = rows
            super().__init__(terminal)

    class Copied(Told):
        """A text went to the clipboard."""

        def __init__(self, terminal: TerminalDisplay, text: str, whole: bool) -> None:
            self.text = text
            self.whole = whole
            """Whether that is all: a clipboard takes so much and no more."""
            super().__init__(terminal)

    def __init__(
        self,
        engine: Engine,
        *,
        fixed: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Show an engine; call `engine_changed` whenever it has been fed.

        Args:
            engine: the terminal.
            fixed: the engine keeps its size, whatever the room is.
            name: Textual's.
            id: Textual's.
            classes: Textual's.
        """
        super().__init__(name=name, id=id, classes=classes)
        self.engine = engine
        self.fixed = fixed
        self.view = View(engine)
        self.marks = Marks(engine)
        self._painter = Painter()
        self._frames: Timer | None = None
        self._stale = True
        self._whole = 0
        """Frames in a row in which all changed."""
        self._drawn_for: tuple[object, ...] = ()
        self._cursor_row: int | None = None

    # --- what is shown ---------------------------------------------------------------------------

    def engine_changed(self) -> None:
        """The engine was fed: draw what changed with the next frame."""
        self._stale = True
        if self._frames is not None:
            self._frames.resume()

    def on_mount(self) -> None:
        """Begin to draw."""
        self._frames = self.set_interval(FRAME_SECONDS, self._frame, pause=True)
        self.engine_changed()

    def on_resize(self, event: events.Resize) -> None:
        """Tell how much room there is."""
        width, height = self.content_size
        self.view.width, self.view.height = width, height
        self.refresh()
        if not self.fixed and width > 0 and height > 0:
            self.post_message(self.Resized(self, width, height))

    def fix(self, fixed: bool) -> None:
        """Let the engine keep its size whatever the room is, or tell how much room there is."""
        self.fixed = fixed
        self.redraw()
        if not fixed and self.view.width > 0 and self.view.height > 0:
            self.post_message(self.Resized(self, self.view.width, self.view.height))

    def _frame(self) -> None:
        """Mark what changed since the frame before to be drawn; no more frames if nothing did."""
        if not self._stale:
            self._whole = 0
            if self._frames is not None:
                self._frames.pause()
            return
        if self._whole >= FLOODED and (self._whole - FLOODED) % 3:
            self._whole += 1
            return
        self._stale = False
        changed = self.engine.take_changed()
        engine, view = self.engine, self.view
        drawn_for = (
            engine.columns,
            engine.rows,
            view.top + engine.dropped,
            view.left,
            view.margin,
            engine.history > 0 or engine.modes.alternate_screen,
        )
        if changed is None or drawn_for != self._drawn_for:
            self._drawn_for = drawn_for
            self._whole += 1
            self._cursor_row = self._row_of_cursor()
            self.refresh()
            return
        self._whole = 0
        rows = {view.row_of(engine.history + row) for row in changed}
        cursor_row = self._row_of_cursor()
        rows |= {self._cursor_row, cursor_row}
        self._cursor_row = cursor_row
        if not view.following:
            rows.add(view.height - 1)
        regions = [Region(0, row, view.width, 1) for row in rows if row is not None]
        if regions:
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of the window."""
        # The first time before anybody tells of the size: what the engine has by then is seen at once.
        self.view.width, self.view.height = self.content_size
        self._painter.set_base(self.rich_style)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """A row of the window."""
        view, engine = self.view, self.engine
        width = view.width
        line = view.line_at(y)
        if line is None or width <= 0:
            return self._painter.blank(max(width, 0))
        across = view.margin[0]
        spans = [*self.marks.spans(line), *self._cursor_spans(line)]
        strip = self._painter.line(engine.line(line), view.left, min(width - across, engine.columns), spans)
        if across or strip.cell_length < width:
            strip = Strip.join(
                [
                    self._painter.blank(across),
                    strip,
                    self._painter.blank(width - across - strip.cell_length),
                ]
            )
        if y == view.height - 1 and not view.following:
            new = view.new_lines
            text = f"↓ {new:,} new line{'s' if new != 1 else ''}" if new else "↑ looking back"
            strip = self._painter.tagged(strip, text, width)
        return strip

    def _row_of_cursor(self) -> int | None:
        return self.view.row_of(self.engine.history + self.engine.cursor.row)

    def _cursor_spans(self, line: int) -> list[Span]:
        cursor = self.engine.cursor
        if not cursor.visible or line != self.engine.history + cursor.row:
            return []
        column = min(cursor.column, self.engine.columns - 1)
        cells = self.engine.cells(line)
        wide = column + 1 < len(cells) and not cells[column + 1]
        return [Span(column, column + (2 if wide else 1), "cursor" if self.has_focus else "place")]

    def look(self, lines: int) -> None:
        """Look so many lines further down, or with a negative number up."""
        if self.view.scroll(lines):
            self.redraw()

    def redraw(self) -> None:
        """Draw all of it with the next frame."""
        self._drawn_for = ()
        self.engine_changed()

    # --- copying and searching -------------------------------------------------------------------

    def copy(self) -> str:
        """Put what is selected into the user's clipboard; the text, empty if nothing is."""
        return self._to_clipboard(self.marks.selected_text())

    def copy_screen(self) -> str:
        """Put all that is in view into the user's clipboard; the text."""
        lines = [self.view.line_at(row) for row in range(self.view.height)]
        text = "\n".join(self.engine.text(line) for line in lines if line is not None).rstrip("\n")
        return self._to_clipboard(text)

    def _to_clipboard(self, text: str) -> str:
        if text:
            text, whole = copied(text)
            self.app.copy_to_clipboard(text)
            self.post_message(self.Copied(self, text, whole))
        return text

    def look_back(self, pages: float) -> None:
        """Look so many windows further down, or with a negative number up."""
        self.look(int(pages * max(self.view.height - 1, 1)))

    def look_at(self, line: int) -> None:
        """Bring a line, counted from the first that ever was, to the top, as far as there is more below."""
        if self.view.scroll(line - self.engine.dropped - self.view.top):
            self.redraw()

    def look_at_bottom(self) -> None:
        """Follow what is printed again."""
        if self.view.follow():
            self.redraw()

    def search(self, text: str) -> int:
        """Show the newest place where this stands, and mark all; how many there are. Nothing ends it."""
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
        if line is not None:
            self.view.show(line)
        self.redraw()
