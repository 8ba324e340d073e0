"""How long to wait before trying again."""

from __future__ import annotations

import random

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
