"""How large the disks of nodes are that are off: what libvirt's storage pools say of their volumes.

A running QEMU tells it with the answers to HungWatch's questions. For one that is off libvirt itself would
open the image (virDomainGetBlockInfo) and keep the domain's lock meanwhile: on storage that hangs, listings
of the whole host would wait for it. A storage pool has a lock of its own. A disk that is in no pool has no
known size before its node has run once; it is kept from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import libvirt

from pilot.backends.libvirt.domain_xml import Drive
from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.errors import DeadlineError, PilotError

CHUNK = 25
"""Drives asked for in one call of a lane's thread."""


def volume_sizes(raw: Any, drives: list[Drive]) -> dict[Drive, int]:
    """KiB of those that are volumes of active pools. Blocks for as long as their storage does."""
    sizes = {}
    for drive in drives:
        try:
            if drive.pool:
                volume = raw.storagePoolLookupByName(drive.pool).storageVolLookupByName(drive.path)
            else:
                volume = raw.storageVolLookupByPath(drive.path)
            sizes[drive] = volume.info()[1] // 1024
        except libvirt.libvirtError as error:
            if is_lost(error):
                raise
    return sizes


class SizeWatch:
    """Finds the sizes of one host's disks as they appear; each is asked for once."""

    def __init__(self, watch: HostWatch, lanes: Lanes, settings: Settings) -> None:
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._back = threading.Event()
        """Set unless storage of this host has not answered: it is not asked again before it does."""
        self._back.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._settings.sizes)
            if self._watch.record.state != "up":
                self._back.set()  # its connections are new ones next time
            elif self._back.is_set() and self._watch.domains.unmeasured:
                with contextlib.suppress(PilotError, libvirt.libvirtError):
                    await self._round()

    async def _round(self) -> None:
        domains, where = self._watch.domains, dict[Drive, list[str]]()
        for uuid in domains.take_unmeasured():
            for drive, size in domains.drives(uuid).items():
                if not size and (drive.pool or drive.path.startswith("/")):
                    where.setdefault(drive, []).append(uuid)
        drives = list(where)
        try:
            while drives:
                for drive, size in (await self._ask(drives[:CHUNK])).items():
                    for uuid in where[drive]:
                        self._watch.measured(uuid, {drive: size})
                del drives[:CHUNK]
        finally:
            domains.unmeasured.update(uuid for drive in drives for uuid in where[drive])

    async def _ask(self, drives: list[Drive]) -> dict[Drive, int]:
        back = self._back = threading.Event()

        def look(raw: Any) -> dict[Drive, int]:
            try:
                return volume_sizes(raw, drives)
            finally:
                back.set()

        try:
            return await self._lanes.call("looking at volumes", look, self._settings.query)
        except DeadlineError:
            raise
        except BaseException:
            back.set()  # it may never have been tried
            raise
