"""A host's storage pools with their volumes, and which nodes use these.

Fullness is what libvirt knows of a pool: it is not made to look anew, since a pool that is refreshed has no
volumes meanwhile, and a node that starts then would fail. Storage that hangs keeps one lane of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import libvirt
import msgspec

from pilot.backends.libvirt.domains import Domains
from pilot.backends.libvirt.faults import is_lost, words
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.errors import DeadlineError, PilotError
from pilot.records import Pool, Volume

POOLS = 64
"""Of one host, at most."""
VOLUMES = 200
"""In one record, at most: those that nodes use come first."""
AGE_SECONDS = 600.0
"""A pool of which nothing changed is told again after this time, so that its record says when it was read."""
_KIB = 1024

Users = Mapping[tuple[str, str], tuple[str, ...]]
"""Node ids by pool and volume name, or by an empty string and the path or key of what they use."""


class Read(msgspec.Struct, frozen=True):
    """One pool as libvirt tells it."""

    name: str
    type: str = ""
    active: bool = False
    capacity: int = 0
    allocation: int = 0
    available: int = 0
    volumes: dict[str, tuple[str, int, int]] = {}
    """By name: key, capacity and allocation in KiB; of some 0, since there are too many to be asked."""
    words: str = ""


def users(domains: Domains) -> dict[tuple[str, str], tuple[str, ...]]:
    """Which nodes use what, as their domains' XML names it."""
    found: dict[tuple[str, str], list[str]] = {}
    for uuid in domains.ids():
        for drive in domains.drives(uuid):
            if drive.path:
                found.setdefault((drive.pool, drive.path), []).append(uuid)
    return {what: tuple(sorted(set(ids))) for what, ids in found.items()}


def read_pools(raw: Any, used: Users, known: Mapping[str, Read], deep: bool) -> list[Read]:
    """Ask a host; blocks for as long as its storage does.

    Args:
        raw: the virConnect.
        used: volumes that nodes use are asked first.
        known: what was read before, by name: the volumes are taken from it unless `deep`.
        deep: whether volumes are looked at, too, each by a call.
    """
    try:
        pools = raw.listAllStoragePools()
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
        return []  # a daemon without the storage driver has no pools
    return [_pool(pool, used, known.get(pool.name()), deep) for pool in pools[:POOLS]]


