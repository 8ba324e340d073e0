"""The last of what a console printed, and from where it can be shown.

Kept in pieces, each with the terminal's modes at its beginning, so that a reader can begin at any of
them. Readers hold an offset, counted from the first byte that was ever kept of the console, and no bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from pilot.agent.consoles.tracker import ModeTracker
from pilot.wire import MAX_CONSOLE_CHUNK

CAPACITY = 1024 * 1024
"""Bytes that are kept of each console."""
_TRIES = 16
_LINE_END = re.compile(rb"\n")
_CURSOR_PLACED = re.compile(rb"(?=\x1b\[[0-9;]*[Hf])")
_NEAR, _FAR = 4096, 16384
"""Bytes in which a good place to begin is looked for: a line's end, and in a full-screen program."""


class Entry(NamedTuple):
    """Where a reader begins."""

    offset: int
    prelude: bytes
    """What puts a terminal at rest into the modes there, on an empty screen. Empty at the first byte that was
    ever printed, or kept by this airboss."""


class _Piece(NamedTuple):
    start: int
    data: bytes
    tracker: ModeTracker
    """At the piece's beginning."""


class Ring:
    """Bytes in order of time; the oldest go when there are more than its capacity."""

    __slots__ = (
        "_before",
        "_capacity",
        "_found",
        "_piece",
        "_pieces",
        "_tail",
        "_tail_start",
        "_tracker",
        "_whole",
    )

    def __init__(
        self,
        capacity: int = CAPACITY,
        piece: int = MAX_CONSOLE_CHUNK,
        *,
        start: int = 0,
        cut: bool = False,
    ) -> None:
        """Empty.

        Args:
            capacity: bytes that are kept at least, once so many were printed.
            piece: bytes that are dropped at once.
            start: offset of the first byte.
            cut: the first byte may lie within a line, or within a sequence.
        """
        self._capacity = capacity
        self._piece = piece
        self._pieces: list[_Piece] = []
        self._tail = bytearray()
        self._tail_start = start
        self._whole = None if cut else start
        """The offset at which a terminal at rest can begin with nothing before it."""
        self._before = ModeTracker()
        """At the tail's beginning."""
        self._tracker = ModeTracker()
        """At the end: fed as bytes come, so that sealing a piece is no work that has piled up."""
        self._found: tuple[int, Entry] | None = None
        """The entry into a piece, by the piece's beginning: many viewers look for the same."""

    @property
    def start(self) -> int:
        """Offset of the oldest byte that is kept."""
        return self._pieces[0].start if self._pieces else self._tail_start

    @property
    def end(self) -> int:
        """Offset of the byte that comes next."""
        return self._tail_start + len(self._tail)

    def append(self, data: bytes) -> None:
        """Take what was printed."""
        taken = 0
        while taken < len(data):
            piece = data[taken : taken + self._piece - len(self._tail)]
            taken += len(piece)
            self._tail += piece
            self._tracker.feed(piece)
            if len(self._tail) == self._piece:
                self._seal()
        while self._pieces and self.end - self._pieces[0].start - len(self._pieces[0].data) >= self._capacity:
            del self._pieces[0]

    def read(self, offset: int, limit: int) -> bytes:
        """Bytes from an offset on that is kept: up to the limit, or to the end of a piece."""
        if offset >= self._tail_start:
            at = offset - self._tail_start
            return bytes(self._tail[at : at + limit])
        piece = self._pieces[self._index(offset)]
        at = offset - piece.start
        return piece.data if at == 0 and limit >= len(piece.data) else piece.data[at : at + limit]

    def copy(self, offset: int = 0) -> bytes:
        """All that is kept from an offset on."""
        out = bytearray()
        at = max(offset, self.start)
        while data := self.read(at + len(out), self._piece):
            out += data
        return bytes(out)

    def state(self) -> ModeTracker:
        """The terminal's modes after all that was printed."""
        return self._tracker.copy()

    def entry(self, back: int | None = None) -> Entry:
        """Where to begin to show everything, or about the last `back` bytes.

        In a ring that has been cut this is the end of a line or, in a full-screen program, where it
        places the cursor, so that the column is right; if there is none near, a sequence or character
        that was cut in two is made whole by the prelude.
        """
        earliest = self.start if back is None else max(self.start, self.end - back)
        piece = next((piece for piece in self._pieces if piece.start >= earliest), None)
        start, before = (piece.start, piece.tracker) if piece else (self._tail_start, self._before)
        if start == self._whole:
            return Entry(start, b"")
        if self._found is not None and self._found[0] == start:
            return self._found[1]
        entry = self._look(start, before)
        if start + _FAR <= self.end:
            self._found = start, entry
        return entry

    def _look(self, start: int, before: ModeTracker) -> Entry:
        """A good place to begin at, soon after a piece's beginning."""
        head = self._head(start, _FAR)
        looks = [(_LINE_END, _NEAR), (_CURSOR_PLACED, _NEAR)]
        if before.modes.full_screen:
            looks = [(_CURSOR_PLACED, min(_FAR, (self.end - start) // 4)), (_LINE_END, _NEAR)]
        for pattern, within in looks:
            tracker, fed = before.copy(), 0
            for match, _ in zip(pattern.finditer(head, 0, within), range(_TRIES), strict=False):
                tracker.feed(head[fed : match.end()])
                fed = match.end()
                if not tracker.pending:
                    return Entry(start + fed, tracker.modes.enter())
        return Entry(start, before.modes.enter() + before.pending)

    def _head(self, start: int, size: int) -> bytes:
        out = bytearray()
        while len(out) < size and (data := self.read(start + len(out), size - len(out))):
            out += data
        return bytes(out)

    def _seal(self) -> None:
        data = bytes(self._tail)
        self._pieces.append(_Piece(self._tail_start, data, self._before))
        if not self._before.same(self._tracker):
            self._before = self._tracker.copy()
        self._tail_start += len(data)
        self._tail = bytearray()

    def _index(self, offset: int) -> int:
        return bisect_right(self._pieces, offset, key=lambda piece: piece.start) - 1
