"""The terminal engine that consoles run on: bittty behind what `pilot.console.engine` asks for.

Importing this takes a while: import it when a console opens.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from bittty.devices.modes import MouseEncoding, MouseProtocol
from bittty.present import Bell, RowsScrolledOff

from pilot.console.bittty_board import make_board
from pilot.console.bittty_edits import BLANK
from pilot.console.engine import Colour, Cursor, Look, Modes, MouseMode, Run, State
from pilot.console.guest_title import GuestTitle
from pilot.console.scrollback import Cell, Kept, Scrollback
from pilot.console.snapshots import Snapshot
from pilot.terminal_filter import TerminalFilter

log = logging.getLogger(__name__)

SCROLLBACK_LINES = 10_000
SCROLLBACK_BYTES = 64 * 1024 * 1024
"""About what the scrollback takes at most, whatever a guest prints; 10,000 usual lines take a tenth."""
MAX_ANSWERS = 1024
"""Bytes of answers that wait to be taken; more are dropped, since nobody waits for thousands."""
MAX_COLUMNS = 1000
MAX_ROWS = 500

_MOUSE: dict[Any, MouseMode] = {
    MouseProtocol.NORMAL: "click",
    MouseProtocol.BUTTON: "drag",
    MouseProtocol.ANY: "motion",
}
_style, _text = itemgetter(0), itemgetter(1)


class BitttyEngine:
    """One terminal, an `Engine`.

    What the guest prints goes through `TerminalFilter` first: an allow-list, so that of bittty's many
    features those are reached only that a console needs, and its parser never waits for the rest of anything.
    """

    def __init__(self, columns: int = 80, rows: int = 24, scrollback: int = SCROLLBACK_LINES) -> None:
        """`scrollback` is how many lines are kept above the screen."""
        self._scrollback_lines = scrollback
        self.faults = 0
        """How often the emulator failed at what the guest printed; what was left of that was not shown."""
        self._bells = 0
        self._start(*_size(columns, rows))

    def _start(self, columns: int, rows: int) -> None:
        self._filter = TerminalFilter(answers=True, emulated=True)
        self._title = GuestTitle()
        self._answers = _Answers()
        self._lines = Scrollback(self._scrollback_lines, SCROLLBACK_BYTES)
        self._board = make_board(columns, rows, self._scrolled_off)
        self._board.host.attach(self._answers)
        self._board.display.attach(_Events(self))
        self._seen: tuple[Any, int] = (None, 0)

    @property
    def columns(self) -> int:
        return int(self._board.width)

    @property
    def rows(self) -> int:
        return int(self._board.height)

    @property
    def history(self) -> int:
        return 0 if self._board.blitter.in_alt_screen else len(self._lines)

    @property
    def dropped(self) -> int:
        return self._lines.dropped

    @property
    def cursor(self) -> Cursor:
        cursor = self._board.cursor
        return Cursor(cursor.display_x, cursor.y, bool(self._board.modes.cursor_visible))

    @property
    def modes(self) -> Modes:
        modes, mouse = self._board.modes, self._board.mouse
        return Modes(
            alternate_screen=self._board.blitter.in_alt_screen,
            application_cursor=modes.cursor_application_mode,
            application_keypad=modes.application_keypad,
            bracketed_paste=modes.bracketed_paste,
            mouse=_MOUSE.get(mouse.protocol, ""),
            mouse_sgr=mouse.encoding is MouseEncoding.SGR,
            focus_events=modes.focus_reporting,
            newline=modes.linefeed_newline_mode,
            reverse_screen=modes.reverse_screen,
        )

    @property
    def title(self) -> str:
        return self._title.text

    @property
    def bells(self) -> int:
        return self._bells

    def feed(self, data: bytes) -> None:
        self._title.feed(data)
        text = self._filter.feed(data).decode("utf-8", "replace")
        try:
            self._board.parser.feed(text)
        except Exception:
            # An emulator's fault must cost a few characters, not the console.
            self.faults += 1
            self._board.parser.reset()
            if self.faults == 1:
                log.exception("the terminal emulator failed at what a guest printed")

    def take_answers(self) -> bytes:
        return self._answers.take()

    def resize(self, columns: int, rows: int) -> None:
        columns, rows = _size(columns, rows)
        if columns == self.columns and rows < self.rows:
            self._make_room(rows)
        grown = rows - self.rows if columns == self.columns else 0
        self._board.resize(columns, rows)
        if grown > 0:
            self._bring_back(grown)
        self._seen = (None, 0)

    def reset(self) -> None:
        self._start(self.columns, self.rows)

    def state(self) -> State:
        return Snapshot(self, self._lines.cost)

    def return_to(self, state: State) -> None:
        assert isinstance(state, Snapshot)
        state.bring_back()
        self._seen = (None, 0)

    def blank(self) -> BitttyEngine:
        return BitttyEngine(self.columns, self.rows, self._scrollback_lines)

    def put_above(self, older: BitttyEngine) -> int:
        return self._lines.put_above(older._everything())

    def _everything(self) -> list[Kept]:
        """The scrollback and the normal screen as they would be kept, down to the last line begun."""
        blitter, cursor = self._board.blitter, self._board.cursor
        page = blitter.primary_page
        last = (cursor.saved[False].y if blitter.in_alt_screen else cursor.y) - 1
        rows = [Kept.of(cells, page.wrapped_lines[row], BLANK) for row, cells in enumerate(page.grid)]
        while rows and len(rows) - 1 > last and not rows[-1].width:
            rows.pop()
        return [*self._lines, *rows]

    def line(self, number: int) -> tuple[Run, ...]:
        return tuple(
            Run("".join(map(_text, cells)), look(style))
            for style, cells in groupby(self._kept(number).cells(), key=_style)
        )

    def text(self, number: int) -> str:
        kept = self._kept(number)
        return kept.text if kept.wrapped else kept.text.rstrip(" ")

    def cells(self, number: int) -> tuple[str, ...]:
        return tuple(self._kept(number).texts())

    def wrapped(self, number: int) -> bool:
        return self._kept(number).wrapped

    def take_changed(self) -> frozenset[int] | None:
        page = self._board.blitter.main_page
        seen_page, generation = self._seen
        state = (page, bool(self._board.modes.reverse_screen))
        changed = page.dirty_rows(generation) if seen_page == state else range(page.height)
        self._seen = (state, page.observe())
        return None if len(changed) >= page.height else frozenset(changed)

    def _kept(self, number: int) -> Kept:
        """A line of the scrollback, or one of the screen as it would be kept; else an empty one."""
        history = self.history
        page = self._board.blitter.main_page
        if 0 <= number < history:
            return self._lines[number]
        row = number - history
        if not 0 <= row < page.height:
            return Kept("", None, (), (), False)
        return Kept.of(page.grid[row], page.wrapped_lines[row], BLANK)

    def _scrolled_off(self, cells: list[Cell], wrapped: bool) -> None:
        self._lines.append(Kept.of(cells, wrapped, BLANK))

    def _happened(self, event: object) -> None:
        if isinstance(event, Bell):
            self._bells += 1
        elif isinstance(
            event, RowsScrolledOff
        ):  # Only when lines are wrapped anew: see the board's own scrolling.
            for line in event.lines:
                self._scrolled_off(list(line.cells), line.wrapped)

    def _make_room(self, rows: int) -> None:
        """Before the screen gets lower: blank lines below the cursor go first, then those at the top."""
        blitter, cursor = self._board.blitter, self._board.cursor
        page = blitter.primary_page
        saved = cursor.saved[False]
        row = saved.y if blitter.in_alt_screen else cursor.y
        excess = page.height - rows
        last = page.height - 1
        while excess and last > row and not Kept.of(page.grid[last], False, BLANK).width:
            last, excess = last - 1, excess - 1
        leaving = min(excess, row)
        if not leaving:
            return
        for top in range(leaving):
            self._scrolled_off(page.grid[top], page.wrapped_lines[top])
        page.scroll_up(leaving)
        cursor.saved[False] = replace(saved, y=max(0, saved.y - leaving))
        if not blitter.in_alt_screen:
            cursor.set_position(cursor.x, row - leaving)

    def _bring_back(self, rows: int) -> None:
        """After the screen has got higher by `rows`: lines come back from the scrollback if it was full."""
        blitter, cursor = self._board.blitter, self._board.cursor
        page = blitter.primary_page
        if blitter.in_alt_screen or cursor.y != page.height - rows - 1:
            return
        back = list[Kept]()
        while len(back) < rows and len(self._lines) and self._lines[-1].width <= page.width:
            back.append(self._lines.pop())
        page.scroll_down(len(back))
        for row, line in enumerate(reversed(back)):
            cells = line.cells()
            page.grid[row][: len(cells)] = cells
            page.normalize_row(row)
            page.wrapped_lines[row] = line.wrapped
        cursor.set_position(cursor.x, cursor.y + len(back))


class _Answers:
    """What the terminal has to say, kept until it is taken: bittty's connection to the guest."""

    closed = False

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: str) -> int:
        return self.write_bytes(data.encode())

    def write_bytes(self, data: bytes) -> int:
        if len(self._kept) + len(data) <= MAX_ANSWERS:
            self._kept += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def resize(self, rows: int, cols: int) -> None:
        """A serial line has no size to tell."""

    def take(self) -> bytes:
        answers = bytes(self._kept)
        self._kept.clear()
        return answers


class _Events:
    """What bittty reports to: a display that wants the lines that leave the screen."""

    keeps_scrollback = True

    def __init__(self, engine: BitttyEngine) -> None:
        self.present = engine._happened  # noqa: SLF001 - a part of the engine


@lru_cache(4096)
def look(style: Any) -> Look:
    """How text of one of bittty's styles looks."""
    return Look(
        _colour(style.fg),
        _colour(style.bg),
        *(
            bool(getattr(style, name))
            for name in ("bold", "dim", "italic", "underline", "blink", "reverse", "conceal", "strike")
        ),
    )


def _colour(colour: Any) -> Colour:
    value: Colour = None if colour is None or colour.mode == "default" else colour.value
    return value


def _size(columns: int, rows: int) -> tuple[int, int]:
    # Two columns, since a wide character has no place in one.
    return max(2, min(columns, MAX_COLUMNS)), max(1, min(rows, MAX_ROWS))
