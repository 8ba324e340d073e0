"""What goes wrong with holding a console: said once, and not before it may turn out to be a power-off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

QUIET = 5.0
"""Seconds after a loss in which nothing is said: most are a power-off, and its record tells the story."""


class Trouble:
    """A console that was lost, or cannot be held. A loss is told first, then why it is not held."""

    def __init__(self, lost: Callable[[str], None], not_held: Callable[[str], None]) -> None:
        """All is well. The two are told why, in words."""
        self.told = ""
        """Why it is not held, as was said; nothing if that was not said."""
        self._tell_lost = lost
        self._tell_not_held = not_held
        self._loss = ""
        self._failure = ""
        self._quiet: asyncio.TimerHandle | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it was lost and that has not been said."""
        return bool(self._loss)

    def lost(self, why: str) -> None:
        """It ended by itself."""
        self.clear()
        self._loss = why
        self._quiet = asyncio.get_running_loop().call_later(QUIET, self._long_enough)

    def failed(self, why: str) -> None:
        """A try to hold it failed."""
        self._failure = why
        if self._quiet is None:
            self._say()

    def clear(self) -> None:
        """It is held, or is not meant to be."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = None
        self._loss = self._failure = self.told = ""

    def _long_enough(self) -> None:
        self._quiet = None
        self._say()

    def _say(self) -> None:
        loss, self._loss = self._loss, ""
        if loss:
            self._tell_lost(loss)
        if self._failure != self.told:
            self.told = self._failure
            self._tell_not_held(self._failure)
