"""Keys one after the other: each is handled before the next one is looked at.

Textual gives a key to whatever has the focus at the moment it arrives. Keys that come faster than they are
handled (typed ahead, or over a slow line) would then miss the line or the menu that the key before them
opens, and be taken for commands of what lies below. Here the next key waits until the one before has had its
effect.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

from textual import events
from textual.app import App
from textual.dom import DOMNode

from pilot.widgets.faithful_keys import ordinary

Result = TypeVar("Result")

LONGEST_SECONDS = 0.25
"""How long what a key has led to may take before the next one goes ahead of it."""
MAKING_SECONDS = 5.0
"""The same while the key itself is not handled yet, or the screen that it opens is still being made."""
MOST_WAITING = 4096
"""Keys that wait; what comes beyond is not held back."""

Typed = events.Key | events.Paste


class OrderedKeys(App[Result], inherit_bindings=False):
    """An app that takes keys and pastes in order."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[Typed] = deque()
        self._handling: Typed | None = None
        self._given = 0.0
        self._at: DOMNode | None = None
        """Whose queue the key is in; None once it has been handled by all that it goes to."""
        self._patience: asyncio.TimerHandle | None = None

    async def on_event(self, event: events.Event) -> None:
        """Hold a key back while the one before is being handled."""
        if not isinstance(event, Typed) or event.is_forwarded:
            await super().on_event(event)
        elif self._handling is not None and len(self._typed) < MOST_WAITING:
            self._typed.append(event)
        else:
            await self._give(event)

    async def _give(self, event: Typed) -> None:
        if isinstance(event, events.Key) and not getattr(self.focused, "TAKES_ALL_KEYS", False):
            event, *rest = ordinary(event)
            self._typed.extendleft(reversed(rest))
        self._handling = event
        target = self.focused or self.screen
        self._given, self._at = asyncio.get_running_loop().time(), self
        self._wait(event)
        await super().on_event(event)
        self._follow(target if event.is_forwarded else self, event)

    def _follow(self, pump: DOMNode, event: Typed) -> None:
        """Go the way of the event, queue by queue and behind it, up to the app."""
        self._at, parent = pump, pump.parent
        if parent is None:
            self.call_later(self._settle, event)
        else:
            pump.call_later(self._follow, parent, event)

    def _settle(self, event: Typed) -> None:
        """Wait for what it has led to: messages to other widgets, another focus, another screen."""
        if not self.is_running:
            return
        if event is self._handling:
            self._at = None
        pumps = (self, *self.screen.walk_children(with_self=True))
        busy = self._is_making() or any(pump.message_queue_size for pump in pumps)
        if event is self._handling and busy:
            # Not by a message: an app that always finds one in its queue leaves nobody else a turn.
            asyncio.get_running_loop().call_soon(self._settle, event)
        else:
            self._done(event)

    def _is_making(self) -> bool:
        """Whether the screen that is shown is not whole yet: what is to have the keys may not be there."""
        return not self.screen._mounted_event.is_set()  # noqa: SLF001

    def _wait(self, event: Typed) -> None:
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(LONGEST_SECONDS, self._impatient, event)

    def _impatient(self, event: Typed) -> None:
        """The key takes long: the next one goes ahead, unless that would be the wrong one's."""
        if event is not self._handling or not self.is_running:
            return
        # A widget that is taken away never handles the key that it has.
        on_its_way = self._at is not None and self._at.is_attached and self._at.is_running
        late = asyncio.get_running_loop().time() - self._given >= MAKING_SECONDS
        if (on_its_way or self._is_making()) and not late:
            self._wait(event)
        else:
            self._done(event)

    def _done(self, event: Typed) -> None:
        """The key has had its effect, or has taken too long: the next one, in the app's own turn."""
        if event is self._handling:
            self.call_later(self._next, event)

    async def _next(self, event: Typed) -> None:
        if event is not self._handling:
            return
        self._handling = None
        if self._patience is not None:
            self._patience.cancel()
        if self._typed:
            await self._give(self._typed.popleft())
