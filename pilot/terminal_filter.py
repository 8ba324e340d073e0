"""What a guest prints, made safe for a person's terminal.

A terminal obeys what is printed on it: it can be renamed, its clipboard read and written, it can be made to
type. This filter lets text, the harmless controls and an allow-list of screen sequences through and drops
all else. It sends nothing that it does not know: an allow-list, because terminals invent sequences.

Sources: ECMA-48 for the form of sequences, the xterm control sequences document (ctlseqs) for their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SAFE_CONTROLS = rb"\x07-\x0f"
"""BEL, BS, HT, LF, VT, FF, CR, SO, SI."""
_UTF8 = (
    rb"\xc2[\xa0-\xbf]|[\xc3-\xdf][\x80-\xbf]"
    rb"|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
"""All of UTF-8 beyond ASCII but the C1 controls U+0080 to U+009F."""
_TEXT = re.compile(rb"(?:[\x20-\x7e" + _SAFE_CONTROLS + rb"]+|" + _UTF8 + rb")+")
_UTF8_BEGUN = re.compile(
    rb"[\xc2-\xdf]\Z|\xe0(?:[\xa0-\xbf])?\Z|[\xe1-\xec\xee\xef][\x80-\xbf]?\Z|\xed(?:[\x80-\x9f])?\Z"
    rb"|\xf0(?:[\x90-\xbf][\x80-\xbf]?)?\Z|[\xf1-\xf3][\x80-\xbf]{0,2}\Z|\xf4(?:[\x80-\x8f][\x80-\xbf]?)?\Z"
)
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_BODY = re.compile(rb"[\x20-\x3f]*")
_INTERMEDIATES = re.compile(rb"[\x20-\x2f]+")
_FINAL = re.compile(rb"[\x40-\x7e]")
_STRING_END = re.compile(rb"[\x07\x18\x1a\x1b\n]")
_PARAMETERS = re.compile(rb"(?P<mark>[<-?]?)(?P<numbers>[0-9:;]*)(?P<middle>[ -/]*)\Z")

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_MAX_SEQUENCE = 256
"""Bytes of the longest control sequence that is let through."""
_MAX_INTERMEDIATES = 8
_MAX_STRING = 64 * 1024
"""Bytes of a control string after which it is taken for noise: what follows is text again."""
_MAX_NUMBER = 9999
"""The highest parameter; more would keep a terminal busy repeating, and means nothing on a screen."""

_CSI_FINALS = frozenset(b"@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu")
_PRIVATE_MODES = frozenset(
    {1, 5, 6, 7, 12, 25, 45, 47, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1048, 1049, 2004}
)
_MODES_OFF = frozenset({1, 5, 6, 45, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 2004})
"""Private modes that are off in a terminal at rest; screens, cursor and wrap are looked after by name."""
_ESC_FINALS = frozenset(b"78DEHM=>")
_CHARSETS = frozenset(b"0AB")


class TerminalFilter:
    """An incremental filter: feed what came, print what it gives.

    What it gives in all depends on what was fed in all, never on how that was cut.
    """

    def __init__(self, answers: bool = False) -> None:
        """With `answers`, the guest may ask where the cursor is and what the terminal is.

        The terminal then types the answer, so this is only for a live screen whose viewer types there.
        """
        self.answers = answers
        self._pending = b""
        self._skipping = False
        self._string: _String | None = None
        self._touched: set[str] = set()
        self._modes: set[int] = set()

    def feed(self, data: bytes) -> bytes:
        """Take what the guest printed, give what may be printed."""
        data = self._pending + data
        self._pending = b""
        out = bytearray()
        position = 0
        while position < len(data):
            if self._string is not None:
                position, ended = self._string.skip(data, position)
                self._string = None if ended else self._string
                continue
            if self._skipping:
                position = self._skip_sequence(data, position)
                continue
            text = _TEXT.match(data, position)
            if text is not None:
                out += text[0]
                if b"\x0e" in text[0]:
                    self._touched.add("charset")
                position = text.end()
                continue
            end = self._control(data, position, out)
            if end is None:
                self._pending = data[position:]
                break
            position = end
        return bytes(out)

    @property
    def alternate_screen(self) -> bool:
        """Whether the guest has a full-screen program open."""
        return bool(self._modes & {47, 1047, 1049})

    def reset_sequence(self) -> bytes:
        """What puts the viewer's terminal back as it was: only what the guest has changed."""
        out = bytearray()
        out += b"".join(b"\x1b[?%dl" % mode for mode in sorted(self._modes & _MODES_OFF))
        for mode in (1049, 1047, 47):
            if mode in self._modes:
                out += b"\x1b[?%dl" % mode
                break
        if "region" in self._touched:
            out += b"\x1b7\x1b[r\x1b8"
        if 6 in self._modes and not self.alternate_screen:
            out += b"\x1b[999;1H"  # Leaving origin mode has put the cursor home.
        for touched, sequence in _RESTORE.items():
            if touched in self._touched:
                out += sequence
        self._modes.clear()
        self._touched.clear()
        return bytes(out)

    def _control(self, data: bytes, position: int, out: bytearray) -> int | None:
        """Handle what is not plain text; where it ends, or None if it is not whole yet."""
        byte = data[position]
        if byte == 0x1B:
            return self._escape(data, position, out)
        if byte >= 0x80:
            if _C1.match(data, position):
                return position + 2
            if _UTF8_BEGUN.match(data, position):
                return None
            out += _REPLACEMENT
        return position + 1

    def _escape(self, data: bytes, position: int, out: bytearray) -> int | None:
        if position + 1 >= len(data):
            return None
        kind = data[position + 1]
        after = position + 2
        if kind == 0x5B:
            return self._sequence(data, after, out)
        if kind in b"]PX^_k":  # ESC k is screen's and tmux's own title string.
            self._string = _String(kind == 0x5D)
            return after
        if 0x20 <= kind <= 0x2F:
            return self._designation(data, position, out)
        if kind == 0x63:
            # A full reset would also clear the viewer's own scrollback: the screen is enough.
            out += self.reset_sequence() + b"\x1b[!p\x1b[?7h\x1b[H\x1b[2J"
            return after
        if kind in _ESC_FINALS:
            if kind in b"=>":
                self._touched.add("keypad")
            out += data[position:after]
        return after if 0x20 <= kind <= 0x7E else position + 1

    def _designation(self, data: bytes, position: int, out: bytearray) -> int | None:
        """ESC, intermediate bytes and a final one: character sets G0 and G1, and the alignment screen."""
        match = _INTERMEDIATES.match(data, position + 1)
        assert match is not None
        end = match.end()
        if end - position > _MAX_INTERMEDIATES:
            return end
        if end >= len(data):
            return None
        if not 0x30 <= data[end] <= 0x7E:
            return end
        middle, final = match[0], data[end]
        if middle in (b"(", b")") and final in _CHARSETS:
            self._touched.add("charset")
            out += data[position : end + 1]
        elif (middle, final) == (b"#", 0x38):
            out += data[position : end + 1]
        return end + 1

    def _sequence(self, data: bytes, start: int, out: bytearray) -> int | None:
        body = _BODY.match(data, start)
        assert body is not None
        end = body.end()
        if end - start > _MAX_SEQUENCE:
            self._skipping = True
            return end
        if end >= len(data):
            return None
        if not _FINAL.match(data, end):
            return end
        out += self._allowed(body[0], data[end])
        return end + 1

    def _skip_sequence(self, data: bytes, position: int) -> int:
        body = _BODY.match(data, position)
        assert body is not None
        if body.end() == len(data):
            return body.end()
        self._skipping = False
        return body.end() + 1 if _FINAL.match(data, body.end()) else body.end()

    def _allowed(self, body: bytes, final: int) -> bytes:
        """The control sequence as it may be sent; empty if it may not."""
        match = _PARAMETERS.match(body)
        if match is None:
            return b""
        mark, numbers, middle = match["mark"], match["numbers"], match["middle"]
        values = [int(number) if number else 0 for number in re.split(rb"[:;]", numbers)]
        if max(values) > _MAX_NUMBER:
            return b""
        whole = b"\x1b[" + body + bytes([final])
        if middle:
            if mark == b"" and middle == b" " and final == 0x71:
                self._touched.add("shape")
                return whole
            if (mark, numbers, middle, final) != (b"", b"", b"!", 0x70):
                return b""
            self._touched.add("wrap")
            return whole
        if mark == b"?" and final in b"hl":
            return self._private_modes(values, final)
        if mark or (b":" in numbers and final != 0x6D):
            return b""
        if final in b"nc":
            question = (final, values) in ((0x6E, [6]), (0x63, [0]))
            return whole if self.answers and question else b""
        if final not in _CSI_FINALS or not _CHECKS.get(final, _always)(values):
            return b""
        if final in _TOUCHES:
            self._touched.add(_TOUCHES[final])
        return whole

    def _private_modes(self, values: list[int], final: int) -> bytes:
        allowed = [value for value in values if value in _PRIVATE_MODES]
        if not allowed:
            return b""
        if final == 0x68:
            self._modes.update(allowed)
        else:
            self._modes.difference_update(allowed)
        for value, touched in ((7, "wrap"), (25, "cursor"), (12, "shape")):
            if value in allowed:
                self._touched.add(touched)
        return b"\x1b[?" + b";".join(b"%d" % value for value in allowed) + bytes([final])


