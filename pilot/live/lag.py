"""How far airboss is away, and for how long it has not answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pilot.wire import Pong

LATE_SECONDS = 5.0
"""Without an answer to a ping for so long, the lag is said to grow."""
EACH_SECONDS = 1.0
"""Between two tellings that it has grown."""


class Lag:
    """The way to airboss and back, from the answers to pings. `changed` is called when there is another."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """Nothing is known yet."""
        self._changed = changed
        self._seconds: float | None = None
        self._answered = 0.0
        """When the newest pong came, on the monotonic clock."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def seconds(self) -> float | None:
        """As last measured; for how long airboss is silent if that is long. None before the first answer."""
        if self._seconds is None:
            return None
        silent = time.monotonic() - self._answered
        return silent if silent > LATE_SECONDS else self._seconds

    def pong(self, frame: Pong) -> None:
        """An answer; its token is the monotonic clock when it was asked for, in nanoseconds."""
        self._seconds = max(time.monotonic_ns() - frame.token, 0) / 1e9
        self._answered = time.monotonic()
        self._wait(LATE_SECONDS)
        self._changed()

    def stop(self) -> None:
        """The link is gone: nothing is known any more."""
        self._seconds = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _silent(self) -> None:
        self._wait(EACH_SECONDS)
        self._changed()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._silent)
