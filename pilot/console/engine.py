"""What a terminal engine is to the rest of the project: bytes in, a screen of styled text out.

An engine has no widget and no connection. Lines are counted from the oldest of the scrollback: line 0 is the
oldest that is still kept, line `history` is the first of the screen. Columns and rows count from 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, Self

Colour = int | tuple[int, int, int] | None
"""A palette index (0 to 255), red green blue, or None for the terminal's default."""

MouseMode = Literal["", "click", "drag", "motion"]
"""What of the mouse the guest asked for: nothing; presses and releases; drags too; every movement."""


class Look(NamedTuple):
    """How a run of text looks."""

    foreground: Colour = None
    background: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    blink: bool = False
    reverse: bool = False
    conceal: bool = False
    strike: bool = False


class Run(NamedTuple):
    """Neighbouring cells that look the same. A wide character stands once and takes two cells."""

    text: str
    look: Look


class Cursor(NamedTuple):
    """Where the guest's cursor is on the screen."""

    column: int
    row: int
    visible: bool


class Modes(NamedTuple):
    """What the guest has asked of the terminal, as far as keys, mouse and paste depend on it."""

    alternate_screen: bool = False
    application_cursor: bool = False
    """Arrow keys are sent as ESC O x (DECCKM)."""
    application_keypad: bool = False
    bracketed_paste: bool = False
    mouse: MouseMode = ""
    mouse_sgr: bool = False
    """Mouse events in the SGR form (mode 1006), which has no limit of 223 columns."""
    focus_events: bool = False
    newline: bool = False
    """Enter sends CR LF (LNM)."""
    reverse_screen: bool = False
    """Foreground and background are exchanged on the whole screen (DECSCNM)."""


class Lines(Protocol):
    """What can be looked at, searched and selected: lines of cells."""

    @property
    def columns(self) -> int:
        """Width of the screen in cells."""

    @property
    def rows(self) -> int:
        """Height of the screen in cells."""

    @property
    def history(self) -> int:
        """Lines of scrollback above the screen; none while the alternate screen is shown."""

    @property
    def dropped(self) -> int:
        """Lines that the bounded scrollback has let go so far, less those that `put_above` has put there.

        The number of a line plus `dropped` stays the same for as long as the line is there.
        """

    @property
    def modes(self) -> Modes:
        """What the guest has asked for."""

    def line(self, number: int) -> tuple[Run, ...]:
        """A line of the scrollback or the screen, empty outside of both.

        Trailing blanks of default look are left out unless the line goes on in the next one.
        """

    def text(self, number: int) -> str:
        """The same as plain text; trailing spaces are left out unless the line goes on in the next one."""

    def cells(self, number: int) -> tuple[str, ...]:
        """What stands in each cell of a line, "" in the second of a wide character; for blanks see `line`."""

    def wrapped(self, number: int) -> bool:
        """Whether the line goes on in the next one because the screen was too narrow."""


class State(Protocol):
    """All that an engine is at a moment: screen, scrollback, modes, what was begun."""

    @property
    def cost(self) -> int:
        """About how many bytes it keeps from being let go; several may keep the same ones."""


class Engine(Lines, Protocol):
    """One terminal."""

    @property
    def cursor(self) -> Cursor:
        """Where the cursor is."""

    @property
    def title(self) -> str:
        """The title that the guest has set, without control characters, 200 characters at most."""

    @property
    def bells(self) -> int:
        """How often the bell has rung so far."""

    def feed(self, data: bytes) -> None:
        """Take what the guest printed, cut anywhere. Never raises, whatever the guest sends."""

    def take_answers(self) -> bytes:
        """What the terminal has to say to the guest's questions since it was last asked; bounded."""

    def resize(self, columns: int, rows: int) -> None:
        """Give the screen another size; what is on it and in the scrollback stays."""

    def reset(self) -> None:
        """Begin anew: an empty screen, no modes, no scrollback."""

    def state(self) -> State:
        """What it is now, to go back to; takes less than a millisecond."""

    def return_to(self, state: State) -> None:
        """Be what it was when it gave this, as if nothing had been printed since. May be done again."""

    def blank(self) -> Self:
        """Another terminal of the same sort and size, on which nothing has been printed."""

    def put_above(self, older: Self) -> int:
        """Put the lines of another terminal above the oldest that are here; how many there was room for.

        Not while the alternate screen is shown: the numbers of its lines would be others.
        """

    def take_changed(self) -> frozenset[int] | None:
        """Rows of the screen that changed since this was last asked; None for all of it."""
