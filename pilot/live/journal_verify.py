"""Checking a site's journal from outside: the chain over all records, one's own contents, one's receipts.

Airboss sends what the signer may read whole, and of all other records the place and the hash. So the client
finds a record of its own that was changed, taken out, put in, moved or re-signed; that the chain of what it
sees goes through what it does not see; and whatever its receipts contradict. What a sealed record says it
cannot check: that takes a site admin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pilot import wire
from pilot.errors import WireError
from pilot.journal import Head, Record

if TYPE_CHECKING:
    # With the checks come the keys, which the app's first frame does not wait for.
    from pilot.journal_check import Checker, Found, Receipt, Report, Witness

PAGE = 5000
"""Records that are asked for at a time, the most that there are in one answer."""

Progress = Callable[[int, int], None]


class Journals(Protocol):
    """Where records come from: a `Link`, or a `LiveSite`."""

    def journal(
        self, cluster: str, *, last: int = ..., before: int = ..., follow: bool = ..., sealed: bool = ...
    ) -> AsyncGenerator[wire.JournalPage, None]:
        """Records of the journal."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    report: Report
    """What the chain and the signatures say."""
    receipts: int
    """Receipts of this airboss that were compared."""
    contradicted: tuple[tuple[int, str], ...]
    """Records that a receipt, or what was shown before, contradicts; and how."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.report.broken is None and not self.contradicted


async def verify(
    journals: Journals,
    cluster: str,
    *,
    airboss: Collection[str],
    receipts: Sequence[Receipt] = (),
    seen: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> Verified:
    """Check the journal from its first record to where it ends now.

    Args:
        journals: where the records come from.
        cluster: the cluster whose records are checked whole; empty for all, as a site admin may.
        airboss: fingerprints of the host keys that the site has had, the present one among them. Receipts of
            others are left alone; requests that were signed for others are wrong.
        receipts: those that the user kept.
        seen: hashes of records, by id, as they were shown before.
        progress: told how many records were checked, and how many there are.

    Raises:
        RefusedError: the signer may not read this.
        UnreachableError, DeadlineError: the link was lost, or airboss does not answer.
        WireError: what came is not the protocol.
    """
    # Before the end is asked for: a receipt that comes meanwhile may be of a record behind it.
    told = await asyncio.to_thread(_witnesses, receipts, airboss)
    head = Head(0, "")
    async for page in journals.journal(cluster, last=0, follow=False, sealed=True):
        if page.head is None:
            raise WireError("airboss does not say where its journal ends", "Is it older than this client?")
        head = page.head
    work = _Work(airboss, head, {one.id for one in told} | (seen or {}).keys())
    after = 0
    while after < head.id and work.right:
        upto = min(after + PAGE, head.id)
        pages = journals.journal(cluster, last=upto - after, before=upto + 1, follow=False, sealed=True)
        try:
            async for page in pages:
                if not await asyncio.to_thread(work.take, page):
                    break
                if progress is not None:
                    progress(work.checker.head.id, head.id)
        finally:
            await pages.aclose()
        after = upto
    return work.compare(told, cluster, seen or {})


def _witnesses(receipts: Sequence[Receipt], airboss: Collection[str]) -> list[Witness]:
    """What the receipts of this airboss say, and those that cannot be read."""
    from pilot.journal_check import witness

    told = (witness(receipt, None) for receipt in receipts)
    return [one for one in told if one.problem or one.airboss in airboss]


class _Work:
    """One check. `take` is called in a thread, one page at a time."""

    def __init__(self, airboss: Collection[str], head: Head, wanted: Collection[int]) -> None:
        from pilot.journal_check import Checker

        self.checker: Checker = Checker(airboss, head)
        self.right = True
        self._end = head.id
        self._wanted = wanted
        self._found: dict[int, Found] = {}
        self._asked: dict[int, bytes] = {}
        """Digests of the requests, by intent."""
        self._first: int | None = None
        """The first record that may be read."""

    def take(self, page: wire.JournalPage) -> bool:
        """Check a page; whether all is right so far."""
        from pilot.journal_check import Found

        places: list[Record | Head] = [*page.records, *page.sealed]
        for place in sorted(places, key=lambda place: place.id):
            if place.id > self._end:
                # Written since the end was asked for.
                return self.right
            self.right = self.checker.take(place)
            if not self.right:
                return False
            request: str | None = None
            if isinstance(place, Record):
                self._first = self._first or place.id
                if place.kind == "intent":
                    self._asked[place.id] = bytes.fromhex(wire.digest(place.body))
                request = self._asked.get(place.intent, bytes.fromhex(wire.digest(b""))).hex()
            if place.id in self._wanted:
                self._found[place.id] = Found(place.hash, request)
        return True

    def compare(self, told: Sequence[Witness], cluster: str, seen: Mapping[int, str]) -> Verified:
        """Hold what is known from before against what was found."""
        from pilot.journal_check import compare

        report = self.checker.report()
        known = report.head.id if report.broken is not None else None
        wrong: dict[int, str] = {}
        compared = 0
        for one in told:
            if known is not None and one.id > known:
                continue
            compared += 1
            problem = compare(one, self._found.get(one.id)) or self._hidden(one, cluster)
            if problem:
                wrong.setdefault(one.id, problem)
        for id, hash in seen.items():
            found = self._found.get(id)
            if known is None and found is None:
                wrong.setdefault(id, f"record {id} was shown before, and is gone: the journal was cut off")
            elif found is not None and found.hash != hash:
                wrong.setdefault(id, f"record {id} had another hash when it was shown before: rewritten")
        return Verified(report, compared, tuple(sorted(wrong.items())))

    def _hidden(self, told: Witness, cluster: str) -> str:
        """Why a record that a receipt names should not be sealed; empty if it is not, or may be.

        Records from before the cluster was added are sealed; behind one that is not, none of it is.
        """
        found = self._found.get(told.id)
        if found is None or found.request is not None or not told.cluster or told.cluster != cluster:
            return ""
        if self._first is None or told.id < self._first:
            return ""
        return f"record {told.id} is the outcome of a request of yours in {cluster}, and is not shown as one"
