"""Whether the user's terminal shows pictures by Kitty's protocol, and what is sent to it beside the cells.

Capability is the terminal's own word: it is asked for graphics and for its name, since more terminals know
the protocol than its Unicode placeholders. Nothing is asked where the answer would go astray.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App

from pilot.vnc import kitty_protocol as protocol

ANSWER_SECONDS = 2.0
"""After which a picture is taken for shown though the terminal has not said so."""
USUAL_PIXELS = (8, 16)
MOST_PIXELS = 128
_PLACED = ("kitty", "ghostty")
"""Terminals that know placeholders, as they name themselves."""
_MUTE = ("linux", "dumb", "vt")
"""Terminals that print what they do not know."""


class TerminalGraphics:
    """Of one app's terminal."""

    def __init__(
        self,
        app: App[Any],
        wanted: str = "auto",
        *,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is asked yet.

        Args:
            app: whose terminal it is.
            wanted: `kitty` uses graphics unasked, also through tmux; `auto` if the terminal says it has them.
            environment: of the process.
            monotonic: seconds of a clock that is never set.
        """
        self.capable = False
        self._app = app
        self._wanted = wanted
        self._environment = environment
        self._monotonic = monotonic
        self._asked = False
        self._ok = False
        self._named = False
        self._waiting: tuple[int, float] | None = None
        self._told: list[Callable[[], None]] = []

    @property
    def in_tmux(self) -> bool:
        """A multiplexer is in between, which takes what it is not told to hand on."""
        term = self._environment.get("TERM", "")
        return bool(self._environment.get("TMUX")) or term.startswith(("tmux", "screen"))

    def find_out(self, told: Callable[[], None]) -> None:
        """Ask the terminal, if that has not been done; `told` is called when `capable` is another."""
        self._told.append(told)
        if self.capable:
            told()
        if self._asked:
            return
        self._asked = True
        if self._app.is_headless or self._app.console.color_system != "truecolor" or self._app.no_color:
            # A cell's colour is the id of its picture.
            return
        if self._wanted == "kitty":
            self._set(True)
        elif self._wanted == "auto" and not self.in_tmux and self._may_be_asked:
            self.write(protocol.question())

    def let_go(self, told: Callable[[], None]) -> None:
        """Tell it no more."""
        self._told.remove(told)

    @property
    def _may_be_asked(self) -> bool:
        environment = self._environment
        return not environment.get("TERM", "").startswith(_MUTE) and (
            environment.get("TERM_PROGRAM") != "Apple_Terminal"
        )

    def answered(self, text: str) -> None:
        """Take an answer of the terminal's."""
        if (answer := protocol.read_answer(text)) is None:
            self._named = any(name in text.lower() for name in _PLACED)
        else:
            id, words = answer
            if id != protocol.PROBE:
                self._shown(id, words == "OK")
                return
            self._ok = words == "OK"
        if self._ok and (self._named or self._is_named_outside):
            self._set(True)

    def _shown(self, id: int, well: bool) -> None:
        """The terminal has taken a picture, or cannot."""
        if self._waiting is not None and self._waiting[0] == id:
            self._waiting = None
        if not well:
            self._set(False)

    @property
    def _is_named_outside(self) -> bool:
        environment = self._environment
        names = (environment.get("TERM", ""), environment.get("TERM_PROGRAM", ""))
        return bool(environment.get("KITTY_WINDOW_ID")) or any(
            known in name.lower() for name in names for known in _PLACED
        )

    def _set(self, capable: bool) -> None:
        if capable != self.capable:
            self.capable = capable
            for told in tuple(self._told):
                told()

    # --- sending ---------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """The terminal has not said yet that it has what was sent last: send nothing more."""
        return self._waiting is not None and self._monotonic() < self._waiting[1]

    def send(self, pictures: bytes, last: int | None) -> None:
        """Send pictures, to be shown together; the terminal is to answer for the `last` of them."""
        if not pictures or self._app.is_headless:
            return
        self._waiting = (last, self._monotonic() + ANSWER_SECONDS) if last is not None else None
        self.write(_TOGETHER[0] + pictures + _TOGETHER[1])

    def write(self, data: bytes) -> None:
        """Write to the terminal, in order with what the app draws."""
        driver = self._app._driver  # noqa: SLF001 - as Textual's own clipboard and bell do
        if driver is not None and not self._app.is_headless:
            driver.write(data.decode("ascii"))


def cell_pixels() -> tuple[int, int]:
    """Pixels of a cell of the user's terminal, across and down; an assumption where it does not say."""
    for file in (sys.__stdout__, sys.__stderr__):
        if file is None:
            continue
        try:
            size = fcntl.ioctl(file.fileno(), termios.TIOCGWINSZ, bytes(8))
        except (OSError, ValueError):
            continue
        rows, columns, width, height = struct.unpack("HHHH", size)
        if rows and columns and width >= columns and height >= rows:
            return min(width // columns, MOST_PIXELS), min(height // rows, MOST_PIXELS)
    return USUAL_PIXELS


_TOGETHER = (b"\x1b[?2026h", b"\x1b[?2026l")
"""Around what a terminal shows at once, if it knows that (synchronized output); else it is ignored."""
