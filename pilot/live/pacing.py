"""When a screen is asked for what changed: while somebody looks, one question at a time, not too often."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

RATE_SECONDS = 2.0
"""What the updates of a second are counted over."""


class Pacing:
    """Of one screen, over several connections to it."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Nobody looks yet."""
        self.rate = 30.0
        """Updates that are asked for in a second, at most."""
        self._monotonic = monotonic
        self._looking = asyncio.Event()
        self._answered = asyncio.Event()
        self._updates: deque[float] = deque(maxlen=256)

    @property
    def looking(self) -> bool:
        """Whether anybody looks."""
        return self._looking.is_set()

    @looking.setter
    def looking(self, looks: bool) -> None:
        if looks:
            self._looking.set()
            # What was asked before may never be answered: who sends by itself was told to stop.
            self._answered.set()
        else:
            self._looking.clear()

    def answered(self) -> None:
        """An update has come."""
        self._updates.append(self._monotonic())
        self._answered.set()

    @property
    def per_second(self) -> float:
        """How many updates came in a second lately."""
        now = self._monotonic()
        while self._updates and now - self._updates[0] > RATE_SECONDS:
            self._updates.popleft()
        return len(self._updates) / RATE_SECONDS

    async def run(self, ask: Callable[[], object]) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await self._looking.wait()
            self._answered.clear()
            ask()
            asked = self._monotonic()
            await self._answered.wait()
            wait = asked + 1 / self.rate - self._monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
