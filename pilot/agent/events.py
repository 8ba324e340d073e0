"""What happened at the site, as it was seen: the newest of it, kept over a restart, told to who may know."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, cast

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.gate import Asked
from pilot.agent.happenings import Said, happened
from pilot.agent.policy import View
from pilot.errors import RefusedError
from pilot.records import AnyRecord, Happening, HappeningTone, Host, Instance, Machine, Node, Pool, Source

KEPT = 10_000
"""A few hundred bytes each."""
SETTLED_SECONDS = 10.0
"""After a host or a source has answered: what comes sooner was there before, and is no news."""
PER_FRAME = 500
PULSE_SECONDS = 5.0
_LINKS = ("link", "source")


class _Sender(Protocol):
    async def send(self, frame: wire.ServerFrame) -> None: ...


class Events:
    """The newest happenings. Used on the event loop's thread only."""

    def __init__(
        self,
        records: Mapping[str, AnyRecord],
        clock: Callable[[], float],
        kept: int = KEPT,
        added: Callable[[str], float] = lambda _cluster: 0.0,
    ) -> None:
        """Nothing has happened yet.

        Args:
            records: the inventory, by id.
            clock: seconds since the epoch.
            kept: how many happenings.
            added: when a cluster was added; who has a cluster's name since then is not told what was before.
        """
        self.kept: deque[Happening] = deque(maxlen=kept)
        """Oldest first."""
        self.number = 0
        """Of the newest."""
        self._records = records
        self._clock = clock
        self._added = added
        self._lost: set[str] = set()
        """Ids of hosts and sources that it was said of that they do not answer."""
        self._readers: set[asyncio.Event] = set()

    def take_up(self, kept: Iterable[Happening]) -> None:
        """Those that were kept before airboss was started, oldest first."""
        before = [*kept, *self.kept]
        self.kept.clear()
        self.kept.extend(before)
        self.number = max([self.number, *(one.number for one in before)])

    # --- told by the inventory ---------------------------------------------------------------------

    def changed(self, old: AnyRecord | None, new: AnyRecord | None) -> None:
        """A record came, changed or went."""
        record = new if new is not None else old
        if record is None or (old is None and not self._is_news(record)):
            return
        before, now = (one.cluster if isinstance(one, Node | Instance) else None for one in (old, new))
        if old is not None and new is not None and before != now:
            # Neither side learns who the other is, nor what else is new with it.
            self._add(old, Said("cluster", "left the cluster"), before)
            self._add(new, Said("cluster", "joined the cluster"), now)
            return
        for said in happened(old, new):
            if said.what not in _LINKS or self._link_is_news(record, said.tone == "bad"):
                self._add(record, said, _cluster(record))

    def say(self, record_id: str, cluster: str, words: str, tone: HappeningTone = "") -> None:
        """Something happened that no record shows, for those who may see the cluster."""
        record = self._records.get(record_id)
        if record is not None:
            self._add(record, Said("refused", words, tone), cluster)

    def _link_is_news(self, record: AnyRecord, lost: bool) -> bool:
        """Whether a host or source is lost, or back from that: not when it is reached for the first time."""
        was_lost = record.id in self._lost
        (self._lost.add if lost else self._lost.discard)(record.id)
        return lost or was_lost

    def _is_news(self, record: AnyRecord) -> bool:
        """Whether something that was not known before has come about now."""
        if isinstance(record, Node) and record.provider == "libvirt":
            place = self._records.get(f"host:{record.host}")
        elif isinstance(record, Instance | Node):
            known = record if isinstance(record, Instance) else self._records.get(f"instance:{record.domain}")
            account = f"{known.account}/{known.region}" if isinstance(known, Instance) else ""
            place = self._records.get(f"source:ec2/{account}")
        elif isinstance(record, Machine):
            pools = (self._records.get(f"source:{kind}/{record.pool}") for kind in ("condor", "file"))
            place = next((pool for pool in pools if pool is not None), None)
        else:
            return False
        if not isinstance(place, Host | Source) or place.state != "up":
            return False
        return self._clock() - place.since > SETTLED_SECONDS

    def _add(self, record: AnyRecord, said: Said, cluster: str | None) -> None:
        self.number += 1
        others = isinstance(record, Node | Instance) and record.cluster != cluster
        # Who cordons a host, and why, is the site's business.
        host = record.name if isinstance(record, Host) and said.what != "cordon" else ""
        happening = Happening(
            self.number,
            self._clock(),
            record.id,
            record.id if others else _name(record),
            said.words,
            said.what,
            said.tone,
            cluster,
            host,
        )
        self.kept.append(happening)
        for reader in self._readers:
            reader.set()

    # --- told to readers -----------------------------------------------------------------------------

    def recheck(self) -> None:
        """Rights have changed: readers are held against them."""
        for reader in self._readers:
            reader.set()

    async def stream(self, caller: Caller, asked: Asked, out: _Sender) -> None:
        """Send the newest that the signer may know of; if that is to follow, go on until cancelled.

        Raises:
            RefusedError: the signer has no right to see anything of this any more.
        """
        wake = asyncio.Event()
        self._readers.add(wake)
        try:
            upto = self.number
            past = self._shown(self.kept, self._view(caller, asked))
            last = cast("int", asked.args["last"])
            await _send(out, past[-last:] if last else [])
            while asked.args["follow"]:
                await _pulse(wake)
                wake.clear()
                news = self._shown(self._after(upto), self._view(caller, asked))
                upto = self.number
                await _send(out, news)
        finally:
            self._readers.discard(wake)

    def _after(self, number: int) -> list[Happening]:
        """Those with a higher number, oldest first."""
        found = []
        for one in reversed(self.kept):
            if one.number <= number:
                break
            found.append(one)
        return found[::-1]

    def _view(self, caller: Caller, asked: Asked) -> View:
        grants = caller.grants()
        if not grants or (asked.cluster and caller.role(asked.cluster) is None):
            raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
        return View(grants, asked.cluster)

    def _shown(self, happenings: Iterable[Happening], view: View) -> list[Happening]:
        hosts: frozenset[str] | None = None
        out = []
        for one in happenings:
            if one.cluster is not None:
                shown = view.sees_cluster(one.cluster) and (
                    view.of_site or one.time >= self._added(one.cluster)
                )
            elif view.sees_site or not one.host:
                shown = view.sees_site
            else:
                # A look at every record: only where it is needed.
                if hosts is None:
                    hosts = view.hosts_in_view(self._records.values())
                shown = one.host in hosts
            if shown:
                out.append(one)
        return out


async def _send(out: _Sender, happenings: list[Happening]) -> None:
    """One frame at least: it says that airboss is there."""
    for start in range(0, max(len(happenings), 1), PER_FRAME):
        more = start + PER_FRAME < len(happenings)
        await out.send(wire.Happened(tuple(happenings[start : start + PER_FRAME]), more))


async def _pulse(wake: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PULSE_SECONDS):
            await wake.wait()
    except TimeoutError:
        return


def _cluster(record: AnyRecord) -> str | None:
    if isinstance(record, Node | Instance):
        return record.cluster
    # A machine that is no node of the site is nobody's.
    return record.cluster if isinstance(record, Machine) and record.node else None


def _name(record: AnyRecord) -> str:
    if isinstance(record, Node):
        return record.name or record.domain
    if isinstance(record, Pool):
        return f"{record.host} {record.name}"
    return getattr(record, "name", "") or record.id.partition(":")[2]
