"""Terminal modes while a stretch of output changes them, often many times: each change is cheap.

What a guest prints decides how many changes there are, so what one costs bounds what a guest can cost.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pilot.agent.consoles.modes import ALTERNATE, ASCII, AT_REST, MOUSE, ON_AT_REST, SWITCHES, Modes
from pilot.agent.consoles.rendition import Attributes, Rendition, change

_MAX_NUMBERS = 32
"""Parameters of a sequence that are read; xterm takes 30."""
_KEYPAD = 66
_CACHED = 1024

Charsets = tuple[bytes, bytes, bytes, bytes]


class Pen(NamedTuple):
    """What saving the cursor keeps, beside its place."""

    origin: bool
    charsets: Charsets
    shift: int
    attributes: Attributes
    """Not to be changed."""


class Draft:
    """Modes that can be changed. `value` reads them back."""

    __slots__ = (
        "_attributes", "_base", "_changed", "_own", "alternate", "charsets", "insert", "keypad", "mouse",
        "newline", "region", "saved", "shift", "style",
    )  # fmt: skip

    def __init__(self, modes: Modes, saved: Pen | None) -> None:
        """Begin with some modes and what was saved with the cursor."""
        self.saved = saved
        self._set(modes)

    def _set(self, modes: Modes) -> None:
        self._base = modes
        self._attributes: Attributes | None = None
        """None while it is the base's rendition."""
        self._own = False
        """Nobody else has these attributes."""
        self.alternate = modes.alternate
        self.region = modes.region
        self._changed = modes.changed
        self.mouse = modes.mouse
        self.insert = modes.insert
        self.newline = modes.newline
        self.keypad = modes.keypad
        self.style = modes.style
        self.charsets = modes.charsets
        self.shift = modes.shift

    def value(self) -> Modes:
        """The modes now; the very ones it began with if nothing is different."""
        attributes = self._attributes
        made = Modes(
            self.alternate,
            self.region,
            self._changed,
            self.mouse,
            self.insert,
            self.newline,
            self.keypad,
            self.style,
            self.charsets,
            self.shift,
            self._base.rendition if attributes is None else Rendition.of(attributes),
        )
        return self._base if made == self._base else made

    def render(self, parameters: bytes) -> None:
        """An SGR sequence."""
        if not self._own:
            self._attributes = dict(self._in_force())
            self._own = True
        assert self._attributes is not None
        change(self._attributes, parameters)

    def designate(self, slot: int, charset: bytes) -> None:
        """G0 to G3 is another character set now."""
        before = self.charsets
        if before[slot] != charset:
            after = list(before)
            after[slot] = charset
            self.charsets = (after[0], after[1], after[2], after[3])

    def save(self) -> None:
        """DECSC."""
        self.saved = self._pen()

    def restore(self) -> None:
        """DECRC: brings the pen and origin mode back, those at rest if none were saved."""
        if self.saved is None:
            self.charsets, self.shift, self._attributes = ASCII, 0, {}
        else:
            _, self.charsets, self.shift, self._attributes = self.saved
        self._own = False
        self._switch(6, self.saved is not None and self.saved.origin)

    def reset(self) -> None:
        """RIS."""
        self.saved = None
        self._set(AT_REST)

    def soft_reset(self) -> None:
        """DECSTR, which leaves the screen, the mouse and autowrap alone."""
        self._changed = self._changed - {1, 6, 25}
        self.region = b""
        self.insert = self.keypad = False
        self.charsets, self.shift, self._attributes, self._own = ASCII, 0, {}, False

    def switch(self, numbers: bytes, on: bool) -> None:
        """Private modes are set or reset."""
        was_alternate, pen = self.alternate, None
        modes = private_modes(numbers)
        if 1049 in modes:
            pen = self._pen()
        for mode in modes:
            if mode in SWITCHES:
                self._switch(mode, on)
            elif mode in MOUSE:
                self.mouse = mode if on else 0
            elif mode in ALTERNATE:
                self.alternate = mode if on else 0
            else:
                self.keypad = on
        if pen is not None and bool(was_alternate) != bool(self.alternate):
            if on:
                self.saved = pen
            else:
                self.restore()

    def _switch(self, mode: int, on: bool) -> None:
        away = on != (mode in ON_AT_REST)
        if away != (mode in self._changed):
            self._changed = self._changed ^ {mode}

    def _pen(self) -> Pen:
        self._attributes = self._in_force()
        self._own = False
        return Pen(6 in self._changed, self.charsets, self.shift, self._attributes)

    def _in_force(self) -> Attributes:
        return self._base.rendition.attributes() if self._attributes is None else self._attributes


@lru_cache(_CACHED)
def private_modes(numbers: bytes) -> tuple[int, ...]:
    """Those of a sequence's parameters that are private modes that are followed."""
    followed = SWITCHES | MOUSE | ALTERNATE | {_KEYPAD}
    parts = numbers.split(b";", _MAX_NUMBERS)[:_MAX_NUMBERS]
    modes = (int(part) for part in parts if part.isdigit() and len(part) < 6)
    return tuple(mode for mode in modes if mode in followed)
