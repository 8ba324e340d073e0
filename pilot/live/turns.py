"""Which of many are followed when fewer may be than are in view: all of them, in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

TURN_SECONDS = 8.0
"""For how long one is followed before another has its place. Each turn is a few records in the journal."""
FIRST_SECONDS = 1.5
"""The same while others were not seen at all: as soon as it was seen, or after so long without a picture."""
PATIENCE_SECONDS = 5.0
"""After so long without an answer another has the place all the same."""


class Shown(NamedTuple):
    """What is known of one."""

    updated: float | None
    """When what it shows was last known to be right; None if there is nothing yet."""
    whole: bool
    """Whether that was more than an empty picture."""


class Turns:
    """Hands out a number of places."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """Nobody has a place. `clock` is that of what is told as `Shown`."""
        self.waiting = False
        """Whether there are more than have places."""
        self._most = most
        self._clock = clock
        self._since: dict[str, float] = {}
        self._left: dict[str, float] = {}
        self._hurried = float("-inf")

    def hurry(self) -> None:
        """All are to be seen anew, as soon as may be."""
        self._hurried = self._clock()

    def pick(self, wanted: Sequence[str], shown: Callable[[str], Shown]) -> frozenset[str]:
        """Who of these has a place now; to be asked often while `waiting`."""
        now = self._clock()
        for key in [key for key in self._since if key not in wanted]:
            del self._since[key]
        self._left = {key: left for key, left in self._left.items() if key in wanted}
        queue = [key for key in wanted if key not in self._since]

        def last(key: str) -> float:
            """When it was looked at last."""
            return max(shown(key).updated or float("-inf"), self._left.get(key, float("-inf")))

        queue.sort(key=last)  # a stable order: of those never seen the first in view
        room = self._most - len(self._since)
        if len(queue) > room:
            urgent = sum(last(key) <= self._hurried for key in queue)
            by_age = sorted(self._since, key=self._since.__getitem__)
            for key in by_age:
                if room >= len(queue):
                    break
                if self._is_over(shown(key), now, self._since[key], hurried=urgent > room):
                    del self._since[key]
                    self._left[key] = now
                    room += 1
        for key in queue[: max(room, 0)]:
            self._since[key] = now
        self.waiting = len(self._since) < len(wanted)
        return frozenset(self._since)

    def _is_over(self, shown: Shown, now: float, since: float, hurried: bool) -> bool:
        """Whether one has had its turn."""
        held = now - since
        if shown.updated is None or shown.updated < max(since, self._hurried):
            return held >= PATIENCE_SECONDS
        return (shown.whole or held >= FIRST_SECONDS) if hurried else held >= TURN_SECONDS
