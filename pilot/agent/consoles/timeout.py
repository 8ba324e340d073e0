"""How long somebody may stay at a console, and how long without doing anything: the site's limits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import NamedTuple

from pilot.agent.consoles.viewer import Viewer
from pilot.agent.settings import ConsoleSettings
from pilot.records import Role
from pilot.wire import Notice

NOTICE = 60.0
"""Seconds before the end at which it is announced; with a short limit, a third of that before."""


class _End(NamedTuple):
    """An end that comes unless something changes."""

    at: float
    """Loop time."""
    announced: float
    """Loop time of its announcement."""
    notice: str
    last_word: str


class Timeout:
    """Sends one viewer away in the end. `close` it when the viewer is gone."""

    def __init__(
        self,
        viewer: Viewer,
        settings: ConsoleSettings,
        role: Role,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """It counts from now, by the clock of the loop: the running one, if none is given."""
        self._viewer = viewer
        self._settings = settings
        self._role = role
        self._loop = loop or asyncio.get_running_loop()
        self._since = self._loop.time()
        self._told: set[float] = set()
        """Ends that were announced, by their time."""
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def role_is(self, role: Role) -> None:
        """The viewer's role may have changed, and the limits with it."""
        if role != self._role:
            self._role = role
            self._look()

    def close(self) -> None:
        """Nobody has to be sent away any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Do what is due, and come back when there may be more to do."""
        self.close()
        now = self._loop.time()
        next_look = math.inf
        ends = list(self._ends())
        for end in ends:
            if now >= end.at:
                self._viewer.close(end.last_word, "limit")
                return
            if now >= end.announced and end.at not in self._told:
                self._viewer.tell(Notice("limit", end.notice))
                self._told.add(end.at)
            next_look = min(next_look, end.at if now >= end.announced else end.announced)
        self._told &= {end.at for end in ends}
        if next_look < math.inf:
            self._timer = self._loop.call_at(next_look, self._look)

    def _ends(self) -> Iterator[_End]:
        idle, longest = self._limits()
        at_site = f"the site's limit for the role {self._role}"
        if idle:
            warning = min(NOTICE, idle / 3)
            keeps = "you type" if self._viewer.writing else "you do or say something here"
            yield _End(
                at := self._viewer.acted + idle,
                at - warning,
                f"this console ends in {_span(warning)} unless {keeps}:"
                f" {_span(idle)} without that is {at_site}",
                f"you did nothing here for {_span(idle)}, {at_site}; open the console again to go on",
            )
        if longest:
            warning = min(NOTICE, longest / 3)
            yield _End(
                at := self._since + longest,
                at - warning,
                f"this console ends in {_span(warning)}: {_span(longest)} at a time is {at_site};"
                " it can be opened again then",
                f"you were here for {_span(longest)}, {at_site}; open the console again to go on",
            )

    def _limits(self) -> tuple[float, float]:
        settings = self._settings
        if self._role == "viewer":
            return settings.idle_viewer, settings.max_viewer
        if self._role == "operator":
            return settings.idle_operator, settings.max_operator
        return settings.idle_owner, settings.max_owner


def _span(seconds: float) -> str:
    """A time as people say it; limits are round numbers, most of the time."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
