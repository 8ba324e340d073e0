"""The screens of one host: connections to the VNC servers of its QEMUs, none of which needs a TCP port.

On the machine that airboss runs on, libvirt hands over a socket that is connected already. A host that is
reached by SSH cannot do that: there, SSH connects to the Unix socket that the VNC server listens at.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import libvirt

from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.domain_xml import Vnc
from pilot.backends.libvirt.faults import translate
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.hung import refuse_waiting
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.libvirt.ssh_forward import SshForward, address_of
from pilot.backends.libvirt.streams import READ_AHEAD, StreamScreen
from pilot.backends.provider import Screen
from pilot.errors import BackendError, DeadlineError

_SOCKET = "Let it listen at a Unix socket: `<graphics type='vnc'><listen type='socket'/></graphics>`."
_HUNG = "`power.off` ends a hung QEMU; that takes about 12 s."
_NEXT_START = "It is there from the next start on."


class _Handover:
    """A file descriptor on its way out of a thread: if nobody waits for it any more, it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._unwanted = False

    def give(self, fd: int) -> None:
        """From the thread."""
        with self._lock:
            if not self._unwanted:
                self._fd = fd
                return
        os.close(fd)

    def take(self) -> int:
        """On the loop, once it was given."""
        with self._lock:
            fd, self._fd = self._fd, None
        assert fd is not None
        return fd

    def refuse(self) -> None:
        """On the loop: what was given, or still comes, is closed."""
        with self._lock:
            fd, self._fd, self._unwanted = self._fd, None, True
        if fd is not None:
            os.close(fd)


class Screens:
    """Opens the screens of one host's nodes."""

    def __init__(self, watch: HostWatch, settings: Settings) -> None:
        """Nothing is connected before the first screen."""
        address = watch.address
        self._watch = watch
        self._settings = settings
        # A QEMU that does not answer holds the thread that asks it. These ask for screens only.
        self._lanes = Lanes(
            address.name, address.uri, purpose="screens", open_deadline=settings.open_deadline
        )
        self._asking: dict[str, asyncio.Event] = {}
        """Nodes whose QEMU is being asked: at most one question each, however many people ask."""
        self._forward: SshForward | None = None

    async def open(self, uuid: str) -> Screen:
        """Connect to a node's VNC server; see Provider.open_screen."""
        name = self._watch.domains.node(uuid).name
        doing = f"opening the screen of {name}"
        self._watch.check_up(doing)
        self._refuse(uuid, doing)
        way = transport(self._watch.address.uri)
        try:
            async with asyncio.timeout(self._settings.screen):
                if way == "local":
                    return await self._local(uuid, doing)
                return await self._over_ssh(uuid, doing)
        except TimeoutError:
            raise DeadlineError(
                f"{doing}: host {self._watch.address.name} has not given it for {self._settings.screen:g} s",
                f"If the node is shown as hung: {_HUNG}",
            ) from None
        except libvirt.libvirtError as error:
            raise translate(error, doing, self._watch.address.name) from None

    def drop(self, why: str) -> None:
        """The host does not answer: connections to it that hang are let go. Open screens go on."""
        self._lanes.drop(why)
        # Threads that hang there may do so for hours, and must not keep anybody out once it is back.
        asking, self._asking = list(self._asking.values()), {}
        for done in asking:
            done.set()

    def close(self, why: str) -> None:
        """Let everything go."""
        self._lanes.close(why)
        if self._forward is not None:
            self._forward.close()

    def _refuse(self, uuid: str, doing: str) -> None:
        """Refuse what is known to be in vain."""
        watch = self._watch
        if watch.kind != "QEMU":
            raise BackendError(f"{doing} failed: a host of kind {watch.kind} gives no screens")
        if (way := transport(watch.address.uri)) not in ("local", "ssh"):
            raise BackendError(
                f"{doing} failed: airboss reaches host {watch.address.name} by {way}, which lets no screen "
                "through",
                "The site's admin can reach it by SSH: `qemu+ssh://` in the host's uri.",
            )
        entry = watch.domains.get(uuid)
        if entry is None:
            return
        if not entry.facts.screen:
            raise BackendError(f"{doing} failed: it has no VNC", f"{_SOCKET} {_NEXT_START}")
        if entry.state == "off":
            raise BackendError(f"{doing} failed: it is off", "`power.on` turns it on.")
        if entry.hung_ms is not None:
            raise BackendError(
                f"{doing} failed: its QEMU has not answered for {entry.hung_ms / 1000:.0f} s", _HUNG
            )

    async def _local(self, uuid: str, doing: str) -> Screen:
        """Have libvirt pass a connected socket."""
        handover = _Handover()
        after = self._settings.hung_after

        def ask(raw: Any) -> None:
            domain = raw.lookupByUUIDString(uuid)
            refuse_waiting(domain, doing, after)
            server = _server(domain, doing)
            handover.give(domain.openGraphicsFD(server.index, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH))

        try:
            await self._ask(uuid, doing, ask)
            connected = socket.socket(fileno=handover.take())
        finally:
            handover.refuse()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connected, limit=READ_AHEAD)
        except BaseException:
            connected.close()
            raise
        return StreamScreen(reader, writer)

    async def _over_ssh(self, uuid: str, doing: str) -> Screen:
        """Have the host's sshd connect to where the VNC server listens."""

        def ask(raw: Any) -> Vnc:
            return _server(raw.lookupByUUIDString(uuid), doing)

        server = await self._ask(uuid, doing, ask)
        if not server.socket:
            where = "at a TCP port" if server.tcp else "nowhere"
            raise BackendError(
                f"{doing} failed: its VNC server listens {where}, and host {self._watch.address.name} is "
                "reached by SSH",
                f"{_SOCKET} {_NEXT_START}",
            )
        if self._forward is None:
            address = address_of(self._watch.address.uri)
            self._forward = SshForward(self._watch.address.name, address, self._settings.forward_idle)
        return await self._forward.open(server.socket, doing)

    async def _ask(self, uuid: str, doing: str, function: Any) -> Any:
        """Ask libvirt about a node, one question at a time: those that hang must not add up."""
        while (other := self._asking.get(uuid)) is not None:
            await other.wait()
        self._refuse(uuid, doing)
        loop = asyncio.get_running_loop()
        done = self._asking[uuid] = asyncio.Event()
        begun = threading.Event()

        def over() -> None:
            if self._asking.get(uuid) is done:
                del self._asking[uuid]
            done.set()

        def ask(raw: Any) -> Any:
            begun.set()
            try:
                return function(raw)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(over)

        try:
            return await self._lanes.call(doing, ask, self._settings.screen)
        finally:
            if not begun.is_set():
                over()  # it never began: nothing of it hangs


def transport(uri: str) -> str:
    """How a libvirt URI reaches its host: `local`, `ssh`, or what else it says, such as `tls`."""
    parts = urlsplit(uri)
    _, _, said = parts.scheme.partition("+")
    if said:
        return "local" if said == "unix" else said
    return "tls" if parts.hostname else "local"


def _server(domain: Any, doing: str) -> Vnc:
    server = domain_xml.vnc(domain.XMLDesc())
    if server is None:
        raise BackendError(f"{doing} failed: it was started without VNC", f"{_SOCKET} {_NEXT_START}")
    return server
