"""Hosts with their nodes and storage: where everything runs."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import AnyRecord, Host, Node, Pool
from pilot.render.natural import natural_key
from pilot.trees.entries import Entry, below

_NODES, _STORAGE = 0, 1


def entries(record: AnyRecord) -> Iterable[Entry]:
    """The lines of a record in the tree of hosts."""
    if isinstance(record, Host):
        yield _host(record.name, record)
    elif isinstance(record, Node) and record.provider == "libvirt":
        host = _host(record.host)
        yield host
        # Nodes of a cluster stay together; the cluster's name parts from the node's by what no name has.
        step = (_NODES, natural_key(record.cluster) + "\0" + natural_key(record.name or record.domain))
        yield below(host, record.id, step, record.name or record.domain, record, node=record.id)
    elif isinstance(record, Pool):
        host = _host(record.host)
        yield host
        pool = below(host, record.id, (_STORAGE, natural_key(record.name)), record.name, record, folded=True)
        yield pool
        for volume in record.volumes:
            key = f"{record.id}/{volume.name}"
            yield below(pool, key, (0, natural_key(volume.name)), volume.name, record, part=volume)


def _host(name: str, record: Host | None = None) -> Entry:
    return Entry(f"host:{name}", ((0, natural_key(name)),), (), name, record)
