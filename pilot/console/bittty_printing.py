"""Printing, new lines and scrolling in bittty's screen: nearly all that a console does, so done directly."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bittty.video import CONTINUATION, WideHead
from wcwidth import wcwidth

from pilot.console.bittty_edits import BLANK, PLAIN, blank_of

ScrolledOff = Callable[[list[Any], bool], None]
"""Told of a row that leaves the top of the normal screen: its cells, and whether its line goes on."""

_ACCENTS = 4
"""Characters without a width that a cell takes besides its own."""


_TABLES = 256
_TABLE = 512


class _Cells(dict[str, Any]):
    """The cells of a style, each made once: most of what a guest prints it has printed before."""

    def __init__(self, style: Any) -> None:
        super().__init__({BLANK[1]: BLANK} if style is PLAIN else {})
        self.style = style

    def __missing__(self, character: str) -> Any:
        cell = (self.style, character)
        if len(self) < _TABLE:
            self[character] = cell
        return cell


class Printing:
    """The operations that print and move down. There are no left and right margins here."""

    def __init__(self, board: Any, scrolled_off: ScrolledOff) -> None:
        self._board = board
        self._blitter = board.blitter
        self._cursor = board.cursor
        self._modes = board.modes
        self._style = board.style
        self._translate = board.charset.translate
        self._write = board.blitter.write_text
        self._scrolled_off = scrolled_off
        self._cells: dict[int, _Cells] = {}

    def install(self, registry: dict[str, Any]) -> None:
        """Take the place of the board's own."""
        self._board.print_text = self.print_text
        self._blitter.scroll = self.scroll
        self._cursor.line_feed = self.line_feed
        registry["C0_CRLF"] = self._new_line
        registry["NEL"] = self._new_line
        for name in ("C0_LF", "C0_VT", "C0_FF", "IND"):
            registry[name] = lambda _operation: self.line_feed()
        registry["CUP"] = registry["HVP"] = self._position

    def print_text(self, text: str) -> None:
        """Print characters at the cursor, wrapping at the right."""
        printed = self._translate(text)
        if not printed.isascii() and not all(
            character < "\u0300" or _width(character) == 1 for character in set(printed)
        ):
            self._print_any(text)
            return
        if self._modes.insert_mode:
            self._write(text, self._style.current)
            return
        blitter, cursor, style = self._blitter, self._cursor, self._style.current
        width = blitter.width
        known = self._cells.get(id(style))
        table = known.__getitem__ if known is not None and known.style is style else self._table(style)
        while printed:
            left = cursor.x
            if left >= width:
                if self._modes.auto_wrap:
                    self.line_feed(is_wrapped=True)
                    left = 0
                else:
                    left = width - 1
            right = left + len(printed)
            chunk = printed
            if right > width:
                right = width
                chunk = printed[: width - left]
            page, row = blitter.current_page, cursor.y
            cells = page.grid[row]
            if cells[left][1] == CONTINUATION or (right < width and cells[right][1] == CONTINUATION):
                page.set(left, row, chunk, style)
            else:
                cells[left:right] = map(table, chunk)
                page.row_gen[row] = page.generation
            cursor.x = right
            if right == width:
                cursor.mark_pending_wrap((0, width))
            printed = printed[len(chunk) :]
        blitter.last_printed_char = text[-1]

    def _table(self, style: Any) -> Callable[[str], Any]:
        if len(self._cells) >= _TABLES:
            self._cells.clear()
        self._cells[id(style)] = cells = _Cells(style)
        return cells.__getitem__

    def line_feed(self, is_wrapped: bool = False, print_trigger: str | None = None) -> None:
        """One row down, scrolling at the bottom of the region; `print_trigger` is for bittty's printers."""
        blitter, cursor = self._blitter, self._cursor
        row, width = cursor.y, blitter.width
        if is_wrapped:
            blitter.current_page.wrapped_lines[row] = True
        if cursor.x >= width:
            cursor.x = width - 1
        if row == blitter.scroll_bottom:
            self.scroll(1)
        elif row < blitter.rows - 1:
            cursor.y = row + 1
        if is_wrapped or self._modes.linefeed_newline_mode:
            cursor.x = 0

    def scroll(self, lines: int) -> None:
        """Scroll the region, up if the number is positive."""
        blitter = self._blitter
        page = blitter.current_page
        top, bottom = blitter.scroll_top, blitter.scroll_bottom
        count = min(abs(lines), bottom - top + 1)
        if lines > 0 and top == 0 and not blitter.in_alt_screen:
            for row in range(count):
                self._scrolled_off(page.grid[row], page.wrapped_lines[row])
        old, new = (top, bottom + 1) if lines > 0 else (bottom + 1 - count, top)
        # Deleting first where the region ends above it would shift the place of the new rows.
        blank = blank_of(self._style.current)
        grid, wrapped = page.grid, page.wrapped_lines
        if lines > 0:
            grid[new:new] = [[blank] * page.width for _ in range(count)]
            wrapped[new:new] = [False] * count
        del grid[old : old + count], wrapped[old : old + count]
        if lines <= 0:
            grid[new:new] = [[blank] * page.width for _ in range(count)]
            wrapped[new:new] = [False] * count
        if top == 0 and bottom == page.height - 1:
            page.page_gen = page.generation
        else:
            page.row_gen[top : bottom + 1] = [page.generation] * (bottom + 1 - top)

    def _new_line(self, _operation: object) -> None:
        self._cursor.x = 0
        self.line_feed()

    def _position(self, operation: Any) -> None:
        """CUP and HVP."""
        column, row = operation.args
        blitter, cursor = self._blitter, self._cursor
        if self._modes.origin_mode:
            cursor.move_to(column, row)
            return
        cursor.x = column if 0 <= column < blitter.width else max(0, min(column, blitter.width - 1))
        cursor.y = row if 0 <= row < blitter.rows else max(0, min(row, blitter.rows - 1))

    def _print_any(self, text: str) -> None:
        """Print text in which characters may be wide, or without a width: these join the one before."""
        start = 0
        for place, character in enumerate(text):
            if character > "\u02ff" and not _width(character):
                if start < place:
                    self._write(text[start:place], self._style.current)
                self._join(character)
                start = place + 1
        if start < len(text):
            self._write(text[start:], self._style.current)

    def _join(self, character: str) -> None:
        page, row = self._blitter.current_page, self._cursor.y
        cells = page.grid[row]
        column = min(self._cursor.x, len(cells)) - 1
        if column > 0 and cells[column][1] == CONTINUATION:
            column -= 1
        if column < 0:
            return
        style, text = cells[column]
        if text and len(text) <= _ACCENTS:
            kind = WideHead if isinstance(text, WideHead) else str
            cells[column] = (style, kind(text + character))
            page.row_gen[row] = page.generation


@lru_cache(4096)
def _width(character: str) -> int:
    return wcwidth(character)
