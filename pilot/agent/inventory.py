"""What airboss knows: id -> record, one version counter, and watchers that are never waited for.

A watcher is told the ids of what changed; it sends the newest record for each when its channel has
room. So what waits for a slow watcher is bounded by the size of the inventory, and it is brought up to
date by newer records instead of by all those in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from pilot.backends.provider import Extra
from pilot.records import AnyRecord, Cluster, Cordon, Drain, Host, Instance, Lease, Node

BATCH_SECONDS = 0.004
"""Changes within this time travel together. Small beside a person's eye, large beside a burst of events."""


class Watcher:
    """One reader of the inventory: what it has not been told yet."""

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        self.everything = True
        self._wake = asyncio.Event()

    def resync(self) -> None:
        """Make the watcher begin anew with a snapshot: what it may see has changed."""
        self.everything = True
        self._wake.set()

    def mark(self, ids: Iterable[str]) -> None:
        """These records changed or went."""
        self.dirty.update(ids)
        self._wake.set()

    def wake(self) -> None:
        """There is something else to tell."""
        self._wake.set()

    async def changed(self) -> None:
        """Wait until there is something to tell."""
        await self._wake.wait()
        self._wake.clear()

    def take(self) -> set[str]:
        """The ids to tell of; they are not told again."""
        taken, self.dirty = self.dirty, set()
        return taken


