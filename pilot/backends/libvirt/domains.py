"""What is known of one host's domains, and how events and snapshots change it. No libvirt calls.

Events arrive as they happen; what is read was read over some time by another thread, and several readings
may overlap. So a reading never overrides what an event said after it began, nor what a reading found that
began later: whatever changed since that one began is told by an event, and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import libvirt
import msgspec

from pilot.backends.libvirt.domain_xml import Drive, Facts
from pilot.records import Disk, Nic, Node, NodeState

Follow = Literal["", "details", "state"]
"""What an event leaves to be read: nothing, everything of the domain, or its state."""

Plugged = tuple[str, str]
"""What an interface is plugged into: its kind (see Nic), and the name."""

_STATES: dict[int, NodeState] = {
    libvirt.VIR_DOMAIN_NOSTATE: "unknown",
    libvirt.VIR_DOMAIN_RUNNING: "on",
    libvirt.VIR_DOMAIN_BLOCKED: "on",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "stopping",
    libvirt.VIR_DOMAIN_SHUTOFF: "off",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended",
}

_EVENTS: dict[int, NodeState] = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: "on",
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: "paused",
    libvirt.VIR_DOMAIN_EVENT_RESUMED: "on",
    libvirt.VIR_DOMAIN_EVENT_STOPPED: "off",
    libvirt.VIR_DOMAIN_EVENT_SHUTDOWN: "stopping",
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: "suspended",
    libvirt.VIR_DOMAIN_EVENT_CRASHED: "crashed",
}


def state_of(state: int, reason: int) -> NodeState:
    """Our word for libvirt's state and reason."""
    if state == libvirt.VIR_DOMAIN_SHUTOFF and reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED:
        return "crashed"
    if state == libvirt.VIR_DOMAIN_PAUSED and reason == libvirt.VIR_DOMAIN_PAUSED_STARTING_UP:
        return "off"  # QEMU is being started: it is on once libvirt says so
    return _STATES.get(state, "unknown")


class Seen(msgspec.Struct, frozen=True):
    """One domain as a snapshot found it. `facts` is None if only its state was read."""

    uuid: str
    name: str
    state: NodeState
    persistent: bool = True
    facts: Facts | None = None


class Reading(msgspec.Struct, frozen=True):
    """When a reading began: after how many events, and as which reading."""

    events: int
    number: int


class Entry:
    """One domain."""

    __slots__ = (
        "disks",
        "facts",
        "hung_ms",
        "nics",
        "number",
        "persistent",
        "seq",
        "since",
        "sizes",
        "state",
    )

    def __init__(self, facts: Facts, state: NodeState, since: float, persistent: bool) -> None:
        self.sizes: dict[Drive, int] = {}
        """KiB, of those of its drives of which it is known."""
        self.disks: tuple[Disk, ...] = ()
        self.nics: tuple[Nic, ...] | None = None
        """As the record has them; None while that is not worked out."""
        self.take(facts)
        self.state = state
        self.since = since
        self.persistent = persistent
        self.hung_ms: int | None = None
        self.seq = 0
        """Number of the last event that set the state."""
        self.number = 0
        """Number of the reading that the rest is from."""

    def take(self, facts: Facts) -> None:
        """What its XML says now. A drive that is another now has no size yet."""
        self.facts = facts
        self.nics = None
        self.measure({})

    def measure(self, sizes: Mapping[Drive, int]) -> bool:
        """Note the sizes of some drives, 0 if not known; whether the record changed."""
        before = self.disks
        known = ((drive, sizes.get(drive) or self.sizes.get(drive)) for drive in self.facts.drives)
        self.sizes = {drive: size for drive, size in known if size}
        self.disks = tuple(
            msgspec.structs.replace(drive.disk, size=self.sizes.get(drive, 0)) for drive in self.facts.drives
        )
        return self.disks != before


