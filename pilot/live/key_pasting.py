"""A text on its way to a guest's keyboard, stroke by stroke, no faster than the guest takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from pilot.vnc.keys import STROKE_SECONDS, Stroke, Typing


class KeyPasting:
    """What is being typed, one text after the other. It can be given up at any time."""

    def __init__(
        self,
        press: Callable[[Stroke], bool],
        drain: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """Nothing is typed yet.

        Args:
            press: makes a stroke; whether anybody took it.
            drain: waits while nobody reads.
            changed: told of every stroke.
        """
        self.sent = 0
        self.size = 0
        """Strokes that were made, and in all; equal when there is nothing to do."""
        self._press = press
        self._drain = drain
        self._changed = changed
        self._strokes: deque[Stroke] = deque()
        self._task: asyncio.Task[None] | None = None

    @property
    def going(self) -> bool:
        """Whether there is something left to type."""
        return self._task is not None

    def begin(self, typing: Typing) -> None:
        """Type this behind what is being typed."""
        self.size += len(typing.strokes)
        self._strokes += typing.strokes
        if self._task is None and self._strokes:
            self._task = asyncio.create_task(self._type(), name="screen-paste")

    def cancel(self) -> bool:
        """Give up what is not typed yet; whether there was anything."""
        going = self._task is not None
        if self._task is not None:
            self._task.cancel()
            self._end()
        return going

    async def _type(self) -> None:
        while self._strokes:
            if not self._press(self._strokes.popleft()):
                break
            self.sent += 1
            self._changed()
            await self._drain()
            await asyncio.sleep(STROKE_SECONDS)
        self._end()

    def _end(self) -> None:
        self._task = None
        self._strokes.clear()
        self.sent = self.size = 0
        self._changed()
