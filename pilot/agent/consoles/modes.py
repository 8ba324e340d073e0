"""The modes of a terminal: followed over what was printed, left and restored.

A screen can only be rebuilt from a part of what was printed if the terminal is first put into the modes
that were in force where the part begins. This follows modes, not the screen: what a cell holds and where
the cursor is cannot be had without emulating the terminal.

Sources: ECMA-48 and the VT510 manual for the sequences, the xterm control sequences document for private
modes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilot.agent.consoles.rendition import PLAIN, Rendition

ALTERNATE = frozenset({47, 1047, 1049})
"""Private modes that switch to the alternate screen; 1049 saves and restores the cursor too."""
MOUSE = frozenset({9, 1000, 1001, 1002, 1003})
"""Private modes that report the mouse: one of them at a time."""
SWITCHES = frozenset({1, 5, 6, 7, 12, 25, 45, 1004, 1005, 1006, 1015, 2004})
"""Other private modes that are followed: keys, reverse video, origin, autowrap, cursor, paste and so on."""
ON_AT_REST = frozenset({7, 25})
"""Autowrap and the visible cursor are on in a terminal at rest; all other modes are off."""
ASCII = (b"B", b"B", b"B", b"B")

CANCEL = b"\x18"
"""Ends whatever sequence or string the terminal is in the middle of."""
CLEAR = b"\x1b[H\x1b[2J"
BOTTOM = b"\x1b[999;1H"
"""The last line: where the cursor is in all that scrolls."""

RESET = (
    CANCEL
    + b"\x1b[?1049l\x1b[?6l\x1b[r\x1b[4l\x1b[20l\x1b>\x1b[0 q"
    + b"".join(b"\x1b[?%dl" % mode for mode in sorted((SWITCHES | MOUSE) - ON_AT_REST - {6}))
    + b"\x1b[?7h\x1b[?25h\x1b(B\x1b)B\x0f\x1b[m"
)
"""Puts a terminal in any state at rest. Its cursor ends anywhere."""


@dataclass(frozen=True, slots=True)
class Modes:
    """What a terminal is set to; the defaults are a terminal at rest."""

    alternate: int = 0
    """The private mode by which the alternate screen was entered; 0 on the main screen."""
    region: bytes = b""
    """Parameters of the scroll region; empty for the whole screen."""
    changed: frozenset[int] = frozenset()
    """Of SWITCHES, those that are not as in a terminal at rest."""
    mouse: int = 0
    insert: bool = False
    newline: bool = False
    keypad: bool = False
    style: bytes = b""
    """The cursor's shape (DECSCUSR)."""
    charsets: tuple[bytes, bytes, bytes, bytes] = ASCII
    """Designations of G0 to G3."""
    shift: int = 0
    """Which of them is in use."""
    rendition: Rendition = PLAIN

    @property
    def full_screen(self) -> bool:
        """Whether a program that paints the whole screen seems to run."""
        return bool(self.alternate or self.region or self.changed & {1, 6, 25})

    def enter(self) -> bytes:
        """From a terminal at rest: these modes, an empty screen, the cursor on its last line."""
        out = bytearray(b"\x1b[?%dh" % self.alternate if self.alternate else b"")
        if self.region:
            out += b"\x1b[" + self.region + b"r"
        for mode in sorted(self.changed):
            out += b"\x1b[?%d%c" % (mode, 0x6C if mode in ON_AT_REST else 0x68)
        if self.mouse:
            out += b"\x1b[?%dh" % self.mouse
        out += (b"\x1b[20h" if self.newline else b"") + (b"\x1b=" if self.keypad else b"")
        if self.style:
            out += b"\x1b[" + self.style + b" q"
        out += CLEAR + BOTTOM + self.pen()
        return bytes(out + (b"\x1b[4h" if self.insert else b""))

    def pen(self) -> bytes:
        """From a terminal at rest: how characters are drawn, that is colours and character sets."""
        out = bytearray()
        for slot, charset in enumerate(self.charsets):
            if charset != b"B":
                out += b"\x1b" + b"()*+"[slot : slot + 1] + charset
        out += (b"", b"\x0e", b"\x1bn", b"\x1bo")[self.shift]
        return bytes(out) + self.rendition.sequence()

    def plain_pen(self) -> bytes:
        """From these modes: characters are drawn as in a terminal at rest."""
        out = b"".join(
            b"\x1b" + b"()*+"[slot : slot + 1] + b"B"
            for slot, charset in enumerate(self.charsets)
            if charset != b"B"
        )
        return out + (b"\x0f" if self.shift else b"") + (b"\x1b[m" if self.rendition else b"")

    def leave(self) -> bytes:
        """From these modes to a terminal at rest, with what is on the screen kept as far as that goes."""
        out = bytearray(self.plain_pen())
        out += b"\x1b[4l" if self.insert else b""
        for mode in sorted(self.changed):
            out += b"\x1b[?%d%c" % (mode, 0x68 if mode in ON_AT_REST else 0x6C)
        out += b"\x1b[?%dl" % self.mouse if self.mouse else b""
        out += (b"\x1b[20l" if self.newline else b"") + (b"\x1b>" if self.keypad else b"")
        out += (b"\x1b[0 q" if self.style else b"") + (b"\x1b[r" if self.region else b"")
        if self.alternate:
            out += b"\x1b[?%dl" % self.alternate
        elif self.full_screen:
            out += BOTTOM
        return bytes(out)


AT_REST = Modes()