class _String:
    """A control string (OSC, DCS, SOS, PM, APC) that is being dropped up to its end."""

    def __init__(self, command: bool) -> None:
        self._command = command
        self._left = _MAX_STRING
        self._palette = -1

    def skip(self, data: bytes, position: int) -> tuple[int, bool]:
        """Where the string ends or the data does, and whether the string did."""
        if self._command and self._left == _MAX_STRING and data[position] in b"PR":
            # The Linux console's palette sequences end by length: ESC ] R, and ESC ] P with 7 hex digits.
            self._left = self._palette = 1 if data[position] == 0x52 else 8
        if self._palette >= 0:
            return self._skip_palette(data, position)
        window = min(len(data), position + self._left)
        for end in _STRING_END.finditer(data, position, window):
            at, byte = end.start(), data[end.start()]
            if byte == 0x1B:
                return at, True  # ESC \ is an ESC sequence that is dropped like any other unknown one.
            if byte in b"\x18\x1a" or (self._command and byte in b"\x07\n"):
                return at + 1 if byte != 0x0A else at, True
        self._left -= window - position
        return window, self._left == 0

    def _skip_palette(self, data: bytes, position: int) -> tuple[int, bool]:
        first = self._left == self._palette
        while position < len(data) and self._left:
            if not first and data[position] not in b"0123456789abcdefABCDEF":
                return position, True
            first = False
            position += 1
            self._left -= 1
        return position, self._left == 0


def _always(_values: list[int]) -> bool:
    return True


_CHECKS: dict[int, Callable[[list[int]], bool]] = {
    0x4A: lambda values: values in ([0], [1], [2]),  # J: 3 would erase the viewer's own scrollback
    0x54: lambda values: len(values) == 1,  # T: with more it starts highlight mouse tracking
    0x68: lambda values: values == [4],  # h, l: insert mode; others lock the keyboard or change Enter
    0x6C: lambda values: values == [4],
}
_TOUCHES = {0x6D: "colours", 0x72: "region", 0x68: "insert"}
_RESTORE = {
    "colours": b"\x1b[m",
    "insert": b"\x1b[4l",
    "wrap": b"\x1b[?7h",
    "cursor": b"\x1b[?25h",
    "shape": b"\x1b[0 q",
    "keypad": b"\x1b>",
    "charset": b"\x1b(B\x1b)B\x0f",
}
