"""What needs somebody's attention now, worst first, each with the verb that mends it. Without a screen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import IntEnum

import msgspec

from pilot.faults import FaultKind, NetworkFault, network_faults
from pilot.records import AnyRecord, Happening, Host, Instance, Machine, Node, Pool, Source

FULL = 0.9
"""Of a storage pool, from which on it is nearly full: guests that need more stop when it is."""
IDLE_SECONDS = 7200.0
LEASE_SECONDS = 3600.0
"""Before the end of a lease."""
POOL_SECONDS = 900.0
"""After which an instance that runs is expected in its cluster's HTCondor pool."""
FLAPS = 4
"""So many changes between on and off within FLAP_SECONDS are no intention."""
FLAP_SECONDS = 600.0


class Level(IntEnum):
    """How bad it is."""

    DOWN = 0
    """Somebody's work stands still."""
    SOON = 1
    """It will, if nobody does anything."""
    WASTE = 2
    """Nothing breaks; something is not as it should be, or costs money for nothing."""


class Concern(msgspec.Struct, frozen=True):
    """One thing that needs attention."""

    level: Level
    about: str
    """Id of the record that it is about."""
    kind: str
    """One word: hung, silent, crashed, full, …"""
    words: str
    """What is wrong, and what that means."""
    since: float = 0.0
    """Since when; 0 if that is not known."""
    verb: str = ""
    """Id of the verb that mends it; empty if none does."""
    count: int = 1
    """How many things it speaks of."""


Flapped = Mapping[str, Collection[float]]
"""Of nodes, by id: when they went on or off."""


def flaps(happenings: Iterable[Happening]) -> dict[str, list[float]]:
    """Of each node, by id: when it went on or off."""
    found: dict[str, list[float]] = {}
    for one in happenings:
        if one.what == "state":
            found.setdefault(one.about, []).append(one.time)
    return found


def concerns(
    records: Mapping[str, AnyRecord],
    now: float,
    flapped: Flapped | None = None,
) -> list[Concern]:
    """All that needs attention, worst first, and of what is alike the oldest first.

    Args:
        records: the inventory, by id.
        now: seconds since the epoch, airboss's clock.
        flapped: what is remembered of nodes going on and off.
    """
    found = [_of_network(fault) for fault in network_faults(records.values())]
    silent = {
        record.name for record in records.values() if isinstance(record, Host) and record.state == "down"
    }
    pools = {one.cluster: one.pool for one in records.values() if isinstance(one, Machine) and one.cluster}
    machines = {one.node for one in records.values() if isinstance(one, Machine)} if pools else set()
    for record in records.values():
        if isinstance(record, Instance) and record.node not in machines:
            found += _outside(record, pools.get(record.cluster, ""), now)
        if look := _LOOKS.get(type(record)):
            found += look(record, records, now)
        if isinstance(record, Node) and record.host not in silent:
            found += _flapping(record, (flapped or {}).get(record.id, ()), now)
    return sorted(found, key=lambda one: (one.level, one.since or now, one.kind, one.about))


def _of_network(fault: NetworkFault) -> Concern:
    about = next(iter(fault.nodes), fault.at[0])
    return Concern(_NETWORK_LEVELS[fault.kind], about, fault.kind, fault.words, count=len(fault.at))


_NETWORK_LEVELS: dict[FaultKind, Level] = {
    "foreign-vlan": Level.DOWN,
    "missing": Level.DOWN,
    "mac-twice": Level.DOWN,
    "down": Level.SOON,
}


def _node(node: Node, _records: Mapping[str, AnyRecord], now: float) -> Iterator[Concern]:
    if node.stale_since is not None:
        return  # its host is the concern
    if node.hung_ms is not None:
        words = "QEMU does not answer: its console may tell why; a reset loses what is not written"
        yield Concern(Level.DOWN, node.id, "hung", words, now - node.hung_ms / 1000, "power.reset")
    elif node.state == "crashed":
        words = "it has crashed, and runs again when it is turned on"
        yield Concern(Level.DOWN, node.id, "crashed", words, node.since, "power.on")
    elif node.state == "paused":
        words = "paused: a disk that is full does that, and so do people"
        yield Concern(Level.SOON, node.id, "paused", words, node.since, "power.resume")
    if not node.cluster and node.state == "on":
        words = "it runs and belongs to no cluster: `pilot-agent cluster adopt` gives it to one"
        yield Concern(Level.WASTE, node.id, "orphaned", words, node.since)


