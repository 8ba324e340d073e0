"""What a guest prints, made safe for a person's terminal.

A terminal obeys what is printed on it: it can be renamed, its clipboard read and written, it can be made to
type. This filter lets text, the harmless controls and an allow-list of screen sequences through and drops
all else. It sends nothing that it does not know: an allow-list, because terminals invent sequences.

Sources: ECMA-48 for the form of sequences, the xterm control sequences document (ctlseqs) for their meaning.
"""

from __future__ import annotations

import re

from pilot.terminal_sequences import EMULATED, NO_WRAP, RESET, judge

_UNSAFE_CONTROLS = bytes({*range(0x20), 0x7F} - {*range(0x07, 0x10), 0x1B})
"""All but BEL, BS, HT, LF, VT, FF, CR, SO, SI; escape sequences are looked after by name."""
_UTF8_BEGUN = re.compile(
    rb"[\xc2-\xdf]\Z|\xe0(?:[\xa0-\xbf])?\Z|[\xe1-\xec\xee\xef][\x80-\xbf]?\Z|\xed(?:[\x80-\x9f])?\Z"
    rb"|\xf0(?:[\x90-\xbf][\x80-\xbf]?)?\Z|[\xf1-\xf3][\x80-\xbf]{0,2}\Z|\xf4(?:[\x80-\x8f][\x80-\xbf]?)?\Z"
)
_NUMBERS = rb"(?:[0-9]{0,4};){0,30}[0-9]{0,4}"
_PASSES = (
    rb"\x1b(?:\[(?:" + _NUMBERS + rb"[@A-IK-MPSXZ`abdefgrsu]|[0-9:;]{0,4}+m|" + _NUMBERS + rb"m"
    rb"|[0-2]?J|[0-9]{0,4}+T|4[hl])"
    rb"|[78DEHM=>]|[()][0AB]|#8)"
)
"""Sequences that pass as they are, whatever came before."""
_DROPS = (
    rb"\x1b(?:\\|(?=[^ -~])|\[[ -?]{0,200}+(?=[^ -~])|[]PX^_k](?![PR])[^\x07\x18\x1a\x1b\n]{0,1000}+(?=\x1b))"
)
"""Sequences that have no effect, or are broken off."""
_RUN = re.compile(rb"(?:[^\x1b]++|" + _PASSES + rb"|" + _DROPS + rb")+")
"""What needs no closer look than a few passes over all of it at once: nearly everything, and what a guest
prints for the sake of being slow to filter. It is made of whole sequences, and only one reading of it is
possible, as each begins with its only ESC.

Only single characters are repeated possessively: with groups, Python before 3.11.5 is wrong.
"""
_DROPPED = re.compile(rb"(?!" + _PASSES + rb")\x1b(?:\\|\[[ -?]*+|[]PX^_k][^\x1b]*+)?")
"""In a run, what does not pass."""
_C1 = re.compile(rb"(?:\xc2[\x80-\x9f])+")
_BODY = re.compile(rb"[\x20-\x3f]*")
_INTERMEDIATES = re.compile(rb"[\x20-\x2f]+")
_FINAL = re.compile(rb"[\x40-\x7e]")
_STRING_END = re.compile(rb"[\x07\x18\x1a\x1b\n]")

_MAX_SEQUENCE = 256
"""Bytes of the longest control sequence that is let through."""
_MAX_INTERMEDIATES = 8
_MAX_STRING = 64 * 1024
"""Bytes of a control string after which it is taken for noise: what follows is text again."""

_MODES_OFF = frozenset({1, 5, 6, 45, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 2004})
"""Private modes that are off in a terminal at rest; screens, cursor and wrap are looked after by name."""
_ESC_FINALS = frozenset(b"78DEHM=>")
_CHARSETS = frozenset(b"0AB")


class TerminalFilter:
    """An incremental filter: feed what came, print what it gives.

    What it gives in all depends on what was fed in all, never on how that was cut.
    """

    def __init__(self, answers: bool = False, emulated: bool = False) -> None:
        """With `answers`, the guest may ask where the cursor is and what the terminal is.

        The terminal then types the answer, so this is only for a live screen whose viewer types there.
        With `emulated`, what comes out goes to a terminal engine of the project's, never to the person's own.
        """
        self.answers = answers
        self._emulated = emulated
        self._pending = b""
        self._skipping = False
        self._string: _String | None = None
        self._touched: set[str] = set()
        self._modes: set[int] = set()
        self._reset = False
        """The last that was taken was a full reset."""

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
            run = _RUN.match(data, position)
            if run is not None:
                position = run.end()
                self._reset = False
                if position == len(data) and (
                    begun := _UTF8_BEGUN.search(data, max(run.start(), position - 3))
                ):
                    position = begun.start()
                    self._pending = data[position:]
                    out += self._clean(data[run.start() : position])
                    break
                out += self._clean(run[0])
                continue
            end = self._escape(data, position, out)
            if end is None:
                self._pending = data[position:]
                break
            self._reset = data[position:end] == RESET
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

    def _clean(self, run: bytes) -> bytes:
        """What passes of a run. What is taken out goes in this order, so that nothing can grow together."""
        text = run if run.isascii() else run.decode("utf-8", "replace").encode()
        if b"\x1b" in text:
            text = _DROPPED.sub(b"", text)
            for touched, pattern in _SEEN.items():
                if touched not in self._touched and pattern.search(text):
                    self._touched.add(touched)
        if b"\x0e" in text:
            self._touched.add("charset")
        if not text.isascii():
            text = _C1.sub(b"", text)
        return text.translate(None, _UNSAFE_CONTROLS)

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
        if self._reset and data[start - 2 : end + 1] == NO_WRAP:
            return end + 1
        verdict = judge(body[0], data[end])
        if self._emulated and data[start : end + 1] in EMULATED:
            out += data[start - 2 : end + 1]
        elif self.answers or not verdict.question:
            out += verdict.passes
        if verdict.touched:
            self._touched.update(verdict.touched)
        if verdict.modes and data[end] == 0x68:
            self._modes.update(verdict.modes)
        elif verdict.modes:
            self._modes.difference_update(verdict.modes)
        return end + 1

    def _skip_sequence(self, data: bytes, position: int) -> int:
        body = _BODY.match(data, position)
        assert body is not None
        if body.end() == len(data):
            return body.end()
        self._skipping = False
        return body.end() + 1 if _FINAL.match(data, body.end()) else body.end()


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


_SEEN = {
    "colours": re.compile(rb"\x1b\[[0-9:;]*+m"),
    "region": re.compile(rb"\x1b\[[0-9;]*+r"),
    "insert": re.compile(rb"\x1b\[4h"),
    "keypad": re.compile(rb"\x1b[=>]"),
    "charset": re.compile(rb"\x1b[()]"),
}
"""What a run has touched, by a sequence that has done it."""
_RESTORE = {
    "colours": b"\x1b[m",
    "insert": b"\x1b[4l",
    "wrap": b"\x1b[?7h",
    "cursor": b"\x1b[?25h",
    "shape": b"\x1b[0 q",
    "keypad": b"\x1b>",
    "charset": b"\x1b(B\x1b)B\x0f",
}
