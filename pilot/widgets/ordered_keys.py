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
"""How long a key may take to be handled before the next one goes ahead of its effect."""
MOST_WAITING = 4096
"""Keys that wait; what comes beyond is not held back."""

Typed = events.Key | events.Paste


class OrderedKeys(App[Result], inherit_bindings=False):
    """An app that takes keys and pastes in order."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[Typed] = deque()
        self._handling: Typed | None = None
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
        self._patience = asyncio.get_running_loop().call_later(LONGEST_SECONDS, self._done, event)
        await super().on_event(event)
        self._follow(target if event.is_forwarded else self, event)

    def _follow(self, pump: DOMNode, event: Typed) -> None:
        """Go the way of the event, queue by queue and behind it, up to the app."""
        parent = pump.parent
        if parent is None:
            self.call_later(self._settle, event)
        else:
            pump.call_later(self._follow, parent, event)

    def _settle(self, event: Typed) -> None:
        """Wait for what it has led to: messages to other widgets, another focus, another screen."""
        if not self.is_running:
            return
        pumps = (self, *self.screen.walk_children(with_self=True))
        if event is self._handling and any(pump.message_queue_size for pump in pumps):
            # Not by a message: an app that always finds one in its queue leaves nobody else a turn.
            asyncio.get_running_loop().call_soon(self._settle, event)
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
