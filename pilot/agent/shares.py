"""How much of what everybody shares one signer may hold, so that one client cannot use it up for all.

Each kind of thing has two bounds: one over all signers, and a lower one for each signer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar

import msgspec

from pilot.agent.consoles.company import MAX_VIEWERS
from pilot.agent.settings import Limits
from pilot.errors import BusyError

K = TypeVar("K")
Kind = Literal["act", "watch", "console", "tail", "log", "screen", "screens"]

SCREEN_VIEWERS = 24
"""Viewers of one screen: QEMU takes 32 VNC clients, and some may come to it by other ways."""


class Bound(msgspec.Struct, frozen=True):
    """The bounds of one kind, and what to call it."""

    total: int
    each: int
    words: str
    """What there are too many of, such as `verbs at work`."""


class Shares:
    """Counts what is held now. Used from the event loop.

    Kinds: `act`, verbs at work; `watch`, `watch` streams; `tail`, `console.tail` streams; `log`,
    `console.log` streams; `console`, viewers of one console, and `screen`, of one screen, counted for each
    place (the node's id) by themselves; `screens`, viewers of all screens together.
    """

    def __init__(self, limits: Limits) -> None:
        self._bounds: dict[Kind, Bound] = {
            "act": Bound(limits.requests, limits.requests_per_key, "verbs at work"),
            "watch": Bound(limits.watchers, limits.watchers_per_key, "watchers attached"),
            "tail": Bound(limits.tails, limits.tails_per_key, "tails of consoles"),
            "log": Bound(limits.logs, limits.logs_per_key, "readers of consoles' logs"),
            "console": Bound(MAX_VIEWERS, limits.viewers_per_key, "viewers attached to this console"),
            "screen": Bound(SCREEN_VIEWERS, limits.viewers_per_key, "viewers of this screen"),
            "screens": Bound(limits.screens, limits.screens_per_key, "screens open"),
        }
        self._all: Counter[tuple[Kind, str]] = Counter()
        self._own: Counter[tuple[Kind, str, str]] = Counter()

    @contextmanager
    def take(self, kind: Kind, holder: str, place: str = "") -> Iterator[None]:
        """Hold one for as long as the block runs. `holder` says whose it is: `Caller.holder`.

        Raises:
            BusyError: everybody together, or this signer, holds as many as there may be.
        """
        bound = self._bounds[kind]
        everybody, own = (kind, place), (kind, place, holder)
        if self._own[own] >= bound.each:
            raise BusyError(
                f"your key has {bound.each} {bound.words} here already, the most that one may have",
                "End some of them first.",
            )
        if self._all[everybody] >= bound.total:
            raise BusyError(f"there are {bound.total} {bound.words} here already", "Ask again in a moment.")
        self._all[everybody] += 1
        self._own[own] += 1
        try:
            yield
        finally:
            _drop(self._all, everybody)
            _drop(self._own, own)

    def held(self, kind: Kind, holder: str | None = None, place: str = "") -> int:
        """How many are held now: by this signer, or by everybody."""
        return self._all[kind, place] if holder is None else self._own[kind, place, holder]


def _drop(counter: Counter[K], key: K) -> None:
    """One less; a key that holds nothing is forgotten, so that the table does not grow for ever."""
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
