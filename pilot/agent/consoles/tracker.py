"""Follows the modes of a terminal over a stream that comes in pieces."""

from __future__ import annotations

import re

from pilot.agent.consoles.draft import Draft, Pen
from pilot.agent.consoles.modes import AT_REST, Modes
from pilot.terminal_sequences import NO_WRAP, RESET

_ESC, _SHIFT_OUT, _SHIFT_IN = b"\x1b", b"\x0e", b"\x0f"
_MAX_STRING = 4096
"""Bytes that are kept of a control string which has not ended; what is longer is cut."""

_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?:([0-9:;]*)m"
    rb"|([!?]?)([0-9;]*)( ?)([hlpqr]))"
    rb"|([()*+][ -/]?[0-~])"
    rb"|([78](?:\x1b[78])*)"
    rb"|([=>cno])"
    rb"|[]PX^_][^\x07\x18\x1a\x1b]*+)"
    rb"|([\x0e\x0f][^\x1b]*+)"
)
"""Sequences that change a mode; control strings are matched so that what is in them is not taken for one.

What a guest prints for the sake of being slow to follow is taken in runs: saving and restoring the cursor,
and shifts with the text between them.
"""
_RENDITION, _DESIGNATION, _CURSOR, _SINGLE, _SHIFTS = 1, 6, 7, 8, 9
_PARTS = 2, 3, 4, 5
_SAVE = 0x37
_MAX_NUMBERS = 128
"""Bytes of parameters that are read."""

_BEGUN = re.compile(rb"\x1b(?:\[[0-?]{0,256}[ -/]{0,8}|[ -/]{0,8}|[]PX^_][^\x07\x18\x1a\x1b]*\x1b?)\Z")
_STRING_BEGUN = re.compile(rb"\x1b[]PX^_][^\x07\x18\x1a\x1b]*\x1b\Z")
_STRING_END = re.compile(rb"[\x07\x18\x1a\x1b]")
_UTF8_BEGUN = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")


class ModeTracker:
    """Feed it what was printed; it knows the modes then in force.

    `modes` is a value that is replaced when something changes, so that keeping it costs nothing.
    """

    __slots__ = ("_in_string", "_reset", "_saved", "modes", "pending")

    def __init__(self) -> None:
        self.modes: Modes = AT_REST
        self.pending = b""
        """The beginning of a sequence, or of a character, whose end has not come yet."""
        self._saved: Pen | None = None
        self._in_string = False
        """`pending` is the beginning of a control string of which more has been dropped."""
        self._reset = False
        """The last that was taken was a full reset."""

    def copy(self) -> ModeTracker:
        """Another one in the same state."""
        twin = ModeTracker()
        twin.modes, twin.pending = self.modes, self.pending
        twin._saved, twin._in_string, twin._reset = self._saved, self._in_string, self._reset
        return twin

    def same(self, other: ModeTracker) -> bool:
        """Whether both are certainly in the same state, and not within a sequence."""
        return (
            self.modes is other.modes
            and self._saved is other._saved
            and not self._in_string | other._in_string
            and self._reset == other._reset
            and self.pending == other.pending == b""
        )

    def feed(self, data: bytes) -> None:
        """Take the next piece of what was printed."""
        if self._in_string:
            end = _STRING_END.search(data)
            if end is None:
                return
            self._in_string, self.pending, self._reset = False, b"", False
            data = data[end.start() :]
        elif self.pending:
            data = self.pending + data
            self.pending = b""
        if _ESC in data:
            data = self._without_begun(data)
            self._sequences(data)
        elif _SHIFT_OUT in data or _SHIFT_IN in data:
            self._sequences(data)
        if data:
            self._reset = data.endswith(RESET)
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
        draft = Draft(self.modes, self._saved)
        reset = 0 if self._reset else -1
        for match in _SEQUENCE.finditer(data):
            kind = match.lastindex
            if kind is not None and (match.start() != reset or match[0] != NO_WRAP):
                _apply(draft, kind, match)
            reset = match.end() if match[0] == RESET else -1
        self.modes, self._saved = draft.value(), draft.saved


def _apply(draft: Draft, kind: int, match: re.Match[bytes]) -> None:
    found = match[kind]
    if kind == _RENDITION:
        draft.render(found)
    elif kind == _SHIFTS:
        draft.shift = 1 if found.rfind(_SHIFT_OUT) > found.rfind(_SHIFT_IN) else 0
    elif kind == _DESIGNATION:
        draft.designate(b"()*+".index(found[0]), found[1:])
    elif kind == _CURSOR:
        # Of such a run only the first has an effect: then what is saved is what is in force.
        if found[0] == _SAVE:
            draft.save()
        else:
            draft.restore()
    elif kind == _SINGLE:
        if found == b"c":
            draft.reset()
        elif found in b"no":
            draft.shift = 2 if found == b"n" else 3
        else:
            draft.keypad = found == b"="
    else:
        _control_sequence(draft, match)


def _control_sequence(draft: Draft, match: re.Match[bytes]) -> None:
    mark, numbers, middle, final = match.group(*_PARTS)
    if middle:
        if final == b"q":
            draft.style = numbers[:_MAX_NUMBERS] if numbers not in (b"", b"0") else b""
    elif mark == b"!":
        if final == b"p":
            draft.soft_reset()
    elif final in b"hl":
        on = final == b"h"
        numbers = numbers[:_MAX_NUMBERS]
        if mark == b"?":
            draft.switch(numbers, on)
        else:
            codes = numbers.split(b";")
            draft.insert = on if b"4" in codes else draft.insert
            draft.newline = on if b"20" in codes else draft.newline
    elif final == b"r" and not mark:
        top, _, bottom = numbers[:_MAX_NUMBERS].partition(b";")
        whole = top in (b"", b"0", b"1") and bottom in (b"", b"0")
        draft.region = b"" if whole else numbers[:_MAX_NUMBERS]
