"""HTCondor pools with their machines and slots, and the queues of their schedds."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import AnyRecord, Machine, Queue, Source
from pilot.render.natural import natural_key
from pilot.trees.entries import Entry, below

_MACHINES, _QUEUES = 0, 1


def entries(record: AnyRecord) -> Iterable[Entry]:
    """The lines of a record in the tree of pools."""
    if isinstance(record, Source) and record.type in ("condor", "file"):
        yield _pool(record.name, record)
    elif isinstance(record, Machine):
        pool = _pool(record.pool)
        step = (_MACHINES, natural_key(record.name))
        machine = below(pool, record.id, step, record.name, record, node=record.node, folded=True)
        yield from (pool, machine)
        for slot in record.slots:
            key = f"{record.id}/{slot.name}"
            step = (0, natural_key(slot.name))
            yield below(machine, key, step, slot.name, record, part=slot, node=record.node)
    elif isinstance(record, Queue):
        pool = _pool(record.pool)
        key = f"queues:{record.pool}/{record.schedd}"
        queues = below(pool, key, (_QUEUES, natural_key(record.schedd)), record.schedd, None, folded=True)
        owner = below(queues, record.id, (0, natural_key(record.owner)), record.owner, record)
        yield from (pool, queues, owner)


def _pool(name: str, record: Source | None = None) -> Entry:
    # A pool that is read from a file is under the same key as one that is asked: a site has one of a name.
    return Entry(f"pool-of:{name}", ((0, natural_key(name)),), (), name, record)
