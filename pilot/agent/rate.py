"""How often something may be done for one and the same holder: a token bucket each."""

from __future__ import annotations

import time
from collections.abc import Callable

_MAX_HOLDERS = 10_000


class Rate:
    """Bursts at first, a steady rate after."""

    def __init__(self, *, burst: int, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """By holder: tokens left, and when that was."""

    def allows(self, holder: str) -> bool:
        """Whether it may be done now; if so it is counted."""
        now = self._clock()
        tokens, then = self._buckets.pop(holder, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        allowed = tokens >= 1
        # Put at the end: who has been quiet longest is forgotten first.
        self._buckets[holder] = (tokens - allowed, now)
        if len(self._buckets) > _MAX_HOLDERS:
            del self._buckets[next(iter(self._buckets))]
        return allowed
