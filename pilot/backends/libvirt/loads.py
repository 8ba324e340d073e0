"""How busy a host itself is: its processors and memory as libvirt tells them, and its load average.

libvirt reads the first two from the host's kernel; no domain's lock and no QEMU is in the way. It does not
tell the load average. That is read from /proc/loadavg: directly if the host is this machine, by SFTP if its
URI goes by SSH; of any other host it cannot be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import libvirt
import msgspec

from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.libvirt.ssh_forward import SshForward, address_of
from pilot.backends.provider import NOT_KNOWN, HostUsed
from pilot.errors import PilotError

LOADAVG = "/proc/loadavg"
_LONGEST = 256


class Stats(msgspec.Struct, frozen=True):
    """One look at a host."""

    busy: int = 0
    """Nanoseconds that its processors have worked; 0 if it is not told."""
    idle: int = 0
    memory: int = 0
    """KiB in use."""


def look(raw: Any) -> Stats:
    """Ask a host; two calls, 0.2 ms."""
    busy = idle = memory = 0
    try:
        times = raw.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
        busy = times.get("kernel", 0) + times.get("user", 0) + times.get("intr", 0)
        idle = times.get("idle", 0) + times.get("iowait", 0)
    except libvirt.libvirtError as error:
        _pass_unless_lost(error)
    try:
        sizes = raw.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
        caches = sizes.get("buffers", 0) + sizes.get("cached", 0)
        memory = max(0, sizes.get("total", 0) - sizes.get("free", 0) - caches)
    except libvirt.libvirtError as error:
        _pass_unless_lost(error)
    return Stats(busy, idle, memory)


def machine_name(raw: Any) -> str:
    """What a host calls itself; empty if it does not say."""
    try:
        return str(raw.getHostname())
    except libvirt.libvirtError as error:
        _pass_unless_lost(error)
        return ""


def percent(before: Stats | None, now: Stats) -> int:
    """How busy the processors were between two looks, or NOT_KNOWN."""
    if before is None or now.busy < before.busy or now.idle < before.idle:
        return NOT_KNOWN  # the host was started anew
    busy, whole = now.busy - before.busy, now.busy - before.busy + now.idle - before.idle
    return min(100, round(100 * busy / whole)) if whole > 0 else NOT_KNOWN


def first_load(text: str) -> float | None:
    """The load of the last minute, of /proc/loadavg (proc(5)); None if it does not say."""
    with contextlib.suppress(ValueError, IndexError):
        load = float(text.split()[0])
        return load if 0 <= load < 1e6 else None
    return None


class LoadAverage:
    """Where a host's load average is read, if anywhere."""

    def __init__(self, host: str, uri: str, settings: Settings) -> None:
        self._uri = urlsplit(uri)
        self._settings = settings
        self._not_before = 0.0
        self._forward: SshForward | None = None
        if self._uri.scheme.endswith("+ssh"):
            self._forward = SshForward(host, address_of(uri), settings.forward_idle)

    async def read(self, machine: str) -> float | None:
        """What it is now; None if it cannot be had. `machine` is what the host calls itself."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before:
            return None
        load: float | None = None
        with contextlib.suppress(OSError, PilotError, TimeoutError):
            if self._forward is not None:
                async with asyncio.timeout(self._settings.screen):
                    data = await self._forward.read_file(LOADAVG, _LONGEST, "reading the load average")
                load = first_load(data.decode("ascii", "replace"))
            elif not self._uri.hostname and machine and machine in (socket.gethostname(), socket.getfqdn()):
                # The kernel has it in memory: this does not block.
                load = first_load(Path(LOADAVG).read_text(encoding="ascii"))  # noqa: ASYNC240
        if load is None:
            self._not_before = loop.time() + self._settings.load_average
        return load

    def close(self) -> None:
        """Let the SSH connection go."""
        if self._forward is not None:
            self._forward.close()


def _pass_unless_lost(error: libvirt.libvirtError) -> None:
    """A driver need not know it."""
    if is_lost(error):
        raise error


class LoadWatch:
    """Looks at one host, and tells how busy it is."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        tell: Callable[[HostUsed], None],
    ) -> None:
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._tell = tell
        self._before: Stats | None = None
        self._machine: str | None = None
        self._average = LoadAverage(watch.address.name, watch.address.uri, settings)

    async def run(self) -> None:
        """Look until cancelled. Each host has moments of its own."""
        loop = asyncio.get_running_loop()
        after = loop.time() + self._settings.load * self._rng()
        try:
            while True:
                await asyncio.sleep(after - loop.time())
                after = max(after + self._settings.load, loop.time() + self._settings.load / 2)
                await self._look()
        finally:
            self._average.close()

    async def _look(self) -> None:
        if self._watch.record.state != "up":
            self._before = self._machine = None
            self._tell(HostUsed())
            return
        try:
            if self._machine is None:
                self._machine = await self._lanes.call(
                    "asking for its name", machine_name, self._settings.usage_patience
                )
            now = await self._lanes.call("looking at the host", look, self._settings.usage_patience)
        except (PilotError, libvirt.libvirtError):
            self._before = None
            self._tell(HostUsed())
            return
        cpu, self._before = percent(self._before, now), now
        # A test driver's host is pretended: this machine's load is not its own.
        load = await self._average.read(self._machine) if self._watch.kind == "QEMU" else None
        self._tell(HostUsed(cpu, now.memory, load))
