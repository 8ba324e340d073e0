"""Keys that are typed before a console is open for the first time: kept for a moment, as terminals do."""

from __future__ import annotations

from collections.abc import Callable

MOST = 1024
"""Bytes that are kept."""
SECONDS = 10.0
"""What was typed longer ago is typed at no guest any more: who typed it thinks of something else by now."""


class Ahead:
    """What one console's user has typed ahead."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing. `clock`: seconds."""
        self._clock = clock
        self._kept = bytearray()
        self._since = 0.0
        self._over = False

    def keep(self, keys: bytes) -> bool:
        """Keep these; False if nothing is kept any more, or too much is already."""
        if self._over or len(self._kept) + len(keys) > MOST:
            return False
        if not self._kept:
            self._since = self._clock()
        self._kept += keys
        return True

    def take(self) -> tuple[bytes, bool]:
        """All that was kept, and whether it may still be typed. From now on nothing is kept."""
        self._over = True
        kept = bytes(self._kept)
        self._kept.clear()
        return kept, self._clock() - self._since <= SECONDS
