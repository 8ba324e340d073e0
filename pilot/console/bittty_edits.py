"""Erasing, inserting and repeating in bittty's screen, where bittty does otherwise or takes long."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bittty.style import Style

_STYLES = 4096


PLAIN = Style()
"""The default style: everywhere the same object, since comparing two equal ones takes long."""
BLANK = (PLAIN, " ")
"""A cell where nothing has ever been written."""


def blank_of(style: Any) -> Any:
    """A cell erased while a style is selected."""
    return BLANK if style.bg is None else _coloured(style)


@lru_cache(_STYLES)
def _coloured(style: Any) -> Any:
    return Style(bg=style.bg), " "


class Edits:
    """Erasing, inserting and repeating: what is cleared takes the background colour and nothing else."""

    def __init__(self, board: Any) -> None:
        self._board = board
        self._blitter = board.blitter
        self._cursor = board.cursor

    def install(self, registry: dict[str, Any]) -> None:
        handlers: dict[str, Callable[[int], None]] = {
            "ED": self._erase_display,
            "EL": self._erase_line,
            "ECH": self._erase_characters,
            "ICH": lambda count: self._shift(-count),
            "DCH": self._shift,
            "REP": self._repeat,
            "CHT": lambda count: self._tabs(count, self._cursor.horizontal_tab),
            "CBT": lambda count: self._tabs(count, lambda: registry_backward(1)),
        }
        registry_backward = self._cursor.backward_tab
        for name, handler in handlers.items():
            registry[name] = lambda operation, handler=handler: handler(operation.args[0])
        registry["DECALN"] = lambda _operation: self._align()

    def _blank(self) -> Any:
        return blank_of(self._board.style.current)

    def _clear_rows(self, first: int, end: int) -> None:
        page = self._blitter.current_page
        blank = self._blank()
        for row in range(first, end):
            page.grid[row] = [blank] * page.width
            page.wrapped_lines[row] = False
            page.row_gen[row] = page.generation

    def _erase_display(self, mode: int) -> None:
        self._cursor.cancel_pending_wrap()
        row = self._cursor.y
        if mode == 0:
            self._erase_line(0)
            self._clear_rows(row + 1, self._blitter.rows)
        elif mode == 1:
            self._clear_rows(0, row)
            self._erase_line(1)
        elif mode == 2:
            self._clear_rows(0, self._blitter.rows)

    def _erase_line(self, mode: int) -> None:
        self._cursor.cancel_pending_wrap()
        row = self._cursor.y
        if mode == 2:
            self._clear_rows(row, row + 1)
        elif mode in (0, 1):
            self._blitter.current_page.clear_line(row, mode, self._cursor.x, self._blank()[0])

    def _erase_characters(self, count: int) -> None:
        self._cursor.cancel_pending_wrap()
        left, row = self._cursor.x, self._cursor.y
        self._blitter.current_page.clear_region(left, row, left + count - 1, row, self._blank()[0])

    def _shift(self, count: int) -> None:
        """Pull what is right of the cursor to it by `count` cells, or push it away."""
        self._cursor.cancel_pending_wrap()
        page, left, row = self._blitter.current_page, self._cursor.x, self._cursor.y
        number = min(abs(count), page.width - left)
        blanks = [self._blank()] * number
        rest = page.grid[row][left:]
        cells = rest[number:] + blanks if count > 0 else blanks + rest[: len(rest) - number]
        page.replace_cells(left, row, cells, self._blank()[0])

    def _repeat(self, count: int) -> None:
        """REP, to the end of the line at most: so does tmux, and no guest prints much with few bytes."""
        blitter = self._blitter
        count = min(count, blitter.width - self._cursor.display_x)
        if blitter.last_printed_char:
            blitter.write_text(blitter.last_printed_char * count)

    def _tabs(self, count: int, step: Callable[[], None]) -> None:
        for _ in range(count):
            before = self._cursor.x
            step()
            if self._cursor.x == before:
                break

    def _align(self) -> None:
        """DECALN: a screen of E, without margins, the cursor at home."""
        blitter, page = self._blitter, self._blitter.current_page
        blitter.set_scroll_region(0, blitter.rows - 1)
        self._cursor.set_position(0, 0)
        for row in range(blitter.rows):
            page.grid[row] = [(PLAIN, "E")] * page.width
            page.wrapped_lines[row] = False
            page.row_gen[row] = page.generation
