"""Booting from the network once.

The node is started from a copy of its definition in which the network cards come first; the definition
itself stays as it is. In the copy a reset ends the domain (`on_reboot` = `destroy`), and whoever started
it starts it again, from its own definition, which boots from disk.

libvirt 9 tells a guest that resets from one that powers off by the very same events (SHUTDOWN by the
guest, then STOPPED), so that a powered-off node would be turned on again. QEMU does say which it was, in
the reason of its own SHUTDOWN event (since QEMU 4.0, https://qemu-project.gitlab.io/qemu/interop/
qemu-qmp-ref.html), which libvirt hands on to those who ask for it. The other way, keeping `restart` and
acting on libvirt's REBOOT event, fails badly if airboss is not there at that moment: the node would
install itself again and again. Here it is then simply off. An airboss that comes back finds the marker in
the metadata of a node that still runs so, and goes on watching it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import libvirt

from pilot.backends.libvirt.domain_xml import install_xml
from pilot.backends.libvirt.events import Ending, Event, Lifecycle
from pilot.backends.libvirt.host import HostWatch
from pilot.errors import BusyError, PilotError

log = logging.getLogger(__name__)

RESETS = frozenset({"guest-reset", "host-qmp-system-reset", "subsystem-reset"})
"""Reasons of QEMU's SHUTDOWN event that mean: boot again."""
TRIES = 30


def start_from_network(domain: Any) -> None:
    """Start a domain that is off from the network, paused before its first instruction. Blocks.

    Raises:
        libvirt.libvirtError: libvirt refused.
        BackendError: it has no network card.
    """
    # A memory image saved before the installation would be restored over the new disk by the next start.
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    domain.connect().createXML(install_xml(text), libvirt.VIR_DOMAIN_START_PAUSED)


class InstallWatch:
    """Starts nodes from disk again when they reboot after having been started from the network."""

    def __init__(self, watch: HostWatch, from_disk: Callable[[str], Awaitable[None]]) -> None:
        """`from_disk` starts a node; it may raise PilotError."""
        self._watch = watch
        self._from_disk = from_disk
        self._rebooting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        watch.listeners.add(self._listen)

    def stop(self) -> None:
        """Listen no longer."""
        self._watch.listeners.discard(self._listen)
        for task in self._tasks:
            task.cancel()

    def _listen(self, event: Event) -> None:
        entry = self._watch.domains.get(event.uuid)
        if isinstance(event, Ending) and entry is not None and entry.facts.installing:
            if event.reason in RESETS:
                self._rebooting.add(event.uuid)
        elif (
            isinstance(event, Lifecycle)
            and event.event == libvirt.VIR_DOMAIN_EVENT_STOPPED
            and event.uuid in self._rebooting
        ):
            self._rebooting.discard(event.uuid)
            task = asyncio.create_task(self._again(event.uuid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _again(self, uuid: str) -> None:
        """Start it from disk; tried for a while, since an act may be running or a disk be away."""
        for attempt in range(TRIES):
            try:
                await self._from_disk(uuid)
            except BusyError:
                await asyncio.sleep(1)
            except PilotError as error:
                log.warning(
                    "host %s: node %s after its installation: %s", self._watch.address.name, uuid, error
                )
                await asyncio.sleep(min(10.0, 0.5 * 2**attempt))
            else:
                return
            entry = self._watch.domains.get(uuid)
            if entry is None or entry.state not in ("off", "crashed"):
                return
        log.error("host %s: node %s stays off after its installation", self._watch.address.name, uuid)
