"""The libvirt provider: all hosts together, as airboss sees them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from pilot.backends.libvirt import eventloop, membership
from pilot.backends.libvirt.consoles import Consoles
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.hung import OUTSTANDING as PROBE_LANES
from pilot.backends.libvirt.hung import Answer, HungWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.membership import Membership
from pilot.backends.libvirt.operations import Operations
from pilot.backends.libvirt.screens import Screens
from pilot.backends.libvirt.settings import HostAddress, Settings
from pilot.backends.libvirt.sizes import SizeWatch
from pilot.backends.libvirt.surroundings import Carried, Loads, Surroundings
from pilot.backends.libvirt.usage import LANES as USAGE_LANES
from pilot.backends.libvirt.usage import UsageWatch
from pilot.backends.provider import Acted, Screen, Serial, Sink, Used
from pilot.errors import NoSuchNodeError, UnreachableError
from pilot.records import Host, Node
from pilot.verbs import Value

__all__ = ["HostAddress", "LibvirtProvider", "Settings"]


class _Hypervisor:
    """One host's parts."""

    def __init__(
        self,
        watch: HostWatch,
        sink: Sink,
        settings: Settings,
        rng: Callable[[], float],
        used: Callable[[Mapping[str, Used]], None],
        wanted: Callable[[], bool],
        clock: Callable[[], float],
        loads: Loads,
        carried: Carried,
        counted: Callable[[], bool],
    ) -> None:
        name, uri = watch.address.name, watch.address.uri
        self.watch = watch
        wait = settings.open_deadline
        self.lanes = Lanes(name, uri, purpose="acts", eager=4, open_deadline=wait)
        self.probes = Lanes(
            name, uri, purpose="probes", spare=PROBE_LANES - 1, patience=0.2, open_deadline=wait
        )
        self.looks = Lanes(name, uri, purpose="usage", spare=USAGE_LANES - 1, open_deadline=wait)
        self.consoles = Consoles(watch, settings)
        self.screens = Screens(watch, settings)
        self.operations = Operations(watch, self.lanes, settings, sink.starting)
        self._usage = UsageWatch(watch, self.looks, settings, rng, used, wanted)
        hung = HungWatch(
            watch, self.probes, settings, rng,
            lambda uuid: self.operations.running(uuid) in ("power.off", "power.install"),
            self._answered,
        )  # fmt: skip
        sizes = SizeWatch(watch, self.looks, settings)
        self.tasks = [asyncio.create_task(part.run()) for part in (watch, hung, self._usage, sizes)]
        self.surroundings = Surroundings(
            watch, self.looks, settings,
            rng=rng, clock=clock, sink=sink, loads=loads, carried=carried, counted=counted,
        )  # fmt: skip

    def _answered(self, uuid: str, answer: Answer) -> None:
        self._usage.takes(uuid, answer.memory)
        known = self.watch.domains.drives(uuid)
        sizes = {drive: answer.sizes.get(drive.disk.target, 0) for drive in known}
        if sizes != known:  # which is rare, and this is told of every node again and again
            self.watch.measured(uuid, sizes)


