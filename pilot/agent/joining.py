"""Which node a pool's machine is: by EC2's id, by its address, by its name.

Names are the weakest: clusters use the same ones, and a startd may call itself anything. So a name counts
within the cluster that the site says the pool is of; else only where no two nodes have it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

import msgspec

from pilot.backends.provider import Extra
from pilot.records import Instance, Machine, Node

K = TypeVar("K", bound=Hashable)
Key = tuple[str, str]
"""What a node is known by, and the value of that."""


def node_keys(node: Node) -> frozenset[Key]:
    """What a machine may be known as that is this node."""
    return frozenset(("name", name.lower()) for name in (node.name, node.domain) if name)


def instance_keys(instance: Instance) -> frozenset[Key]:
    """What a machine may be known as that is this instance."""
    keys = {("id", instance.id.removeprefix("instance:"))}
    keys |= {("address", a) for a in (instance.private_address, instance.public_address) if a}
    if instance.private_name:
        keys |= {("name", instance.private_name.lower()), ("name", _short(instance.private_name))}
    return frozenset(keys)


def machine_keys(machine: Machine) -> tuple[Key, ...]:
    """What a machine is known by, the surest first."""
    host = machine.name.partition(" [")[0].rpartition("@")[2].lower()
    keys: list[Key] = []
    if machine.instance:
        keys.append(("id", machine.instance))
    if machine.address:
        keys.append(("address", machine.address))
    keys.append(("name", host))
    if _short(host) != host:
        keys.append(("name", _short(host)))
    return tuple(keys)


def joined(machine: Machine, known: Mapping[Key, Mapping[str, str]], cluster: str = "") -> tuple[str, str]:
    """The id and the cluster of the node that a machine is; both empty if none is, or more than one may be.

    Args:
        machine: as its pool tells it.
        known: the nodes' ids with their clusters, by what they are known by.
        cluster: the only one whose nodes it may be; empty for any.
    """
    for key in machine_keys(machine):
        found = {
            node: its for node, its in known.get(key, {}).items() if its and (not cluster or its == cluster)
        }
        if len(found) == 1:
            return next(iter(found.items()))
        if found:
            return "", ""
    return "", ""


class Joining:
    """Joins machines to nodes on their way to the inventory, and again when nodes change."""

    def __init__(
        self,
        extras: Callable[[Iterable[Extra]], None],
        gone: Callable[[Iterable[str]], None],
        clusters: Mapping[str, str] | None = None,
    ) -> None:
        """Told in the place of what `extras` and `gone` tell.

        Args:
            extras: where records go.
            gone: where ids go of what is no more.
            clusters: of pools, the cluster that their machines are of.
        """
        self._extras = extras
        self._gone = gone
        self._clusters = clusters or {}
        self._known: dict[Key, dict[str, str]] = {}
        self._keys: dict[str, tuple[frozenset[Key], str, str]] = {}
        """Of each node and instance: its keys, the node's id, its cluster."""
        self._machines: dict[str, Machine] = {}
        """As they are in the inventory."""
        self._by_key: dict[Key, set[str]] = {}
        self._of_node: dict[str, set[str]] = {}

    def machine_of(self, node_id: str) -> Machine | None:
        """The machine that a node is; of several, as of a node in two pools, the one that does most."""
        found = [self._machines[machine] for machine in self._of_node.get(node_id, ())]
        return max(found, key=lambda m: (sum(1 for slot in m.slots if slot.job), m.id), default=None)

    def machines_of(self, node_id: str) -> list[Machine]:
        """All machines that a node is."""
        return [self._machines[machine] for machine in sorted(self._of_node.get(node_id, ()))]

    def machine(self, machine_id: str) -> Machine | None:
        """A machine as it is now."""
        return self._machines.get(machine_id)

    # --- told ------------------------------------------------------------------------------------

    def extras(self, records: Iterable[Extra]) -> None:
        """Records from providers, on their way."""
        out: list[Extra] = []
        touched: set[Key] = set()
        for record in records:
            if isinstance(record, Machine):
                out.append(self._take(record))
                continue
            if isinstance(record, Instance):
                touched |= self._learn(record.id, instance_keys(record), record.node, record.cluster)
            out.append(record)
        self._extras(out)
        self._again(touched)

    def gone(self, ids: Iterable[str]) -> None:
        """Ids of what is no more, on their way."""
        gone = list(ids)
        touched: set[Key] = set()
        for record_id in gone:
            if (machine := self._machines.pop(record_id, None)) is not None:
                _discard(self._of_node, machine.node, record_id)
                for key in machine_keys(machine):
                    _discard(self._by_key, key, record_id)
            else:
                touched |= self._forget(record_id)
        self._gone(gone)
        self._again(touched)

    def node_changed(self, node: Node) -> None:
        """A node appeared or changed."""
        self._again(self._learn(node.id, node_keys(node), node.id, node.cluster))

    # --- inside ----------------------------------------------------------------------------------

    def _take(self, machine: Machine) -> Machine:
        old = self._machines.get(machine.id)
        keys = machine_keys(machine)
        if old is None or machine_keys(old) != keys:
            for key in () if old is None else machine_keys(old):
                _discard(self._by_key, key, machine.id)
            for key in keys:
                self._by_key.setdefault(key, set()).add(machine.id)
        node, cluster = joined(machine, self._known, self._clusters.get(machine.pool, ""))
        if machine.node != node or machine.cluster != cluster:
            machine = msgspec.structs.replace(machine, node=node, cluster=cluster)
        if old is not None and old.node != node:
            _discard(self._of_node, old.node, machine.id)
        if node:
            self._of_node.setdefault(node, set()).add(machine.id)
        self._machines[machine.id] = machine
        return machine

    def _learn(self, record_id: str, keys: frozenset[Key], node: str, cluster: str) -> frozenset[Key]:
        """What a node is known by now; gives the keys of which that is news."""
        now = (keys, node, cluster)
        if self._keys.get(record_id) == now:
            return frozenset()
        touched = self._forget(record_id) | keys
        self._keys[record_id] = now
        for key in keys:
            self._known.setdefault(key, {})[node] = cluster
        return touched

    def _forget(self, record_id: str) -> frozenset[Key]:
        keys, node, _ = self._keys.pop(record_id, (frozenset[Key](), "", ""))
        for key in keys:
            # An instance and its node may be known by the same name.
            still = self._also(key, node, record_id)
            if not still and (nodes := self._known.get(key)) is not None:
                nodes.pop(node, None)
                if not nodes:
                    del self._known[key]
        return keys

    def _also(self, key: Key, node: str, but: str) -> bool:
        """Whether a node is known by a key through another record of it."""
        for other in (node, "instance:" + node.removeprefix("ec2:")):
            known = self._keys.get(other)
            if other != but and known is not None and key in known[0] and known[1] == node:
                return True
        return False

    def _again(self, touched: Iterable[Key]) -> None:
        machines = {m for key in touched for m in self._by_key.get(key, ())}
        changed: list[Extra] = []
        for machine_id in machines:
            old = self._machines[machine_id]
            if self._take(old) is not old:
                changed.append(self._machines[machine_id])
        if changed:
            self._extras(changed)


def _discard(kept: dict[K, set[str]], key: K, value: str) -> None:
    """Take a value from a key's set, and the set with its last."""
    values = kept.get(key)
    if values is not None:
        values.discard(value)
        if not values:
            del kept[key]


def _short(host: str) -> str:
    """A host's name without its domain; an address has none."""
    first = host.partition(".")[0].lower()
    return host if first.isdigit() else first
