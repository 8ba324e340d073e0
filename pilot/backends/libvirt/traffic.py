"""What the network interfaces of a host's running domains carry.

libvirt reads it from the host's kernel (the interface group of its statistics asks no QEMU, hung or not).
It waits for the domain's lock only, which libvirtd keeps while it ends a hung QEMU: those domains of one
call are passed over until that call has come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

import libvirt
import msgspec

from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.provider import Traffic
from pilot.errors import DeadlineError, PilotError

CHUNK = 25
"""Domains of one call."""
_KINDS = frozenset(("bridge", "network", "openvswitch", "direct", "ethernet"))
"""Kinds of interfaces that have a device on the host."""
_NAMES = (
    "rx.bytes", "tx.bytes", "rx.pkts", "tx.pkts", "rx.errs", "tx.errs", "rx.drop", "tx.drop",
)  # fmt: skip


class Counted(msgspec.Struct, frozen=True, gc=False):
    """Counters of one interface, in the order of `_NAMES`."""

    at: float
    """Seconds of the monotonic clock."""
    values: tuple[int, ...]


class Batch:
    """Some domains to look at, and what was found. Filled in a lane's thread, read on the loop."""

    def __init__(self, uuids: Iterable[str]) -> None:
        self.uuids = tuple(uuids)
        self.found: dict[str, Counted] = {}
        self.over = False

    def look(self, connection: Connection) -> None:
        """Look at all of them; blocks while libvirt keeps one's lock."""
        try:
            domains = []
            for uuid in self.uuids:
                try:
                    domains.append(connection.domain(uuid))
                except libvirt.libvirtError as error:
                    if is_lost(error):
                        raise  # else it has ended meanwhile
            if domains:
                stats = connection.raw.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_INTERFACE)
                at = time.monotonic()
                for domain, values in stats:
                    uuid = domain.UUIDString()
                    for number in range(min(values.get("net.count", 0), 64)):
                        if f"net.{number}.name" in values:
                            counts = (int(values.get(f"net.{number}.{name}", 0)) for name in _NAMES)
                            self.found[f"{uuid}/{number}"] = Counted(at, tuple(counts))
        finally:
            self.over = True


def traffic(before: Counted | None, now: Counted) -> Traffic:
    """What an interface carried between two looks."""
    errors, drops = sum(now.values[4:6]), sum(now.values[6:8])
    seconds = 0.0 if before is None else now.at - before.at
    if before is None or seconds <= 0 or any(n < b for n, b in zip(now.values, before.values, strict=True)):
        return Traffic(errors=errors, drops=drops)  # the node is another boot's
    rates = [round((now.values[i] - before.values[i]) / seconds) for i in range(4)]
    return Traffic(rates[0], rates[1], rates[2], rates[3], errors, drops)


class TrafficWatch:
    """Looks at the interfaces of one host, and tells what they carry."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        tell: Callable[[Mapping[str, Traffic] | None], None],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`tell` gets all interfaces that are running, by id; None if that is not known."""
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._tell = tell
        self._wanted = wanted
        self._before: dict[str, Counted] = {}
        self._held: list[Batch] = []
        """Those that were given up and have not come back."""
        self._known = True
        """Whether the driver tells it."""

    async def run(self) -> None:
        """Look until cancelled. Each host has moments of its own."""
        loop = asyncio.get_running_loop()
        after = loop.time() + self._settings.load * self._rng()
        unseen = 0
        while True:
            await asyncio.sleep(after - loop.time())
            after = max(after + self._settings.load, loop.time() + self._settings.load / 2)
            if self._watch.record.state != "up":
                self._before, self._known, self._held = {}, True, []
                self._tell(None)
                continue
            unseen = 0 if self._wanted() else (unseen + 1) % self._settings.load_unseen
            if unseen == 0 and self._known:
                await self._round()

    async def _round(self) -> None:
        self._held = [batch for batch in self._held if not batch.over]
        held = {uuid for batch in self._held for uuid in batch.uuids}
        due = [uuid for uuid in self._watch.domains.running() if self._carries(uuid) and uuid not in held]
        found: dict[str, Counted] = {}
        for start in range(0, len(due), CHUNK):
            batch = Batch(due[start : start + CHUNK])
            try:
                await self._lanes.call_on("looking at interfaces", batch.look, self._settings.usage_patience)
            except DeadlineError:
                self._held.append(batch)
            except libvirt.libvirtError as error:
                self._known = error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT
                break
            except PilotError:
                break  # the host is lost, or too many of its domains are held
            else:
                found |= batch.found
        before, self._before = self._before, found
        self._tell({nic: traffic(before.get(nic), now) for nic, now in found.items()})

    def _carries(self, uuid: str) -> bool:
        entry = self._watch.domains.get(uuid)
        return entry is not None and any(nic.kind in _KINDS for nic in entry.facts.nics)
