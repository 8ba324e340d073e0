"""`journal.read`: a page of the past, then what is written, to those who may read it as of now."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar, cast

from pilot import wire
from pilot.agent import journal_view as view
from pilot.agent.aside import Aside
from pilot.agent.caller import Caller
from pilot.agent.database import Database
from pilot.agent.gate import Asked
from pilot.agent.journal import Journal, Written
from pilot.agent.journal_view import Scope
from pilot.agent.policy import is_site_admin, may
from pilot.errors import DeadlineError, RefusedError

PULSE_SECONDS = 5.0
"""After this much silence the disk is looked at, for what other programs wrote, and a page is sent."""
GATHER_SECONDS = 0.1
"""The least between two looks at the disk for one reader: what is written meanwhile goes in one page."""
LOOK_SECONDS = 20.0
"""How long one look at the disk may take, those of others before it included."""
LINGER_SECONDS = 0.03
"""After the first word of something new: most verbs have ended by then, and are told with their outcome."""
_THREADS = 2
"""For all readers together, so that they cannot take the threads that verbs need."""
_MAX_ASKED = 10_000

T = TypeVar("T")


class _Sender(Protocol):
    async def send(self, frame: wire.ServerFrame) -> None: ...


class _Reader:
    """Somebody who follows."""

    def __init__(self, asked: Asked) -> None:
        # Who sees the places of all records is told of all.
        self._cluster = "" if asked.args["sealed"] else asked.cluster
        self.wake = asyncio.Event()

    def tell(self, clusters: set[str] | None) -> None:
        """Something was written about these clusters; None if it is not known about which."""
        if not self._cluster or clusters is None or self._cluster in clusters:
            self.wake.set()


class JournalStreams:
    """All readers of one journal. Used from the event loop."""

    def __init__(self, database: Database, journal: Journal, added: Callable[[str], float]) -> None:
        """`added`: when a cluster was added, in seconds since the epoch; infinity if there is none."""
        self._database = database
        self._added = added
        self._readers: set[_Reader] = set()
        self._asked: OrderedDict[int, str] = OrderedDict()
        """Intents that are at work to their clusters: outcomes do not name any."""
        self._aside = Aside("journal-read", _THREADS)
        journal.listen(self._written)

    def recheck(self) -> None:
        """Rights have changed: readers are held against them."""
        for reader in self._readers:
            reader.wake.set()

    async def stream(self, caller: Caller, asked: Asked, out: _Sender) -> None:
        """Send what is asked for; if that is to follow, until cancelled.

        Raises:
            RefusedError: the signer may not read this (any more).
            StorageError: the journal cannot be read, or was cut.
        """
        reader = _Reader(asked)
        self._readers.add(reader)
        try:
            head = await self._past(caller, asked, out)
            if asked.args["follow"]:
                await self._follow(caller, asked, out, reader, head)
        finally:
            self._readers.discard(reader)

    async def _past(self, caller: Caller, asked: Asked, out: _Sender) -> int:
        """Send the past; where the journal ended before anything was sent."""
        before, count = cast("int", asked.args["before"]), cast("int", asked.args["last"])
        scope, past = await self._look(caller, asked, partial(view.past, before=before, count=count))
        at = 0
        while True:
            scope, part = await self._look(caller, asked, partial(view.read, ids=past.ids[at:]))
            while at < len(past.ids) and past.ids[at] <= part.upto:
                at += 1
            more = at < len(past.ids)
            head = past.head if scope.sealed and not more else None
            await out.send(wire.JournalPage(part.records, part.sealed, more, head))
            if not more:
                return past.head.id

    async def _follow(self, caller: Caller, asked: Asked, out: _Sender, reader: _Reader, after: int) -> None:
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        more = False
        while True:
            if not more:
                await _awaken(reader, spoke + PULSE_SECONDS)
            reader.wake.clear()
            looked = loop.time()
            _, (part, more) = await self._look(caller, asked, partial(view.news, after=after))
            after = max(after, part.upto)
            if part.records or part.sealed or loop.time() >= spoke + PULSE_SECONDS:
                await out.send(wire.JournalPage(part.records, part.sealed))
                spoke = loop.time()
            if not more:
                await asyncio.sleep(max(0.0, looked + GATHER_SECONDS - loop.time()))

    async def _look(
        self, caller: Caller, asked: Asked, look: Callable[[Database, Scope], T]
    ) -> tuple[Scope, T]:
        """What there is to see by the rights that the caller has once it has been read."""
        while True:
            scope = self._scope(caller, asked)
            try:
                found = await self._aside.call(partial(look, self._database, scope), LOOK_SECONDS)
            except TimeoutError:
                raise DeadlineError(
                    f"the journal could not be read within {LOOK_SECONDS:g} s", "Ask again in a moment."
                ) from None
            if self._scope(caller, asked) == scope:
                return scope, found

    def _scope(self, caller: Caller, asked: Asked) -> Scope:
        """What the caller may read now.

        Raises:
            RefusedError: nothing of what was asked for.
        """
        grants = caller.grants()
        site = is_site_admin(grants)
        if not (may(grants, asked.verb, asked.cluster) if asked.cluster else site):
            raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
        since = 0.0 if site else self._added(asked.cluster)
        return Scope(asked.cluster, site, bool(asked.args["sealed"]), since)

    def _written(self, written: Written) -> None:
        """The journal has appended records."""
        clusters: set[str] | None = set()
        for entry, head in written:
            cluster: str | None = entry.cluster
            if entry.kind == "intent":
                self._asked[head.id] = entry.cluster
            elif entry.kind == "outcome":
                cluster = self._asked.pop(entry.intent, None)
            if cluster is None:
                clusters = None
            elif clusters is not None:
                clusters.add(cluster)
        while len(self._asked) > _MAX_ASKED:
            self._asked.popitem(last=False)
        for reader in self._readers:
            reader.tell(clusters)


async def _awaken(reader: _Reader, latest: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(latest):
            await reader.wake.wait()
            await asyncio.sleep(LINGER_SECONDS)
