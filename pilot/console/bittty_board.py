"""bittty's terminal, cut down to what a console needs.

bittty emulates far more than a guest may have here: printers, macros, downloaded keys, checksums of the
screen, clipboard, windows. What is not on the list below is taken out, so that nothing else can be reached.
Some operations are replaced: where bittty erases with more than the background colour, and where a few bytes
would make it work for long. What they do is in xterm's document of control sequences (ctlseqs), and done as
tmux does it, which the tests compare with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bittty import mode_profiles as modes
from bittty.devices.board import Board
from bittty.model import XTERM
from bittty.options import EDITING
from bittty.parser import Parser
from bittty.style import Style

from pilot.console.bittty_edits import BLANK, PLAIN, Edits
from pilot.console.bittty_printing import Printing, ScrolledOff

_NAMES = (
    "C0_BEL C0_BS C0_HT C0_LF C0_VT C0_FF C0_CR C0_CRLF C0_SO C0_SI C0_DEL IND RI NEL HTS ST PRINT SGR "
    "CUP HVP CUU CUD CUF CUB CHA HPA HPR VPA VPR CNL CPL CHT CBT TBC DECSCUSR SAVE RESTORE DECSLRM "
    "ED EL IL DL DCH ICH ECH SU SD REP DECSTBM DECSTR DECALN SCS_G0 SCS_G1 SM RM DECSET DECRST "
    "DECKPAM DECKPNM CPR DSR DA1 DA2"
)
_OPERATIONS = frozenset(_NAMES.split())
_MODEL = replace(
    XTERM,
    da1_response="\x1b[?62;1;6;22c",  # A VT220 of 132 columns, with selective erase and colour.
    da3_response=None,
    options=frozenset(),
    control_capabilities=EDITING,
    mode_capabilities=frozenset(
        {
            modes.ANSI_INSERT, modes.ANSI_NEWLINE, modes.DEC_CURSOR_APPLICATION, modes.DEC_REVERSE_SCREEN,
            modes.DEC_ORIGIN, modes.DEC_AUTOWRAP, modes.DEC_CURSOR_VISIBLE, modes.XTERM_CURSOR_BLINK,
            modes.XTERM_REVERSE_WRAP, modes.XTERM_ALT_SCREEN_47, modes.XTERM_ALT_SCREEN_1047,
            modes.XTERM_SAVE_CURSOR_1048, modes.XTERM_ALT_SCREEN_1049, modes.XTERM_MOUSE_NORMAL,
            modes.XTERM_MOUSE_BUTTON, modes.XTERM_MOUSE_ANY, modes.XTERM_MOUSE_SGR, modes.XTERM_FOCUS,
            modes.XTERM_BRACKETED_PASTE,
        }
    ),
    macro_space=None,
    upss=None,
    keyboard_types=None,
    power_on_modes=frozenset(),
    fixed_modes=frozenset(),
    reflows=True,
)  # fmt: skip

_STYLES = 4096
"""Styles that are remembered with what leads from one to the next."""
_ACCENTS = 4
"""Characters without a width that a cell takes besides its own."""


def make_board(columns: int, rows: int, scrolled_off: ScrolledOff) -> Any:
    """A board whose `display` and `host` are still free.

    `scrolled_off` is told of the rows that leave the top of the normal screen, before they do: the cells, and
    whether the line goes on in the next row.
    """
    board = Board(width=columns, height=rows, model=_MODEL)
    for page in board.blitter.videos:
        page.grid = [[BLANK] * columns for _ in range(rows)]
    registry = board.registry
    for name in registry.keys() - _OPERATIONS:
        del registry[name]
    Styles(board).install(registry)
    Edits(board).install(registry)
    Printing(board, scrolled_off).install(registry)
    board.parser = Parser(board)  # A parser takes the operations when it is made.
    return board


class Styles:
    """Styles without what makes no difference, each one object only, and what SGR makes of them."""

    def __init__(self, board: Any) -> None:
        self._device = board.style
        board.style.current = PLAIN
        self._known: dict[Any, Any] = {PLAIN: PLAIN}
        self._after: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._compute = board.registry["SGR"]

    def install(self, registry: dict[str, Any]) -> None:
        registry["SGR"] = self.select

    def select(self, operation: Any) -> None:
        """SGR: the rendition of what is printed from now on."""
        device = self._device
        current = device.current
        entry = self._after.get(id(current))
        if entry is None or entry[0] is not current:
            if len(self._after) >= _STYLES:
                self._after.clear()
            entry = self._after[id(current)] = (current, {})
        known = entry[1].get(operation.raw)
        if known is None:
            self._compute(operation)
            if len(entry[1]) >= 256:
                entry[1].clear()
            known = entry[1][operation.raw] = self._one(device.current)
        device.current = known

    def _one(self, style: Any) -> Any:
        plain = Style(
            fg=_colour(style.fg),
            bg=_colour(style.bg),
            **{name: True for name in _ATTRIBUTES if getattr(style, name)},
        )
        if len(self._known) >= _STYLES:
            self._known.clear()
        return self._known.setdefault(plain, plain)


_ATTRIBUTES = ("bold", "dim", "italic", "underline", "blink", "reverse", "conceal", "strike")


def _colour(colour: Any) -> Any:
    return None if colour is None or colour.mode == "default" else colour
