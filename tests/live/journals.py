"""A journal in memory, hashed as airboss hashes, and a site that serves it and comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from pilot import wire
from pilot.errors import PilotError, UnreachableError
from pilot.journal import FIRST, Auth, Entry, Head, Kind, Record, entry, hash_of, outcome
from pilot.live.notifier import Notifier

NOW = 1_800_000_000.0


def chained(entries: list[Entry]) -> list[Record]:
    """Records with these contents."""
    records: list[Record] = []
    prev = FIRST
    for id, item in enumerate(entries, 1):
        hash = hash_of(item, id, prev)
        fields = {name: getattr(item, name) for name in Entry.__struct_fields__}
        records.append(Record(**fields, id=id, prev=prev, hash=hash))
        prev = hash
    return records


def asked(
    verb: str = "power.on", cluster: str = "vc1", *, kind: Kind = "intent", auth: Auth = "ssh",
    selectors: tuple[str, ...] = ("compute-0-0",), at: float = 0.0, **more: object,
) -> Entry:  # fmt: skip
    """An intent."""
    return entry(
        NOW + at, kind, principal="ada", auth=auth, cluster=cluster, verb=verb, targets=["uuid-0"],
        args={"selectors": list(selectors)} if selectors else {}, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def ended(intent: int, *results: str, at: float = 1.0, **more: object) -> Entry:
    """Its outcome; a target for each result."""
    told = [
        {"target": f"compute-0-{number}", "node": f"uuid-{number}", "result": result, **more}
        for number, result in enumerate(results)
    ]
    return outcome(NOW + at, intent, told)


class Source:
    """A site whose journal is a list. Records of cluster `hidden` are sealed."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.records = chained(entries)
        self.changed = Notifier()
        self.state = "live"
        self.refuse: PilotError | None = None
        self.asked: list[dict[str, object]] = []
        self.page = 3
        self._streams: set[asyncio.Queue[wire.JournalPage | PilotError]] = set()

    def append(self, *entries: Entry) -> None:
        """Write, and tell who follows."""
        before = len(self.records)
        self.entries += entries
        self.records = chained(self.entries)
        self.tell(wire.JournalPage(tuple(self.records[before:])))

    def tell(self, what: wire.JournalPage | PilotError) -> None:
        """To all streams."""
        for queue in self._streams:
            queue.put_nowait(what)

    def head(self) -> Head:
        """Where it is said to end."""
        return Head(self.records[-1].id, self.records[-1].hash) if self.records else Head(0, FIRST)

    def lose(self) -> None:
        """The link."""
        self.state = "lost"
        self.tell(UnreachableError("lost"))
        self.changed.tell()

    def regain(self) -> None:
        """It is there again."""
        self.state = "live"
        self.changed.tell()

    @property
    def followers(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    async def journal(
        self, cluster: str, *, last: int = 500, before: int = 0, follow: bool = True, sealed: bool = False
    ) -> AsyncGenerator[wire.JournalPage, None]:
        """As airboss serves it."""
        self.asked.append({"cluster": cluster, "last": last, "before": before, "follow": follow})
        if self.refuse is not None:
            raise self.refuse
        if self.state != "live":
            raise UnreachableError("there is no link")
        queue: asyncio.Queue[wire.JournalPage | PilotError] = asyncio.Queue()
        if follow:
            self._streams.add(queue)
        try:
            head = self.head()
            fitting = [
                r for r in self.records if (not before or r.id < before) and (sealed or r.cluster != "hidden")
            ]
            past = fitting[-last:] if last else []
            if sealed:
                first = min(before or head.id + 1, head.id + 1) - last
                past = [record for record in fitting if record.id >= first]
            for start in range(0, max(len(past), 1), self.page):
                part = past[start : start + self.page]
                more = start + self.page < len(past)
                yield wire.JournalPage(
                    tuple(r for r in part if r.cluster != "hidden"),
                    tuple(Head(r.id, r.hash) for r in part if r.cluster == "hidden"),
                    more,
                    head if sealed and not more else None,
                )
            while follow:
                told = await queue.get()
                if isinstance(told, PilotError):
                    raise told
                yield told
        finally:
            self._streams.discard(queue)
