"""What a provider told, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pilot.backends.provider import Extra, Used
from pilot.records import Host, Machine, Node, Queue, Source
from tests.support.waiting import until

DEADLINE = 40.0
POOL = "osg"


class Seen:
    """A Sink that keeps the newest of each."""

    def __init__(self) -> None:
        self.records: dict[str, Extra] = {}
        self.told = 0
        """Machines and queues that were told, again or anew."""
        self.largest = 0
        """Slots that were told of at once, at most."""

    def extras(self, records: Iterable[Extra]) -> None:
        some = list(records)
        for record in some:
            self.told += not isinstance(record, Source)
            self.records[record.id] = record
        slots = sum(len(record.slots) for record in some if isinstance(record, Machine))
        self.largest = max(self.largest, slots)

    def gone(self, ids: Iterable[str]) -> None:
        for record_id in ids:
            del self.records[record_id]

    def machine(self, name: str) -> Machine | None:
        """A machine by its short name."""
        record = self.records.get(f"machine:{POOL}/{name}.pilot.test")
        return record if isinstance(record, Machine) else None

    @property
    def machines(self) -> list[Machine]:
        """All."""
        return [record for record in self.records.values() if isinstance(record, Machine)]

    @property
    def queues(self) -> list[Queue]:
        """All."""
        return [record for record in self.records.values() if isinstance(record, Queue)]

    def source(self, kind: str = "condor") -> Source:
        """The pool's."""
        record = self.records[f"source:{kind}/{POOL}"]
        assert isinstance(record, Source)
        return record

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Await something."""
        await until(lambda: bool(condition()) or None, deadline=DEADLINE, what=what, every=0.05)

    # --- what pools never tell -------------------------------------------------------------------

    def host(self, host: Host) -> None:
        raise AssertionError

    def nodes(self, nodes: Iterable[Node]) -> None:
        raise AssertionError

    def usage(self, used: Mapping[str, Used]) -> None:
        raise AssertionError

    async def starting(self, node_id: str) -> None:
        raise AssertionError