def _flapping(node: Node, moments: Collection[float], now: float) -> Iterator[Concern]:
    recent = [moment for moment in moments if 0 <= now - moment <= FLAP_SECONDS]
    if len(recent) >= FLAPS:
        words = f"on and off {len(recent)} times within {FLAP_SECONDS / 60:.0f} min: its console may tell why"
        yield Concern(Level.SOON, node.id, "flapping", words, min(recent), "console.open")


def _host(host: Host, records: Mapping[str, AnyRecord], _now: float) -> Iterator[Concern]:
    if host.state != "down":
        return
    on = [node for node in records.values() if isinstance(node, Node) and node.host == host.name]
    nodes = f"{len(on)} node{'s' if len(on) != 1 else ''} with an unknown state" if on else "no nodes on it"
    why = f": {host.words or host.detail}" if host.words or host.detail else ""
    yield Concern(Level.DOWN, host.id, "silent", f"{nodes}{why}", host.since, count=max(1, len(on)))


def _pool(pool: Pool, _records: Mapping[str, AnyRecord], _now: float) -> Iterator[Concern]:
    if pool.active and pool.capacity and 1 - pool.available / pool.capacity >= FULL:
        full = 1 - pool.available / pool.capacity
        words = f"storage on {pool.host} is {full:.0%} full: guests that need more will be paused"
        yield Concern(Level.SOON, pool.id, "full", words)


def _outside(one: Instance, pool: str, now: float) -> Iterator[Concern]:
    """An instance that is no machine of its cluster's pool; `pool` is empty if the cluster has none."""
    if pool and one.state == "running" and now - one.launched >= POOL_SECONDS:
        words = f"it runs, and is not in the HTCondor pool {pool}: its console may tell why"
        yield Concern(Level.WASTE, one.id, "no slots", words, one.launched, "console.open")


def _instance(one: Instance, _records: Mapping[str, AnyRecord], now: float) -> Iterator[Concern]:
    if one.state == "running" and "impaired" in (one.system_check, one.instance_check):
        which = "EC2's own" if one.system_check == "impaired" else "the instance's"
        words = f"{which} status check fails: off and on moves it to other hardware"
        yield Concern(Level.DOWN, one.id, "impaired", words, verb="power.off")
    for event in one.events:
        yield Concern(Level.SOON, one.id, "scheduled", f"EC2 will act: {event.words or event.code}")
    if one.lease is not None and one.state == "running" and one.lease.ends - now <= LEASE_SECONDS:
        words = f"off soon unless renewed; {one.lease.principal} leased it"
        yield Concern(Level.SOON, one.id, "lease", words, verb="lease.renew")
    if one.state == "running" and one.idle_since is not None and now - one.idle_since >= IDLE_SECONDS:
        cost = f"costs {one.price.hour:.2f} $/h" if one.price is not None else "costs money"
        yield Concern(Level.WASTE, one.id, "idle", f"does nothing and {cost}", one.idle_since, "power.off")
    if one.state == "running" and not one.cluster:
        yield Concern(Level.WASTE, one.id, "orphaned", "it runs and belongs to no cluster", one.launched)


def _source(source: Source, _records: Mapping[str, AnyRecord], _now: float) -> Iterator[Concern]:
    if source.state == "down":
        said = source.words or source.detail
        yield Concern(Level.DOWN, source.id, "silent", f"what is shown of it is old: {said}", source.since)


def _machine(machine: Machine, records: Mapping[str, AnyRecord], _now: float) -> Iterator[Concern]:
    node = records.get(machine.node)
    if isinstance(node, Node) and node.state == "off" and machine.slots:
        words = f"HTCondor believes in {len(machine.slots)} slots of a node that is off"
        yield Concern(Level.WASTE, machine.id, "ghost", words, machine.seen)


_LOOKS: dict[type, Callable[..., Iterable[Concern]]] = {
    Node: _node,
    Host: _host,
    Pool: _pool,
    Instance: _instance,
    Source: _source,
    Machine: _machine,
}
