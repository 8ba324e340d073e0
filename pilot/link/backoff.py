"""How long to wait before trying again, and for how long. Without SSH, which the app loads later."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 15.0
UNKNOWN_SECONDS = 30.0
"""For how long a node that was there before a loss is asked for again though it is not known: an airboss that
has just started has not heard of all its hosts."""


class Backoff:
    """Seconds to wait before each attempt: doubled, with jitter, so that many clients do not come at once."""

    def __init__(self, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def reset(self) -> None:
        """It worked."""
        self._next = self._first

    def seconds(self) -> float:
        """How long to wait now."""
        seconds = self._next * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        self._next = min(self._next * 2, self._longest)
        return seconds


class Unknown:
    """A node that airboss knew before it was lost, and does not know now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """It has not been asked for yet."""
        self._clock = clock
        self._since: float | None = None

    @property
    def for_long(self) -> bool:
        """Asked each time that it is not known: whether it has been so for UNKNOWN_SECONDS."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since > UNKNOWN_SECONDS
