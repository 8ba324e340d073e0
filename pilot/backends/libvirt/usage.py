"""What the running domains of a host use: processor time by differences, memory as QEMU's process has it.

Nothing here asks a QEMU. In bulk (virConnectGetAllDomainStats) libvirt tells processor time only with what
it has each QEMU add to it, so that a hung one holds up all: measured with libvirt 9.0 and NOWAIT, until it
goes on. virDomainGetInfo reads what the host's kernel knows of the process, in 0.1 ms, of a hung QEMU too.
It waits for the domain's lock only, which libvirtd keeps while it ends a hung QEMU; the domain is passed
over until then.

How much memory the process takes comes with the answers to HungWatch's questions.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import libvirt
import msgspec

from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.provider import NOT_KNOWN, Used
from pilot.errors import DeadlineError, PilotError

CHUNK = 25
"""Domains looked at in one call of a lane's thread."""
LANES = 4
UNSEEN = 4
"""While nobody watches, only every so many rounds there is a look."""


class Look(msgspec.Struct, frozen=True, gc=False):
    """What one look at a domain found."""

    at: int
    """When, in nanoseconds of the monotonic clock."""
    time: int
    """Nanoseconds of processor time that it has used."""
    vcpus: int
    memory: int
    """KiB that the hypervisor says it has."""


class Batch:
    """Some domains to look at, and what was found. Filled in a lane's thread, read on the loop."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self.uuids = uuids
        self.found: dict[str, Look] = {}
        self.at = ""
        """The domain that is being looked at."""
        self.given_up = False
        self.over = False

    def look(self, connection: Connection) -> None:
        """Look at all of them; blocks while libvirt keeps one's lock."""
        try:
            for uuid in self.uuids:
                self.at = uuid
                if self.given_up:
                    return
                try:
                    _state, _most, memory, vcpus, used = connection.domain(uuid).info()
                except libvirt.libvirtError as error:
                    if is_lost(error):
                        raise
                    continue  # it has ended meanwhile
                self.found[uuid] = Look(time.monotonic_ns(), used, vcpus, memory)
        finally:
            self.over = True


def percent(before: Look | None, now: Look) -> int:
    """How busy a domain was between two looks: 0 to 100, or NOT_KNOWN.

    Time that QEMU itself took counts too, so a domain can seem to have used more than all: that is 100.
    """
    if before is None or now.at <= before.at or now.time < before.time:
        return NOT_KNOWN  # QEMU is another one than before
    share = (now.time - before.time) / (now.at - before.at) / max(1, now.vcpus)
    return min(100, round(share * 100))


class UsageWatch:
    """Looks at the domains of one host, and tells how busy they are."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        tell: Callable[[Mapping[str, Used]], None],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`wanted` tells whether somebody looks at what is told now."""
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._tell = tell
        self._wanted = wanted
        self._queue: deque[str] = deque()
        self._looks: dict[str, Look] = {}
        self._memory: dict[str, int] = {}
        self._told: dict[str, Used] = {}
        self._held: list[Batch] = []
        """Those that were given up and have not come back: the domain they are at is locked."""

    def takes(self, uuid: str, memory: int) -> None:
        """Note how much of the host's memory a domain takes, in KiB."""
        if memory:
            self._memory[uuid] = memory

    async def run(self) -> None:
        """Look, again and again, until cancelled. Each host has moments of its own."""
        loop = asyncio.get_running_loop()
        after = loop.time() + self._settings.usage * self._rng()
        unseen = 0
        while True:
            await asyncio.sleep(after - loop.time())
            unseen = 0 if self._wanted() or self._watch.record.state != "up" else (unseen + 1) % UNSEEN
            if unseen == 0:
                running: set[str] = set()
                if self._watch.record.state == "up":
                    running = set(self._watch.domains.running())
                await self._round(running)
            after = max(after + self._settings.usage, loop.time() + self._settings.usage / 2)

    async def _round(self, running: set[str]) -> None:
        self._held = [batch for batch in self._held if running and not batch.over]
        waiting = set(self._queue)
        self._queue = deque(uuid for uuid in self._queue if uuid in running)
        self._queue.extend(sorted(running - waiting))
        size = max(1, int(self._settings.usage * self._settings.usage_rate))
        due = [self._queue.popleft() for _ in range(min(size, len(self._queue)))]
        found = await self._look(due)
        used = {uuid: Used() for uuid in self._told.keys() - running}
        for uuid in due:
            used[uuid] = self._used(uuid, found.get(uuid))
        for uuid in used.keys() - running:
            self._memory.pop(uuid, None)
            self._looks.pop(uuid, None)
        changed = {uuid: one for uuid, one in used.items() if self._told.get(uuid, Used()) != one}
        self._told.update(changed)
        for uuid in self._told.keys() - running:
            del self._told[uuid]
        if changed:
            self._tell(changed)

    def _used(self, uuid: str, look: Look | None) -> Used:
        entry = self._watch.domains.get(uuid)
        before = self._looks.pop(uuid, None)
        if look is None or entry is None:
            return Used()
        self._looks[uuid] = look
        # QEMU's driver says how much it may take, others how much it does.
        memory = self._memory.get(uuid, 0) if self._watch.kind == "QEMU" else look.memory
        return Used(NOT_KNOWN if entry.hung_ms is not None else percent(before, look), memory)

    async def _look(self, due: Sequence[str]) -> dict[str, Look]:
        """What was found, of as many as possible."""
        found: dict[str, Look] = {}
        held = {batch.at for batch in self._held}
        left = [uuid for uuid in due if uuid not in held]
        while left:
            batch = Batch(left[:CHUNK])
            try:
                await self._lanes.call_on("looking at domains", batch.look, self._settings.usage_patience)
                left = left[CHUNK:]
            except DeadlineError:
                batch.given_up = True
                self._held.append(batch)
                left = [uuid for uuid in left if uuid not in batch.found and uuid != batch.at]
            except (PilotError, libvirt.libvirtError):
                return found | batch.found  # the host is lost, or too many of its domains are held
            finally:
                found |= batch.found
        return found
