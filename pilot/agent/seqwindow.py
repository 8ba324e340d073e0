"""Each seq of a connection is accepted once: what makes a replay on the same connection useless."""

from __future__ import annotations

from pilot.wire import SEQ_WINDOW


class SeqWindow:
    """Accepts each seq of a connection once, in any order within the window."""

    def __init__(self, size: int = SEQ_WINDOW) -> None:
        self._size = size
        self._highest = 0
        self._seen: set[int] = set()

    def accept(self, seq: int) -> bool:
        """Whether this seq is new; it never is again."""
        if seq <= self._highest - self._size or seq in self._seen or not 0 < seq < 2**63:
            return False
        self._seen.add(seq)
        if seq > self._highest:
            self._highest = seq
            self._seen = (
                {s for s in self._seen if s > seq - self._size}
                if len(self._seen) > 2 * self._size
                else self._seen
            )
        return True
