"""Follows the modes of a terminal over a stream that comes in pieces."""

from __future__ import annotations

import re
from dataclasses import replace

from pilot.agent.consoles.modes import AT_REST, Modes

_ESC, _SHIFT_OUT, _SHIFT_IN = b"\x1b", b"\x0e", b"\x0f"
_MAX_STRING = 4096
"""Bytes that are kept of a control string which has not ended; what is longer is cut."""

_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?:([0-9:;]*)m"
    rb"|([!?]?)([0-9;]*)( ?)([hlpqr]))"
    rb"|([()*+][ -/]?[0-~])"
    rb"|([78=>cno])"
    rb"|[]PX^_][^\x07\x18\x1a\x1b]*)"
    rb"|([\x0e\x0f])"
)
"""Sequences that change a mode; control strings are matched so that what is in them is not taken for one."""
_RENDITION, _FINAL, _DESIGNATION, _SINGLE, _SHIFT = 1, 5, 6, 7, 8

_BEGUN = re.compile(rb"\x1b(?:\[[0-?]{0,256}[ -/]{0,8}|[ -/]{0,8}|[]PX^_][^\x07\x18\x1a\x1b]*\x1b?)\Z")
_STRING_BEGUN = re.compile(rb"\x1b[]PX^_][^\x07\x18\x1a\x1b]*\x1b\Z")
_STRING_END = re.compile(rb"[\x07\x18\x1a\x1b]")
_UTF8_BEGUN = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")


class ModeTracker:
    """Feed it what was printed; it knows the modes then in force.

    `modes` is a value that is replaced when something changes, so that keeping it costs nothing.
    """

    __slots__ = ("_in_string", "_saved", "modes", "pending")

    def __init__(self) -> None:
        self.modes: Modes = AT_REST
        self.pending = b""
        """The beginning of a sequence, or of a character, whose end has not come yet."""
        self._saved: Modes | None = None
        self._in_string = False
        """`pending` is the beginning of a control string of which more has been dropped."""

    def copy(self) -> ModeTracker:
        """Another one in the same state."""
        twin = ModeTracker()
        twin.modes, twin.pending = self.modes, self.pending
        twin._saved, twin._in_string = self._saved, self._in_string
        return twin

    def same(self, other: ModeTracker) -> bool:
        """Whether both are certainly in the same state, and not within a sequence."""
        return (
            self.modes is other.modes
            and self._saved is other._saved
            and not self._in_string | other._in_string
            and self.pending == other.pending == b""
        )

    def feed(self, data: bytes) -> None:
        """Take the next piece of what was printed."""
        if self._in_string:
            end = _STRING_END.search(data)
            if end is None:
                return
            self._in_string, self.pending = False, b""
            data = data[end.start() :]
        elif self.pending:
            data = self.pending + data
            self.pending = b""
        if _ESC in data:
            data = self._without_begun(data)
            self._sequences(data)
        elif _SHIFT_OUT in data or _SHIFT_IN in data:
            self._sequences(data)
        if not self.pending and data and data[-1] >= 0x80 and (begun := _UTF8_BEGUN.search(data[-3:])):
            self.pending = begun[0]

    def _without_begun(self, data: bytes) -> bytes:
        """Put a sequence that has not ended aside."""
        at = data.rfind(_ESC)
        begun = _BEGUN.match(data, at)
        if begun is None:
            return data
        if (
            at == len(data) - 1
            and (before := data.rfind(_ESC, 0, at)) >= 0
            and _STRING_BEGUN.match(data, before)
        ):
            at = before
        self.pending = data[at:]
        if len(self.pending) > _MAX_STRING:
            self.pending = self.pending[:_MAX_STRING]
            self._in_string = True
        return data[:at]

    def _sequences(self, data: bytes) -> None:
        modes = self.modes
        rendition = modes.rendition
        for match in _SEQUENCE.finditer(data):
            kind = match.lastindex
            if kind == _RENDITION:
                rendition = rendition.after(match[_RENDITION])
            elif kind is not None:
                if rendition is not modes.rendition:
                    modes = replace(modes, rendition=rendition)
                modes = self._changed(modes, kind, match)
                rendition = modes.rendition
        if rendition is not modes.rendition:
            modes = replace(modes, rendition=rendition) if rendition != modes.rendition else modes
        self.modes = modes

    def _changed(self, modes: Modes, kind: int, match: re.Match[bytes]) -> Modes:
        if kind == _FINAL:
            return self._control_sequence(modes, match)
        if kind == _DESIGNATION:
            slot = b"()*+".index(match[kind][:1])
            charsets = list(modes.charsets)
            charsets[slot] = match[kind][1:]
            return replace(modes, charsets=(charsets[0], charsets[1], charsets[2], charsets[3]))
        if kind == _SHIFT:
            return replace(modes, shift=1 if match[kind] == _SHIFT_OUT else 0)
        single = match[kind]
        if single == b"7":
            self._saved = modes
            return modes
        if single == b"8":
            return modes.with_pen_of(self._saved)
        if single == b"c":
            self._saved = None
            return AT_REST
        if single in (b"n", b"o"):
            return replace(modes, shift=2 if single == b"n" else 3)
        return replace(modes, keypad=single == b"=")

    def _control_sequence(self, modes: Modes, match: re.Match[bytes]) -> Modes:
        _, mark, numbers, middle, final, *_ = match.groups()
        if middle:
            return (
                replace(modes, style=numbers if numbers not in (b"", b"0") else b"")
                if final == b"q"
                else modes
            )
        if mark == b"!":
            return modes.soft_reset() if final == b"p" else modes
        if final in b"hl":
            on = final == b"h"
            if mark == b"?":
                return self._private(modes, numbers, on)
            codes = numbers.split(b";")
            if b"4" in codes:
                modes = replace(modes, insert=on)
            return replace(modes, newline=on) if b"20" in codes else modes
        if final == b"r" and not mark:
            top, _, bottom = numbers.partition(b";")
            whole = top in (b"", b"0", b"1") and bottom in (b"", b"0")
            return replace(modes, region=b"" if whole else numbers)
        return modes

    def _private(self, modes: Modes, numbers: bytes, on: bool) -> Modes:
        switched = modes.switched(numbers, on)
        if b"1049" in numbers.split(b";") and bool(modes.alternate) != bool(switched.alternate):
            if on:
                self._saved = modes
            else:
                return switched.with_pen_of(self._saved)
        return switched
