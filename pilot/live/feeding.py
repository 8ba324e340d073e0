"""From a console's stream to its engine: in slices, nothing twice, and answers only when they are due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pilot.console.engine import Engine
from pilot.live.overlap import Overlap

SLICE = 2048
"""Bytes that are parsed before the clock is looked at."""
TURN_SECONDS = 0.004
"""Parsing before others have their turn."""
TURNS = 8
"""Turns of the loop that others have then: a key takes as many from the keyboard to what it does."""
SWITCH_SECONDS = 0.0005
"""What an app passes to `sys.setswitchinterval` before it opens consoles. With Python's own 5 ms the threads
that read and write its terminal wait several times as long for each key while a guest floods: p95 280 ms, not
60."""


class Feeding:
    """Feeds one engine over several streams of one console."""

    def __init__(self, engine: Engine, fed: Callable[[], None], turns: asyncio.Lock) -> None:
        """`fed` is told whenever the engine has taken something; who holds `turns` parses."""
        self._engine = engine
        self._fed = fed
        self._turns = turns
        self._overlap = Overlap()
        self._spent = 0.0

    def begin(self, replay: int) -> None:
        """A stream begins with so many bytes of what was printed before."""
        self._overlap.begin(replay)

    @property
    def replaying(self) -> bool:
        """Whether what comes next was printed before the stream began."""
        return self._overlap.replaying

    def has_shown(self, text: str) -> bool:
        """Whether airboss's marker in the output has just said this."""
        return self._overlap.has_shown(text)

    async def take(self, data: bytes, answer: Callable[[bytes], object]) -> bool:
        """Take output; what the guest asks now is answered. Whether something before it is missing."""
        before, live = self._overlap.take(data)
        if before:
            await self._feed(before, None)
            # What the guest asked then was answered then, or not at all.
            self._engine.take_answers()
        if live:
            await self._feed(live, answer)
        return self._overlap.take_missed()

    async def _feed(self, data: bytes, answer: Callable[[bytes], object] | None) -> None:
        async with self._turns:
            for start in range(0, len(data), SLICE):
                begin = time.perf_counter()
                self._engine.feed(data[start : start + SLICE])
                self._spent += time.perf_counter() - begin
                if answer is not None and (answers := self._engine.take_answers()):
                    answer(answers)
                if self._spent >= TURN_SECONDS:
                    self._spent = 0.0
                    self._fed()
                    for _ in range(TURNS):
                        await asyncio.sleep(0)
        self._fed()