class LibvirtProvider:
    """Watches any number of hosts and acts on their nodes; a provider.Provider."""

    def __init__(
        self,
        hosts: Sequence[HostAddress],
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
        settings: Settings | None = None,
        wanted: Callable[[], bool] = lambda: True,
        loads: Loads = lambda _host, _used: None,
        carried: Carried = lambda _host, _traffic: None,
        counted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Nothing is opened before `start`.

        Args:
            hosts: names and libvirt URIs.
            clock: seconds since the epoch.
            rng: from 0 to 1, spreads what would else happen at once.
            settings: intervals and bounds.
            wanted: whether somebody looks at what nodes use; else it is looked at more rarely.
            loads: told how busy each host itself is.
            carried: told what the interfaces of each host's nodes carry.
            counted: whether somebody looks at that; else it is looked at more rarely.
        """
        self._addresses = tuple(hosts)
        self._clock = clock
        self._rng = rng
        self._settings = _shared(settings or Settings(), len(self._addresses))
        self._wanted = wanted
        self._loads = loads
        self._carried = carried
        self._counted = counted
        self._sink: Sink | None = None
        self._hosts: dict[str, _Hypervisor] = {}
        self._where: dict[str, _Hypervisor] = {}
        self._twice: set[str] = set()
        """Domains that more than one host knows, or knew."""

    async def start(self, sink: Sink) -> None:
        """Begin to watch; see Provider.start."""
        eventloop.start()
        self._sink = sink
        for address in self._addresses:
            watch = HostWatch(
                address, self._settings, clock=self._clock, rng=self._rng,
                tell_host=self._host, tell_nodes=self._nodes, tell_gone=lambda _watch, ids: self._gone(ids),
            )  # fmt: skip
            self._hosts[address.name] = _Hypervisor(
                watch, sink, self._settings, self._rng,
                functools.partial(self._used, address.name), self._wanted,
                self._clock, self._loads, self._carried, self._counted,
            )  # fmt: skip

    async def stop(self) -> None:
        """Stop watching, let the connections go; what hangs is left to itself after 4 s."""
        parts, self._hosts = list(self._hosts.values()), {}
        self._where.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stop):
                await asyncio.gather(*(part.operations.stop() for part in parts), return_exceptions=True)
        for part in parts:
            part.consoles.close("airboss stops")
            part.screens.close("airboss stops")
            part.surroundings.close("airboss stops")
            for task in part.tasks:
                task.cancel()
            for lanes in (part.lanes, part.probes, part.looks):
                lanes.close("airboss stops")
        tasks = [task for part in parts for task in (*part.tasks, *part.surroundings.tasks)]
        if tasks:
            await asyncio.wait(tasks, timeout=1)

    def owns(self, node_id: str) -> bool:
        """Whether this provider drives the node."""
        return node_id in self._where

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a verb; see Provider.act."""
        return await self._part(node_id).operations.act(node_id, verb, args, progress)

    async def open_console(
        self, node_id: str, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> Serial:
        """Hold the node's serial console; see Provider.open_console."""
        return await self._part(node_id).consoles.open(node_id, output, lost)

    async def open_screen(self, node_id: str) -> Screen:
        """Connect to the node's VNC server; see Provider.open_screen."""
        return await self._part(node_id).screens.open(node_id)

    async def tag(self, node_id: str, member: Membership) -> None:
        """Write a node's membership into its domain's metadata.

        Raises:
            PilotError: as for act.
        """
        await self._tag(node_id, member)

    async def untag(self, node_id: str) -> None:
        """Take a node's membership away."""
        await self._tag(node_id, None)

    async def resume_interrupted(self, node_id: str) -> bool:
        """Let a node run that an airboss left paused before its first instruction; whether it was.

        To be asked only where an open intent of a verb that starts nodes says that this may be so.
        """
        return await self._part(node_id).operations.resume_interrupted(node_id)

    async def _tag(self, node_id: str, member: Membership | None) -> None:
        part = self._part(node_id)
        part.watch.check_up("tagging")
        await part.operations.call(
            node_id, "tagging", lambda d: membership.set_membership(d, member), self._settings.change
        )
        part.watch.refresh(node_id)

    def _part(self, node_id: str) -> _Hypervisor:
        part = self._where.get(node_id)
        if part is None:
            if not self._hosts:
                raise UnreachableError("airboss is not watching its hosts")
            raise NoSuchNodeError("no such node", "`pilot nodes` lists yours.")
        return part

    # --- told by the watches --------------------------------------------------------------------

    def _host(self, host: Host) -> None:
        if self._sink is None:
            return
        self._sink.host(host)
        part = self._hosts.get(host.name)
        if part is not None and host.state == "up":
            part.lanes.warm()
        elif part is not None and host.state == "down":
            why = f"host {host.name} is down: {host.detail}"
            part.lanes.drop(why)
            part.probes.drop(why)
            part.looks.drop(why)
            part.surroundings.drop(why)
            part.consoles.drop(why)
            part.screens.drop(why)

    def _nodes(self, watch: HostWatch, nodes: list[Node]) -> None:
        part = self._hosts.get(watch.address.name)
        if part is None or self._sink is None:
            return
        shown = []
        for node in nodes:
            if self._where.setdefault(node.id, part) is not part:
                self._twice.add(node.id)
            if node.id in self._twice:
                node = self._settle(node.id) or node
            shown.append(node)
        if shown:
            self._sink.nodes(shown)

    def _used(self, host: str, used: Mapping[str, Used]) -> None:
        part = self._hosts.get(host)
        here = {node_id: one for node_id, one in used.items() if self._where.get(node_id) is part}
        if here and part is not None and self._sink is not None:
            self._sink.usage(here)

    def _settle(self, node_id: str) -> Node | None:
        """Where a domain is that two hosts know, as around a migration: where it runs, or was last."""
        here = self._where.get(node_id)
        best: tuple[int, _Hypervisor] | None = None
        for part in self._hosts.values():
            if node_id in part.watch.domains:
                weight = 2 * _weight(part.watch.domains.node(node_id)) + (part is here)
                if best is None or weight > best[0]:
                    best = (weight, part)
        if best is None:
            return None
        self._where[node_id] = best[1]
        return best[1].watch.domains.node(node_id)

    def _gone(self, ids: list[str]) -> None:
        gone = []
        for node_id in ids:
            elsewhere = self._settle(node_id) if node_id in self._twice else None
            if elsewhere is not None and self._sink is not None:
                self._sink.nodes([elsewhere])
            elif self._where.pop(node_id, None) is not None:
                self._twice.discard(node_id)
                gone.append(node_id)
        if gone and self._sink is not None:
            self._sink.gone(gone)


def _shared(settings: Settings, hosts: int) -> Settings:
    """The settings of one host among so many."""
    rate = min(settings.usage_rate, settings.usage_rate_all / max(1, hosts))
    return msgspec.structs.replace(settings, usage_rate=rate)


def _weight(node: Node) -> int:
    """How much a record says that its host is where the domain is."""
    return 2 * (node.state not in ("off", "crashed", "unknown")) + (node.stale_since is None)
