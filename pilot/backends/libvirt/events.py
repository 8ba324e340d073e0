"""libvirt's domain events as plain tuples, handed to the asyncio loop in batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import libvirt
import libvirt_qemu
import msgspec

INBOX_LIMIT = 100_000


class Lifecycle(msgspec.Struct, frozen=True):
    """A domain was defined, started, stopped, … (VIR_DOMAIN_EVENT_*, and its detail)."""

    uuid: str
    event: int
    detail: int


class Rebooted(msgspec.Struct, frozen=True):
    """The guest was reset, by itself or by somebody."""

    uuid: str


class Ending(msgspec.Struct, frozen=True):
    """QEMU says why the guest ends: `guest-reset`, `guest-shutdown`, `host-qmp-system-reset`, …"""

    uuid: str
    reason: str


class Changed(msgspec.Struct, frozen=True):
    """Metadata or devices changed, or libvirt lost control of QEMU's monitor."""

    uuid: str


Event = Lifecycle | Rebooted | Ending | Changed


class Events:
    """The registrations on one connection. `register` and `deregister` block and belong in a thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[list[Event]], None],
        overflow: Callable[[], None],
    ) -> None:
        """`deliver` and `overflow` (events were dropped: read everything anew) are called on the loop."""
        self._loop = loop
        self._deliver = deliver
        self._overflow = overflow
        self._inbox: deque[Event] = deque()
        self._full = False
        self._ids: list[int] = []
        self._monitor: int | None = None
        self._raw: Any = None

    def register(self, raw: Any, kind: str) -> None:
        """Ask for all events that matter; drivers need not know all of them.

        Raises:
            libvirt.libvirtError: the driver has no lifecycle events, without which nothing is live.
        """
        self._raw = raw
        self._ids.append(
            raw.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, None)
        )
        for event, callback in (
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, self._metadata),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, self._device),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._device),
            (libvirt.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, self._control),
        ):
            with contextlib.suppress(libvirt.libvirtError):
                self._ids.append(raw.domainEventRegisterAny(None, event, callback, None))
        if kind == "QEMU":
            with contextlib.suppress(libvirt.libvirtError):
                self._monitor = libvirt_qemu.qemuMonitorEventRegister(
                    raw, None, "SHUTDOWN", self._shutdown, None, 0
                )

    def deregister(self) -> None:
        """Let the callbacks go; on a lost connection libvirt's complaints are of no interest."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        for number in self._ids:
            with contextlib.suppress(libvirt.libvirtError):
                raw.domainEventDeregisterAny(number)
        if self._monitor is not None:
            with contextlib.suppress(libvirt.libvirtError):
                libvirt_qemu.qemuMonitorEventDeregister(raw, self._monitor)

    # --- in libvirt's thread --------------------------------------------------------------------

    def _lifecycle(self, _raw: Any, domain: Any, event: int, detail: int, _opaque: None) -> None:
        self._put(Lifecycle(domain.UUIDString(), event, detail))

    def _reboot(self, _raw: Any, domain: Any, _opaque: None) -> None:
        self._put(Rebooted(domain.UUIDString()))

    def _metadata(self, _raw: Any, domain: Any, _type: int, _uri: str, _opaque: None) -> None:
        self._put(Changed(domain.UUIDString()))

    def _device(self, _raw: Any, domain: Any, _alias: str, _opaque: None) -> None:
        self._put(Changed(domain.UUIDString()))

    def _control(self, _raw: Any, domain: Any, _opaque: None) -> None:
        self._put(Changed(domain.UUIDString()))

    def _shutdown(
        self, _raw: Any, domain: Any, _name: str, _seconds: int, _micros: int, details: str, _opaque: None
    ) -> None:
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            self._put(Ending(domain.UUIDString(), str(json.loads(details).get("reason", ""))))

    def _put(self, event: Event) -> None:
        if len(self._inbox) >= INBOX_LIMIT:
            self._full = True
            return
        self._inbox.append(event)
        if len(self._inbox) == 1:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._drain)

    # --- on the asyncio loop --------------------------------------------------------------------

    def _drain(self) -> None:
        batch = []
        # The wake-up is due when the first event goes in: so the batch ends with the inbox empty.
        while self._inbox:
            batch.append(self._inbox.popleft())
        if self._full:
            self._full = False
            self._overflow()
        if batch:
            self._deliver(batch)