class Inventory:
    """The records of one site. Used on the event loop's thread only; a provider's Sink in part."""

    def __init__(self) -> None:
        self.version = 0
        self.records: dict[str, AnyRecord] = {}
        self.on_node: list[Callable[[Node], None]] = []
        """Told of every node that changed, at once, before any watcher."""
        self.on_gone: list[Callable[[str], None]] = []
        """Told the id of every node that went."""
        self.on_change: list[Callable[[AnyRecord | None, AnyRecord | None], None]] = []
        """Told of every record that came, changed or went: as it was, and as it is; None for none."""
        self._by_cluster: dict[str, dict[str, Node]] = {}
        self._presence: dict[str, tuple[str, int]] = {}
        self._recorded: set[str] = set()
        self._cordons: dict[str, Cordon] = {}
        self._leases: dict[str, tuple[str, Lease]] = {}
        self._drains: dict[str, tuple[str, Drain]] = {}
        """Of nodes, with the cluster whose they were then: who gets a node is not told of either."""
        self._watchers: set[Watcher] = set()
        self._pending: set[str] = set()
        self._flush_handle: asyncio.TimerHandle | None = None

    # --- told by providers and the registry ------------------------------------------------------

    def host(self, host: Host) -> None:
        """A host appeared or changed. Its cordon is airboss's own."""
        self._put(msgspec.structs.replace(host, cordon=self._cordons.get(host.name)))

    def nodes(self, nodes: Iterable[Node]) -> None:
        """Nodes appeared or changed."""
        for node in nodes:
            writer, watchers = self._presence.get(node.id, ("", 0))
            recorded = node.id in self._recorded
            node = msgspec.structs.replace(node, writer=writer, watchers=watchers, recorded=recorded)
            self._put_node(self._planned(node))

    def extras(self, records: Iterable[Extra]) -> None:
        """Other things appeared or changed."""
        for record in records:
            if isinstance(record, Instance):
                record = self._leased_instance(record)
            self._put(record)

    def gone(self, ids: Iterable[str]) -> None:
        """Nodes or other things are no more."""
        for record_id in ids:
            self._presence.pop(record_id, None)
            self._recorded.discard(record_id)
            if isinstance(self._remove(record_id), Node):
                for told in self.on_gone:
                    told(record_id)

    def presence(self, node_id: str, writer: str, watchers: int) -> None:
        """Who is at a node's console now."""
        node = self.records.get(node_id)
        if isinstance(node, Node):  # Those at the console of a node that went leave it afterwards.
            self._presence[node_id] = (writer, watchers)
            self._put_node(msgspec.structs.replace(node, writer=writer, watchers=watchers))

    def recorded(self, node_id: str, recorded: bool) -> None:
        """Whether a node's console is recorded now."""
        node = self.records.get(node_id)
        if isinstance(node, Node):
            (self._recorded.add if recorded else self._recorded.discard)(node_id)
            self._put_node(msgspec.structs.replace(node, recorded=recorded))

    def cordoned(self, cordons: Mapping[str, Cordon]) -> None:
        """The hosts that are cordoned now, all of them."""
        self._cordons = dict(cordons)
        for record in list(self.records.values()):
            if isinstance(record, Host):
                self.host(record)

    def leased(self, leases: Mapping[str, tuple[str, Lease]]) -> None:
        """The leases of nodes now, all of them, by the nodes' ids, each with the cluster that it is for."""
        before, self._leases = self._leases, dict(leases)
        changed = [i for i in before.keys() | leases.keys() if before.get(i) != leases.get(i)]
        for node_id in changed:
            node = self.records.get(node_id)
            if isinstance(node, Node):
                self._put_node(self._planned(node))
            instance = self.records.get(f"instance:{node_id.removeprefix('ec2:')}")
            if isinstance(instance, Instance):
                self._put(self._leased_instance(instance))

    def drained(self, node_id: str, cluster: str, drain: Drain | None) -> None:
        """Whether a node is turned off once it is empty, for whose cluster, and how far that is."""
        if drain is None:
            self._drains.pop(node_id, None)
        else:
            self._drains[node_id] = cluster, drain
        node = self.records.get(node_id)
        if isinstance(node, Node):
            self._put_node(self._planned(node))

    def clusters(self, clusters: Iterable[Cluster]) -> None:
        """The clusters of the site, all of them."""
        wanted = {cluster.id: cluster for cluster in clusters}
        for record_id in [
            r.id for r in self.records.values() if isinstance(r, Cluster) and r.id not in wanted
        ]:
            self._remove(record_id)
        for cluster in wanted.values():
            self._put(cluster)

    # --- asked -----------------------------------------------------------------------------------

    def node(self, node_id: str) -> Node | None:
        """The node with this id."""
        record = self.records.get(node_id)
        return record if isinstance(record, Node) else None

    def cordon(self, host: str) -> Cordon | None:
        """Who cordoned a host, when and why; None if nobody did."""
        return self._cordons.get(host)

    def host_size(self, name: str) -> tuple[int, int]:
        """A host's processors, and its memory in KiB; 0 if that is not known."""
        host = self.records.get(f"host:{name}")
        return (host.cpus, host.memory) if isinstance(host, Host) else (0, 0)

    def members(self, cluster: str) -> Iterator[Node]:
        """The nodes of a cluster, in no order."""
        return iter(self._by_cluster.get(cluster, {}).values())

    def watch(self) -> Watcher:
        """A new watcher; it begins with everything."""
        watcher = Watcher()
        self._watchers.add(watcher)
        watcher.mark(())
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        """The watcher is gone."""
        self._watchers.discard(watcher)

    def resync(self) -> None:
        """Rights have changed: all watchers begin anew."""
        for watcher in self._watchers:
            watcher.resync()

    # --- inside ----------------------------------------------------------------------------------

    def _planned(self, node: Node) -> Node:
        """The node with what airboss is to do to it later."""
        lease_of, lease = self._leases.get(node.id, ("", None))
        drain_of, drain = self._drains.get(node.id, ("", None))
        return msgspec.structs.replace(
            node,
            lease=lease if lease_of == node.cluster else None,
            drain=drain if drain_of == node.cluster else None,
        )

    def _leased_instance(self, instance: Instance) -> Instance:
        cluster, lease = self._leases.get(instance.node, ("", None))
        return msgspec.structs.replace(instance, lease=lease if cluster == instance.cluster else None)

    def _put_node(self, node: Node) -> None:
        old = self.records.get(node.id)
        if old == node:
            return
        if isinstance(old, Node) and old.cluster != node.cluster:
            self._leave(old)
        self._by_cluster.setdefault(node.cluster, {})[node.id] = node
        self._put(node)
        for told in self.on_node:
            told(node)

    def _leave(self, node: Node) -> None:
        members = self._by_cluster[node.cluster]
        members.pop(node.id, None)
        if not members:
            del self._by_cluster[node.cluster]

    def _put(self, record: AnyRecord) -> None:
        old = self.records.get(record.id)
        if old != record:
            self.records[record.id] = record
            self._changed(record.id, old, record)

    def _remove(self, record_id: str) -> AnyRecord | None:
        record = self.records.pop(record_id, None)
        if isinstance(record, Node):
            self._leave(record)
        if record is not None:
            self._changed(record_id, record, None)
        return record

    def _changed(self, record_id: str, old: AnyRecord | None, new: AnyRecord | None) -> None:
        for told in self.on_change:
            told(old, new)
        self.version += 1
        self._pending.add(record_id)
        if self._flush_handle is None:
            self._flush_handle = asyncio.get_running_loop().call_later(BATCH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        pending, self._pending = self._pending, set()
        for watcher in self._watchers:
            watcher.mark(pending)
