"""The journal of a cluster, or of the whole site, as a list that stays up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pilot.errors import DeadlineError, PilotError, UnreachableError, WireError
from pilot.journal import Deed, Record
from pilot.link.backoff import Backoff
from pilot.live.journal_verify import Journals, Progress, Verified, verify
from pilot.live.notifier import Notifier
from pilot.render.journal import names_in

if TYPE_CHECKING:
    from pilot.journal_check import Receipt

KEPT = 20_000
"""Records that are kept, the newest ones."""
FIRST = 1000
"""Records that are read at the beginning, and after each loss."""

State = Literal["reading", "live", "lost", "refused"]


class JournalSite(Journals, Protocol):
    """A site that comes and goes, such as a `LiveSite`."""

    changed: Notifier

    @property
    def state(self) -> str:
        """`live` while there is a link."""


class JournalView:
    """Records of one cluster, each intent joined with its outcome. Lives on the event loop's thread."""

    def __init__(self, site: JournalSite, cluster: str, *, first: int = FIRST, kept: int = KEPT) -> None:
        """`cluster` is empty for everything, as a site admin may."""
        self.cluster = cluster
        self.changed = Notifier()
        """Told when there are other deeds, or another state."""
        self.state: State = "reading"
        """`live` once the past is there; `refused`: waiting does not mend it, `retry` tries again."""
        self.error: PilotError | None = None
        """Why it is lost or refused."""
        self.whole = False
        """Whether nothing is older than what is kept."""
        self.problem = ""
        """What does not fit with what airboss said before; empty if nothing. The journal may be rewritten."""
        self._site = site
        self._first = min(first, kept)
        self._kept = kept
        self._records: dict[int, Record] = {}
        self._deeds: dict[int, Deed] = {}
        self._names: dict[str, str] = {}
        self._retry = asyncio.Event()
        self._older = asyncio.Lock()

    # --- looking ---------------------------------------------------------------------------------

    @property
    def deeds(self) -> Sequence[Deed]:
        """What was done, oldest first. A deed is the same object until its outcome comes."""
        return tuple(self._deeds.values())

    @property
    def names(self) -> dict[str, str]:
        """Names of nodes by id, as outcomes told them."""
        return self._names

    # --- following -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read and follow until cancelled, through losses of the link."""
        backoff = Backoff()
        while True:
            try:
                await self._follow(backoff)
                error: PilotError = UnreachableError("airboss ended the journal's stream")
            except PilotError as failure:
                error = failure
            if isinstance(error, UnreachableError | DeadlineError | WireError):
                self._enter("lost", error)
                await self._until_linked(backoff)
            else:
                self._enter("refused", error)
                self._retry.clear()
                await self._retry.wait()
                self._enter("reading")

    def retry(self) -> None:
        """Ask again now."""
        self._retry.set()

    async def _follow(self, backoff: Backoff) -> None:
        pages = self._site.journal(self.cluster, last=self._first)
        past: list[Record] | None = []
        async with aclosing(pages):
            async for page in pages:
                if past is None:
                    self._append(page.records)
                    continue
                past += page.records
                if not page.more:
                    self._begin(past)
                    past = None
                    backoff.reset()
                    self._enter("live")

    async def _until_linked(self, backoff: Backoff) -> None:
        """Wait a while, and for the link if it is gone."""
        linked = asyncio.Event()

        def look() -> None:
            if self._site.state == "live":
                linked.set()

        unlisten = self._site.changed.listen(look)
        try:
            look()
            self._retry.clear()
            try:
                async with asyncio.timeout(backoff.seconds()):
                    await self._retry.wait()
            except TimeoutError:
                await linked.wait()
        finally:
            unlisten()

    # --- the list --------------------------------------------------------------------------------

    async def load_older(self, count: int = FIRST) -> bool:
        """Read more of the past; whether there is more of it that may be kept.

        Raises:
            UnreachableError: there is no link, or it was lost. The rest as for `Link.journal`.
        """
        async with self._older:
            room = min(count, self._kept - len(self._records))
            if self.whole or room <= 0 or not self._records:
                return False
            oldest = next(iter(self._records))
            older: list[Record] = []
            async with aclosing(
                self._site.journal(self.cluster, last=room, before=oldest, follow=False)
            ) as pages:
                async for page in pages:
                    older += page.records
            if next(iter(self._records), None) == oldest:
                self.whole = len(older) < room
                self._set([*older, *self._records.values()])
                self.changed.tell()
            return not self.whole and len(self._records) < self._kept

    def _begin(self, past: list[Record]) -> None:
        """The newest of the past are here, for the first time or again."""
        held = self._records
        joined = bool(held and past) and past[0].id <= next(reversed(held))
        self._contradict(past)
        if joined:
            older = [record for id, record in held.items() if id < past[0].id]
            self._set([*older, *past])
        else:
            self.whole = len(past) < self._first
            self._set(past)

    def _append(self, records: Sequence[Record]) -> None:
        if not records:
            return
        self._contradict(records)
        for record in records:
            self._records[record.id] = record
            self._join(record)
        self._trim()
        self.changed.tell()

    def _set(self, records: Sequence[Record]) -> None:
        before, self._deeds = self._deeds, {}
        self._records = {record.id: record for record in records}
        for record in records:
            self._join(record)
        for id, deed in self._deeds.items():
            if (old := before.get(id)) == deed:
                self._deeds[id] = old
        self._trim()

    def _join(self, record: Record) -> None:
        deed = self._deeds.get(record.intent) if record.kind == "outcome" else None
        if deed is not None and deed.record.kind == "intent":
            self._deeds[record.intent] = Deed(deed.record, record)
        else:
            self._deeds[record.id] = Deed(record)
        self._names.update(names_in((record,)))

    def _trim(self) -> None:
        """Forget the oldest beyond the bound, outcomes with their intents."""
        while len(self._records) > self._kept:
            oldest = next(iter(self._records))
            del self._records[oldest]
            self.whole = False
            deed = self._deeds.pop(oldest, None)
            if deed is not None and deed.outcome is not None:
                self._records.pop(deed.outcome.id, None)

    def _contradict(self, records: Sequence[Record]) -> None:
        for record in records:
            known = self._records.get(record.id)
            if known is not None and known.hash != record.hash and not self.problem:
                self.problem = f"record {record.id} had another hash before: the journal was rewritten"

    def _enter(self, state: State, error: PilotError | None = None) -> None:
        self.state, self.error = state, error
        self.changed.tell()

    # --- checking --------------------------------------------------------------------------------

    async def verify(
        self, airboss: Collection[str], receipts: Path, progress: Progress | None = None
    ) -> Verified:
        """Check the whole journal, also against the user's receipts and what was shown here.

        Raises:
            UsageError: the file of receipts cannot be read. The rest as for `journal_verify.verify`.
        """
        kept = await asyncio.to_thread(receipts_in, receipts)
        seen = {record.id: record.hash for record in self._records.values()}
        return await verify(
            self._site, self.cluster, airboss=airboss, receipts=kept, seen=seen, progress=progress
        )


def receipts_in(path: Path) -> list[Receipt]:
    """The receipts that the user kept; none if there is no file yet.

    Raises:
        UsageError: the file cannot be read, or a line is no receipt.
    """
    from pilot.journal_check import read_receipts

    if not path.exists() or path.stat().st_size == 0:
        return []
    return read_receipts(path)
