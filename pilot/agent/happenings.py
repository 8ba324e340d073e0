"""From a record and the one that takes its place to what happened, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pilot.records import AnyRecord, HappeningTone, Host, Instance, Machine, Node, Pool, Source

_FULL = 0.9


class Said(NamedTuple):
    """What one happening says."""

    what: str
    words: str
    tone: HappeningTone = ""


def happened(old: AnyRecord | None, new: AnyRecord | None) -> list[Said]:
    """What the change of one record means; nothing where that is of no interest to people.

    Args:
        old: the record before; None if there was none.
        new: the record now; None if it is gone.
    """
    record = new if new is not None else old
    look = _LOOKS.get(type(record))
    return [] if look is None else list(look(old, new))


_NODE_TONES: dict[str, HappeningTone] = {"on": "good", "crashed": "bad", "paused": "busy"}
_NODE_WORDS = {"on": "is on", "off": "is off", "crashed": "has crashed", "paused": "is paused"}


def _node(old: Node | None, new: Node | None) -> Iterator[Said]:
    if old is None or new is None:
        yield Said("existence", "is there" if new is not None else "is no more")
        return
    if old.state != new.state:
        words = _NODE_WORDS.get(new.state, f"is {new.state}")
        yield Said("state", f"{words}; it was {old.state}", _NODE_TONES.get(new.state, ""))
    if (old.hung_ms is None) != (new.hung_ms is None):
        hangs = new.hung_ms is not None
        yield Said(
            "hung", "hangs: QEMU does not answer" if hangs else "answers again", "bad" if hangs else "good"
        )
    if old.host != new.host:
        yield Said("host", f"moved from {old.host} to {new.host}")
    if old.name != new.name:
        yield Said("name", f"was called {old.name or old.domain}")
    if old.recorded != new.recorded:
        yield Said(
            "recording", "its console is recorded" if new.recorded else "its console is recorded no more"
        )


def _host(old: Host | None, new: Host | None) -> Iterator[Said]:
    if old is None or new is None:
        yield Said(
            "existence", "is a host of the site" if new is not None else "is a host of the site no more"
        )
        return
    if old.state != new.state and new.state != "connecting":
        if new.state == "down":
            yield Said("link", f"does not answer: {new.detail}" if new.detail else "does not answer", "bad")
        else:
            yield Said("link", "answers", "good")
    if old.cordon != new.cordon:
        if new.cordon is None:
            yield Said("cordon", "is cordoned no more", "good")
        else:
            why = f": {new.cordon.why}" if new.cordon.why else ""
            yield Said("cordon", f"cordoned by {new.cordon.principal}{why}", "busy")


def _instance(old: Instance | None, new: Instance | None) -> Iterator[Said]:
    if old is None or new is None:
        yield Said("existence", "is there" if new is not None else "is no more")
        return
    if old.state != new.state:
        why = new.reason or new.reason_code
        tone: HappeningTone = (
            "good" if new.state == "running" else "busy" if new.state == "terminated" else ""
        )
        yield Said("state", f"is {new.state}; it was {old.state}{f': {why}' if why else ''}", tone)
    before, now = ("impaired" in (one.system_check, one.instance_check) for one in (old, new))
    if before != now:
        yield Said(
            "checks",
            "a status check fails" if now else "its status checks pass again",
            "bad" if now else "good",
        )
    for event in new.events:
        if event not in old.events:
            yield Said("scheduled", f"EC2 will act: {event.words or event.code}", "busy")
    if old.lease != new.lease and (
        old.lease is None or new.lease is None or old.lease.ends != new.lease.ends
    ):
        yield Said(
            "lease", f"leased by {new.lease.principal}" if new.lease is not None else "has no lease any more"
        )


def _machine(old: Machine | None, new: Machine | None) -> Iterator[Said]:
    if old is None or new is None:
        pool = (new or old).pool  # type: ignore[union-attr]
        yield Said("pool", f"is in the pool {pool}" if new is not None else f"has left the pool {pool}")
        return
    if old.draining != new.draining:
        why = f": {new.drain_reason}" if new.drain_reason else ""
        yield Said(
            "drain", f"drains{why}" if new.draining else "drains no more", "busy" if new.draining else ""
        )


def _source(old: Source | None, new: Source | None) -> Iterator[Said]:
    if old is not None and new is not None and old.state != new.state and new.state != "connecting":
        if new.state == "down":
            yield Said("source", f"does not answer: {new.detail}" if new.detail else "does not answer", "bad")
        else:
            yield Said("source", "answers", "good")


def _pool(old: Pool | None, new: Pool | None) -> Iterator[Said]:
    if old is not None and new is not None and _is_full(old) != _is_full(new):
        full = _is_full(new)
        yield Said("storage", "is nearly full" if full else "has room again", "busy" if full else "good")


def _is_full(pool: Pool) -> bool:
    return pool.capacity > 0 and 1 - pool.available / pool.capacity >= _FULL


_LOOKS: dict[type, Callable[[Any, Any], Iterator[Said]]] = {
    Node: _node,
    Host: _host,
    Instance: _instance,
    Machine: _machine,
    Source: _source,
    Pool: _pool,
}
