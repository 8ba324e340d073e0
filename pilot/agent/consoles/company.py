"""Who is attached to a console, and what they are told of each other: presence, notices, what they say."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from pilot.agent.rate import Rate
from pilot.errors import BusyError
from pilot.wire import MAX_CHAT, Notice, Person, Presence, plain

if TYPE_CHECKING:
    from pilot.agent.consoles.viewer import Viewer

MAX_VIEWERS = 512
MAX_OF_ONE = 16
"""Viewers of one principal, so that nobody can keep the others out."""
CHANGES_EVERY = 0.25
"""Seconds from one account of who is here to the next, at least, when people come, go or change."""
TYPED_EVERY = 5.0
"""The same, when only the times of their last keys have changed."""
_CROWD = 80_000
"""Each is told of all: with n here, accounts are n * n / _CROWD seconds apart at least (512: 3 s)."""
LINES_AT_ONCE, LINES_A_SECOND = 5, 0.5
"""What one principal may say to the others."""
COMINGS_AT_ONCE, COMINGS_A_SECOND = 20, 0.5
"""How often the others are told in words that one principal comes or goes; who is here they see anyway."""


class Company:
    """The viewers of one console, in the order they came."""

    def __init__(self, clock: Callable[[], float], presence: Callable[[str, int], None]) -> None:
        """Nobody is here.

        Args:
            clock: seconds since the epoch.
            presence: told who types (several with commas) and how many others are here, when that changes.
        """
        self.viewers: list[Viewer] = []
        self.on_change: Callable[[], None] = lambda: None
        """Told that somebody came, went, or types or not from now on."""
        self._clock = clock
        self._presence = presence
        self._presence_told = ("", 0)
        self._ids = itertools.count(1)
        self._people: tuple[Person, ...] | None = None
        """What Presence frames tell; None when it has to be looked up anew."""
        self._accounted = -math.inf
        """Loop time of the last account to all."""
        self._account: asyncio.TimerHandle | None = None
        self._lines = Rate(burst=LINES_AT_ONCE, per_second=LINES_A_SECOND)
        self._comings = Rate(burst=COMINGS_AT_ONCE, per_second=COMINGS_A_SECOND)

    def add(self, viewer: Viewer) -> None:
        """One more; the others are not told yet.

        Raises:
            BusyError: there are too many, of this principal or in all.
        """
        own = sum(1 for other in self.viewers if other.principal == viewer.principal)
        if own >= MAX_OF_ONE:
            raise BusyError(
                f"{plain(viewer.principal)} is attached to this console {own} times already",
                "Leave it somewhere else first.",
            )
        if len(self.viewers) >= MAX_VIEWERS:
            raise BusyError(
                f"{MAX_VIEWERS} viewers are attached to this console", "Wait until some have left."
            )
        viewer.id = next(self._ids)
        viewer.since = self._clock()
        self.viewers.append(viewer)

    def dismiss(self) -> list[Viewer]:
        """Nobody is attached any more; who was."""
        viewers, self.viewers = self.viewers, []
        self.changed()
        return viewers

    def changed(self) -> None:
        """Somebody came, went, or types or does not type from now on: all are told, soon."""
        writers = [viewer for viewer in self.viewers if viewer.writing]
        presence = names(writers), len(self.viewers) - len(writers)
        if presence != self._presence_told:
            self._presence_told = presence
            self._presence(*presence)
        self._people = None
        self._account_within(CHANGES_EVERY)
        self.on_change()

    def typed(self, viewer: Viewer) -> None:
        """A viewer typed: all are told in a while."""
        viewer.typed = self._clock()
        self._account_within(TYPED_EVERY)

    def presence(self, viewer: Viewer) -> Presence:
        """Who is here now, for one of them."""
        if self._people is None:
            self._people = tuple(
                Person(
                    other.id, plain(other.principal), other.writing, other.since, other.typed, other.may_write
                )
                for other in self.viewers
            )
        return Presence(self._people, viewer.id, self._clock())

    def say(self, viewer: Viewer, text: str) -> str:
        """Tell all what one of them says; why not, or nothing."""
        words = plain(text, MAX_CHAT).strip()
        if not words:
            return ""
        if not self._lines.allows(viewer.principal):
            return f"not said: more than {LINES_AT_ONCE} lines at once are too many; wait a moment"
        self.tell(Notice("chat", f"{plain(viewer.principal)}: {words}"))
        return ""

    def tell_of(self, viewer: Viewer, notice: Notice) -> None:
        """A notice to all others that a viewer comes or goes, unless it does so all the time."""
        if self._comings.allows(viewer.principal):
            self.tell(notice, (viewer,))

    def tell(self, notice: Notice, but: Collection[Viewer] = ()) -> None:
        """A notice to all, or all others."""
        for viewer in self.viewers:
            if viewer not in but:
                viewer.tell(notice)

    def _account_within(self, gap: float) -> None:
        """See to it that all are told who is here, so long after the last time at least."""
        if not self.viewers:
            if self._account is not None:
                self._account.cancel()
                self._account = None
            return
        loop = asyncio.get_running_loop()
        when = max(loop.time(), self._accounted + max(gap, len(self.viewers) ** 2 / _CROWD))
        if self._account is not None:
            if self._account.when() <= when:
                return
            self._account.cancel()
        self._account = loop.call_at(when, self._tell_all)

    def _tell_all(self) -> None:
        self._account = None
        self._accounted = asyncio.get_running_loop().time()
        self._people = None
        for viewer in self.viewers:
            viewer.people_changed()


def names(viewers: Iterable[Viewer]) -> str:
    """Their principals, each once, with commas in between."""
    return ", ".join(dict.fromkeys(plain(viewer.principal) for viewer in viewers))
