"""The watch of one host: connection, events, inventory; what is lost is found again.

One connection carries the events, and a question every second whether it lives. Calls that read go by
lanes of their own: one domain's lock can hold them up (libvirtd keeps it while it ends a hung QEMU, and a
listing waits for every domain's). Whatever a call meets, events go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import libvirt

from pilot.backends.libvirt import connection, reading
from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.domain_xml import Drive
from pilot.backends.libvirt.domains import Domains, Plugged, Seen
from pilot.backends.libvirt.events import Changed, Event, Events, Lifecycle
from pilot.backends.libvirt.faults import category, hint, words
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.reading import About
from pilot.backends.libvirt.settings import HostAddress, Settings
from pilot.errors import DeadlineError, PilotError, UnreachableError
from pilot.records import Host, HostState, Node

log = logging.getLogger(__name__)

CHUNK = 250
"""Domains whose XML is read in one call of a lane's thread, on a load."""
Listener = Callable[[Event], None]


class HostWatch:
    """One host. Everything runs on the asyncio loop, except what its lanes' threads call."""

    def __init__(
        self,
        address: HostAddress,
        settings: Settings,
        *,
        clock: Callable[[], float],
        rng: Callable[[], float],
        tell_host: Callable[[Host], None],
        tell_nodes: Callable[[HostWatch, list[Node]], None],
        tell_gone: Callable[[HostWatch, list[str]], None],
    ) -> None:
        self.address = address
        self.domains = Domains(address.name, clock)
        self.kind = ""
        """The driver: `QEMU`, `Test`; empty before the host was up for the first time."""
        self.about = About()
        self.listeners: set[Listener] = set()
        """Told of every event, after the inventory was."""
        self.lanes: Lanes | None = None
        """For calls that read; None while the host is down."""
        self.record = Host(f"host:{address.name}", address.name, address.uri, "connecting", clock())
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._tell_host = tell_host
        self._tell_nodes = tell_nodes
        self._tell_gone = tell_gone
        self._dirty: set[str] = set()
        self._states_dirty = False
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()

    def check_up(self, doing: str) -> None:
        """Raise UnreachableError, with since when and why, unless the host is up."""
        if self.record.state != "up":
            seconds = max(0, self._clock() - self.record.since)
            raise UnreachableError(
                f"{doing} failed: host {self.address.name} has been {self.record.state} for {seconds:.0f} s"
                + (f": {self.record.detail}" if self.record.detail else ""),
                hint(self.record.words) or "airboss reconnects by itself; look at libvirtd on that host.",
            )

    @contextlib.contextmanager
    def holding(self, uuid: str) -> Iterator[None]:
        """Do not tell that a domain is paused while airboss itself holds it before its first instruction."""
        self.domains.held.add(uuid)
        try:
            yield
        finally:
            self.domains.held.discard(uuid)
            entry = self.domains.get(uuid)
            if entry is not None and entry.state == "paused":
                self._tell_nodes(self, [self.domains.node(uuid)])

    def hung(self, uuid: str, milliseconds: int | None) -> None:
        """Note, and tell, for how long a domain's QEMU has not answered."""
        if self.domains.hung(uuid, milliseconds):
            self._tell_nodes(self, [self.domains.node(uuid)])

    def measured(self, uuid: str, sizes: Mapping[Drive, int]) -> None:
        """Note, and tell, how large disks of a domain are, in KiB."""
        if self.domains.measured(uuid, sizes):
            self._tell_nodes(self, [self.domains.node(uuid)])

    def carries(self, vlans: Mapping[Plugged, int]) -> None:
        """Note, and tell, which VLANs are carried by what interfaces are plugged into."""
        if changed := self.domains.carry(vlans):
            self._tell_nodes(self, changed)

    def refresh(self, uuid: str) -> None:
        """Have everything about a domain read anew."""
        self._dirty.add(uuid)
        self._wake.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        self._tell_host(self.record)
        delay = self._settings.backoff_first
        while True:
            self._retry.clear()
            why = await self._session()
            if why is None:  # it was up: whatever ended it, try again at once
                delay = self._settings.backoff_first
            await asyncio.sleep(delay * (0.5 + self._rng() / 2))
            delay = min(delay * 2, self._settings.backoff_last)

    # --- one connection's life ------------------------------------------------------------------

    async def _session(self) -> str | None:
        """Connect, and watch until it is lost; gives why it did not come up, or None if it did."""
        try:
            opened = await connection.open_patiently(
                self.address.uri, self._settings.open_deadline, lambda: self._down(connection.SILENT)
            )
        except Exception as error:
            self._down(words(error))
            return self.record.words
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[str] = loop.create_future()
        events = Events(loop, self._take, self._overflowed)
        opened.on_lost(lambda why: _settle_soon(loop, lost, why))
        name, uri, wait = self.address.name, self.address.uri, self._settings.open_deadline
        # Nothing else may keep the question whether this very connection lives waiting.
        line = Lanes(name, uri, purpose="events", spare=0, first=opened)
        lanes = Lanes(name, uri, purpose="watch", spare=3, open_deadline=wait)
        work: asyncio.Task[None] | None = None
        try:
            work = asyncio.create_task(self._work(line, lanes, events, opened))
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                why = lost.result()
            else:
                failure = work.exception()
                why = words(_first(failure)) if failure is not None else "the watch ended"
            was_up = self.record.state == "up"
            self._down(why)
            return None if was_up else why
        finally:
            self.lanes = None
            if work is not None:
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await work
            for some in (line, lanes):
                some.close(f"the connection to host {name} was lost")
            _let_go(events, opened)

    async def _work(self, line: Lanes, lanes: Lanes, events: Events, opened: Connection) -> None:
        query = self._settings.query
        await line.call("asking for events", lambda raw: events.register(raw, opened.kind), query)
        self.about = await line.call("asking what it is", reading.about, query)
        self.kind = opened.kind
        await self._load(lanes)
        self.lanes = lanes
        self._host_is("up", "")
        self._tell_nodes(self, self.domains.stale(None))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(lanes, group))
            group.create_task(self._heal(lanes))
            group.create_task(self._beat(line))

    async def _beat(self, line: Lanes) -> None:
        """Ask, again and again, whether libvirtd lives; raises UnreachableError once it does not."""
        while True:
            await asyncio.sleep(self._settings.beat)
            try:
                await line.call("asking", lambda raw: raw.getLibVersion(), self._settings.silent)
            except DeadlineError:
                raise UnreachableError("libvirtd stopped answering") from None

    async def _heal(self, lanes: Lanes) -> None:
        """Read states now and then, and everything more rarely, in case an event went missing."""
        last_reload = self._clock()
        while True:
            await asyncio.sleep(self._settings.reconcile * (0.75 + self._rng() / 2))
            if self._clock() - last_reload <= self._settings.reload:
                await self._states(lanes)
                continue
            last_reload = self._clock()
            with self._forgiving():
                await self._load(lanes)

    async def _load(self, lanes: Lanes) -> None:
        """Read everything: states in bulk, then the XML of each, in parts."""
        begun = self.domains.begin()
        seen = await lanes.call("listing domains", reading.states, self._settings.query)
        self._dirty.update(self.domains.absent({one.uuid for one, _ in seen}))
        self._wake.set()

        async def part(some: list[tuple[Seen, Any]]) -> None:
            read = await lanes.call(
                "reading domains", lambda raw: reading.facts(raw, some), self._settings.query
            )
            self._show(one.uuid for one in read if self.domains.see(one, begun))

        parts = (seen[start : start + CHUNK] for start in range(0, len(seen), CHUNK))
        await asyncio.gather(*(part(some) for some in parts))

    async def _states(self, lanes: Lanes) -> None:
        begun = self.domains.begin()
        with self._forgiving():
            seen = [
                one for one, _ in await lanes.call("reading states", reading.states, self._settings.query)
            ]
            # A domain that is not known yet shows itself with its details, not before.
            self._dirty.update(one.uuid for one in seen if one.uuid not in self.domains)
            self._dirty.update(self.domains.absent({one.uuid for one in seen}))
            self._show(one.uuid for one in seen if one.uuid in self.domains and self.domains.see(one, begun))
            if self._dirty:
                self._wake.set()

    async def _follow(self, lanes: Lanes, group: asyncio.TaskGroup) -> None:
        """Read what events left to be read."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._states_dirty:
                self._states_dirty = False
                group.create_task(self._states(lanes))
            dirty, self._dirty = list(self._dirty), set()
            size = max(1, min(50, len(dirty) // 4))
            # Not waited for: a domain whose lock is held must not keep news of others waiting.
            for at in range(0, len(dirty), size):
                group.create_task(self._details(lanes, dirty[at : at + size]))

    async def _details(self, lanes: Lanes, uuids: list[str]) -> None:
        begun = self.domains.begin()
        with self._forgiving():
            found, gone = await lanes.call(
                "reading domains", lambda raw: reading.details(raw, uuids), self._settings.query
            )
            self._show(one.uuid for one in found if self.domains.see(one, begun))
            if known := self.domains.remove(gone, begun):
                self._tell_gone(self, known)

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A reading that fails is made good by the next one; a lost connection is told by libvirt."""
        try:
            yield
        except (PilotError, libvirt.libvirtError) as error:
            log.info("host %s: %s", self.address.name, error)

    # --- what changes ---------------------------------------------------------------------------

    def _take(self, batch: list[Event]) -> None:
        changed: dict[str, None] = {}
        for event in batch:
            if isinstance(event, Lifecycle):
                shows, follow = self.domains.lifecycle(
                    event.uuid, event.event, event.detail, resumes=self.kind == "QEMU"
                )
                if shows:
                    changed[event.uuid] = None
                if follow:
                    self._dirty.add(event.uuid)
            elif isinstance(event, Changed):
                self._dirty.add(event.uuid)
        self._show(changed)
        for event in batch:
            for listener in tuple(self.listeners):
                listener(event)
        if self._dirty:
            self._wake.set()

    def _overflowed(self) -> None:
        self._states_dirty = True
        self._wake.set()

    def _show(self, uuids: Iterable[str]) -> None:
        if nodes := [self.domains.node(uuid) for uuid in uuids]:
            self._tell_nodes(self, nodes)

    def _down(self, why: str) -> None:
        if self.record.state != "down":
            log.warning("host %s is down: %s", self.address.name, why)
            self._host_is("down", why)
            if nodes := self.domains.stale(self.record.since):
                self._tell_nodes(self, nodes)
        elif self.record.words != why:
            self._host_is("down", why)

    def _host_is(self, state: HostState, why: str) -> None:
        old, about = self.record, self.about
        self.record = Host(
            old.id,
            name=old.name,
            uri=old.uri,
            state=state,
            since=old.since if old.state == state else self._clock(),
            detail=category(why) if why else "",
            words=why,
            libvirt=about.libvirt,
            hypervisor=about.hypervisor,
            cpus=about.cpus,
            memory=about.memory,
        )
        self._tell_host(self.record)


def _first(error: BaseException) -> BaseException:
    """What is inside the groups that task groups wrap errors in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _settle_soon(loop: asyncio.AbstractEventLoop, future: asyncio.Future[str], why: str) -> None:
    def settle() -> None:
        if not future.done():
            future.set_result(why)

    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)


def _let_go(events: Events, opened: Connection) -> None:
    def close() -> None:
        with opened.alone:
            events.deregister()
        opened.close()

    connection.in_thread(close)