class Domains:
    """All domains of one host, and the records that are made of them."""

    def __init__(self, host: str, clock: Callable[[], float]) -> None:
        self._host = host
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._stale_since: float | None = None
        self._events = 0
        self._vlans: Mapping[Plugged, int] = {}
        self._readings = 0
        self.unmeasured: set[str] = set()
        """Domains of which a disk appeared that has no known size."""
        self.held: set[str] = set()
        """Domains that wait for their first instruction because airboss starts them: they are not on yet."""

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, uuid: str) -> Entry | None:
        """What is known of a domain."""
        return self._entries.get(uuid)

    def ids(self) -> list[str]:
        """The domains that are known."""
        return list(self._entries)

    def running(self) -> list[str]:
        """The domains that have a QEMU process which should answer."""
        return [uuid for uuid, entry in self._entries.items() if entry.state in ("on", "paused", "suspended")]

    def nodes(self) -> list[Node]:
        """All records."""
        return [self.node(uuid) for uuid in self._entries]

    def node(self, uuid: str) -> Node:
        """The record of a domain that is known."""
        entry = self._entries[uuid]
        facts, member = entry.facts, entry.facts.membership
        return Node(
            id=uuid,
            name=facts.name if member is None else member.node,
            cluster="" if member is None else member.cluster,
            appliance="" if member is None else member.appliance,
            host=self._host,
            domain=facts.name,
            state="off" if entry.state == "paused" and uuid in self.held else entry.state,
            since=entry.since,
            stale_since=self._stale_since,
            hung_ms=entry.hung_ms,
            nics=self._nics(entry),
            disks=entry.disks,
            vcpus=facts.vcpus,
            memory=facts.memory,
            serial=facts.serial,
            screen=facts.screen,
        )

    def plugged(self) -> set[Plugged]:
        """What interfaces of the domains are plugged into."""
        return {
            (nic.kind, nic.network)
            for entry in self._entries.values()
            for nic in entry.facts.nics
            if nic.network
        }

    def carry(self, vlans: Mapping[Plugged, int]) -> list[Node]:
        """What is plugged into these carries these VLANs, unless its own XML names one.

        Gives the records that changed.
        """
        if vlans == self._vlans:
            return []
        self._vlans = vlans
        changed = []
        for uuid, entry in self._entries.items():
            before, entry.nics = entry.nics, None
            if self._nics(entry) != before:
                changed.append(self.node(uuid))
        return changed

    def _nics(self, entry: Entry) -> tuple[Nic, ...]:
        if entry.nics is None:
            vlans = self._vlans
            entry.nics = tuple(
                nic
                if nic.vlan is not None or (tag := vlans.get((nic.kind, nic.network))) is None
                else msgspec.structs.replace(nic, vlan=tag)
                for nic in entry.facts.nics
            )
        return entry.nics

    def stale(self, since: float | None) -> list[Node]:
        """Mark all as not known any more since then, or as known again; gives the records that changed."""
        if self._stale_since == since:
            return []
        self._stale_since = since
        if since is not None:
            for entry in self._entries.values():
                entry.hung_ms = None
        return self.nodes()

    def lifecycle(self, uuid: str, event: int, detail: int, *, resumes: bool = True) -> tuple[bool, Follow]:
        """Take a lifecycle event; whether the record changed, and what is to be read.

        `resumes` tells of a driver by which what starts is resumed, or stays paused; else it is on.
        """
        self._events += 1
        entry = self._entries.get(uuid)
        if event in (libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED) or entry is None:
            return False, "details"
        follow: Follow = ""
        state = _EVENTS.get(event)
        if state is None:
            return False, "state"
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            # The definition for the next start may be another one, and a transient domain is gone.
            follow = "details"
            if detail == libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED:
                state = "crashed"
        elif event == libvirt.VIR_DOMAIN_EVENT_STARTED:
            follow = "details"
            if resumes:
                # One that runs was told to be resumed before, or is seen to run by the reading. One that was
                # started paused is told to be suspended next: it has not been on in between.
                state = entry.state
        entry.seq = self._events
        return self._enter(entry, state), follow

    def begin(self) -> Reading:
        """Note that a reading begins."""
        self._readings += 1
        return Reading(self._events, self._readings)

    def see(self, seen: Seen, reading: Reading) -> bool:
        """Take what a reading found of a domain; whether the record changed."""
        entry = self._entries.get(seen.uuid)
        if entry is None:
            facts = seen.facts or Facts(uuid=seen.uuid, name=seen.name)
            entry = self._entries[seen.uuid] = Entry(facts, seen.state, self._clock(), seen.persistent)
            entry.number = reading.number
            self._miss(seen.uuid, entry)
            return True
        changed = False
        if reading.number > entry.number:
            entry.persistent = seen.persistent
            if seen.facts is not None:
                entry.number = reading.number
                if changed := seen.facts != entry.facts:
                    entry.take(seen.facts)
                    self._miss(seen.uuid, entry)
        if entry.seq <= reading.events:
            changed |= self._enter(entry, seen.state)
        return changed

    def hung(self, uuid: str, milliseconds: int | None) -> bool:
        """Note for how long QEMU has not answered; whether the record changed."""
        entry = self._entries.get(uuid)
        if entry is None or entry.hung_ms == milliseconds:
            return False
        entry.hung_ms = milliseconds
        return True

    def take_unmeasured(self) -> set[str]:
        """The domains of which a disk appeared that has no known size; they are given once."""
        taken, self.unmeasured = self.unmeasured, set()
        return taken

    def drives(self, uuid: str) -> dict[Drive, int]:
        """The drives of a domain and their sizes in KiB, 0 where that is not known."""
        entry = self._entries.get(uuid)
        return {} if entry is None else {drive: entry.sizes.get(drive, 0) for drive in entry.facts.drives}

    def measured(self, uuid: str, sizes: Mapping[Drive, int]) -> bool:
        """Note the sizes of some of its drives, in KiB; whether the record changed."""
        entry = self._entries.get(uuid)
        return entry is not None and entry.measure(sizes)

    def remove(self, uuids: Iterable[str], reading: Reading) -> list[str]:
        """Forget domains that a reading did not find; gives those that were known and are forgotten."""
        gone = [
            uuid for uuid in uuids if (e := self._entries.get(uuid)) is not None and e.number < reading.number
        ]
        for uuid in gone:
            del self._entries[uuid]
        return gone

    def absent(self, present: set[str]) -> list[str]:
        """Those that a snapshot of the whole host did not find."""
        return [uuid for uuid in self._entries if uuid not in present]

    def _miss(self, uuid: str, entry: Entry) -> None:
        if len(entry.sizes) < len(entry.facts.drives):
            self.unmeasured.add(uuid)

    def _enter(self, entry: Entry, state: NodeState) -> bool:
        if entry.state == state:
            return False
        entry.state = state
        entry.since = self._clock()
        if state not in ("on", "paused", "suspended", "stopping"):
            entry.hung_ms = None
        return True