def _pool(pool: Any, used: Users, before: Read | None, deep: bool) -> Read:
    name = pool.name()
    kind = "" if before is None else before.type
    try:
        kind = kind or _type(pool.XMLDesc())
        state, capacity, allocation, available = pool.info()
        active = state == libvirt.VIR_STORAGE_POOL_RUNNING
        volumes = {} if before is None else before.volumes
        if not active:
            volumes = {}
        elif deep or before is None or not before.active:
            volumes = _volumes(pool, name, used)
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
        return Read(name, kind, words=words(error))
    sizes = (capacity // _KIB, allocation // _KIB, available // _KIB)
    return Read(name, kind, active, *sizes, volumes, _STATES.get(state, ""))


_STATES = {
    libvirt.VIR_STORAGE_POOL_BUILDING: "it is being built",
    libvirt.VIR_STORAGE_POOL_DEGRADED: "it is degraded",
    libvirt.VIR_STORAGE_POOL_INACCESSIBLE: "it is not accessible",
}


def _volumes(pool: Any, name: str, used: Users) -> dict[str, tuple[str, int, int]]:
    listed = {}
    for volume in pool.listAllVolumes():
        # Whoever may write into the pool's folder names its files: bytes that are no text, too.
        with contextlib.suppress(UnicodeError):
            listed[volume.name()] = volume, volume.key()
    order = sorted(listed, key=lambda one: (not _used_by(used, name, one, listed[one][1]), one))
    found = {}
    for number, one in enumerate(order):
        volume, key = listed[one]
        capacity = allocation = 0
        if number < VOLUMES:
            with contextlib.suppress(libvirt.libvirtError):  # it may go meanwhile
                _kind, capacity, allocation = volume.info()
        found[one] = (key, capacity // _KIB, allocation // _KIB)
    return found


def _used_by(used: Users, pool: str, volume: str, key: str) -> tuple[str, ...]:
    # The key of a volume that is a file or a device is its path.
    return tuple(sorted({*used.get((pool, volume), ()), *used.get(("", key), ())}))


def _type(text: str) -> str:
    if len(text) > 1024 * 1024 or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return ""
    with contextlib.suppress(ET.ParseError, ValueError, RecursionError):
        return ET.fromstring(text).get("type", "")  # noqa: S314
    return ""


def record(host: str, read: Read, used: Users, now: float) -> Pool:
    """A pool's record."""
    volumes = [
        Volume(name, capacity, allocation, _used_by(used, read.name, name, key))
        for name, (key, capacity, allocation) in read.volumes.items()
    ]
    volumes.sort(key=lambda volume: (not volume.nodes, volume.name))
    return Pool(
        f"pool:{host}/{read.name}", host=host, name=read.name, type=read.type, active=read.active,
        capacity=read.capacity, allocation=read.allocation, available=read.available,
        volumes=tuple(volumes[:VOLUMES]), more=max(0, len(volumes) - VOLUMES), seen=now, words=read.words,
    )  # fmt: skip


class StorageWatch:
    """Looks at one host's storage at a slow pace, and tells what changed."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        clock: Callable[[], float],
        tell: Callable[[list[Pool]], None],
        gone: Callable[[list[str]], None],
    ) -> None:
        """`lanes` are for this alone."""
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._clock = clock
        self._tell = tell
        self._gone = gone
        self._told: dict[str, Pool] = {}
        self._read: dict[str, Read] = {}

    async def run(self) -> None:
        """Look until cancelled, soon after the host came up."""
        loop = asyncio.get_running_loop()
        up, deep_after = False, 0.0
        await asyncio.sleep(min(1.0, self._settings.storage) * self._rng())
        while True:
            up = self._watch.record.state == "up"
            # A call that storage keeps has not come back: others would only wait behind it.
            if up and not self._lanes.stuck:
                deep = loop.time() >= deep_after
                try:
                    await self._round(deep)
                    if deep:
                        deep_after = loop.time() + self._settings.volumes
                except DeadlineError:
                    self._hangs()
                except (PilotError, libvirt.libvirtError):
                    pass  # the host is lost, or about to be
            pause = self._settings.storage if up else min(1.0, self._settings.storage)
            await asyncio.sleep(pause * (0.75 + self._rng() / 2))

    async def _round(self, deep: bool) -> None:
        used, known = users(self._watch.domains), self._read
        read = await self._lanes.call(
            "looking at storage", lambda raw: read_pools(raw, used, known, deep), self._settings.query
        )
        self._read = {one.name: one for one in read}
        host, now = self._watch.address.name, self._clock()
        self._show([record(host, one, used, now) for one in read])

    def _hangs(self) -> None:
        """Say of all pools that they are as old as they are, and why."""
        text = f"storage has not answered for more than {self._settings.query:g} s"
        self._show([msgspec.structs.replace(pool, words=text) for pool in self._told.values()])

    def _show(self, pools: Iterable[Pool]) -> None:
        now = {pool.id: pool for pool in pools}
        changed = [pool for pool in now.values() if self._differs(self._told.get(pool.id), pool)]
        gone = [record_id for record_id in self._told if record_id not in now]
        for record_id in gone:
            del self._told[record_id]
        self._told.update((pool.id, pool) for pool in changed)
        if changed:
            self._tell(changed)
        if gone:
            self._gone(gone)

    @staticmethod
    def _differs(before: Pool | None, now: Pool) -> bool:
        return (
            before is None
            or now.seen - before.seen > AGE_SECONDS
            or msgspec.structs.replace(before, seen=now.seen) != now
        )
