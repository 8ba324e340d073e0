"""One libvirt connection: opened in a thread of its own, watched, and closed for good.

libvirt's open has no deadline: a hypervisor that accepts and then says nothing holds it for ever. So
the caller waits as long as it likes and then lets go; an answer that comes later is closed unseen.

Two threads must never be inside calls on the same connection: up to libvirt 10.3 a thread that joins one
which waits for its answer leaves a pointer to that one's stack behind, and the process ends by SIGSEGV at
some later call (CVE-2024-4418; seen here with a libvirtd that was stopped and continued). Whoever calls
holds `alone`. For the same reason there is no keepalive: libvirt's own pings are such a second call.
HostWatch asks whether a host lives instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import libvirt

from pilot.backends.libvirt import eventloop
from pilot.errors import UnreachableError

DOMAINS = 4096
"""Domains that a connection remembers; beyond that it begins anew."""
CLOSE_REASONS = {
    libvirt.VIR_CONNECT_CLOSE_REASON_ERROR: "the connection failed",
    libvirt.VIR_CONNECT_CLOSE_REASON_EOF: "libvirtd closed the connection",
    libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT: "closed by us",
}


SILENT = "libvirtd accepts connections but does not answer"


class Connection:
    """An open libvirt connection."""

    def __init__(self, raw: Any) -> None:
        """Made by `open_blocking` only."""
        self.raw = raw
        self.alive = True
        self.kind = ""
        """The driver: `QEMU`, `Test`, …"""
        self.alone = threading.RLock()
        """Held by who is inside a call on this connection."""
        self._lost: Callable[[str], None] | None = None
        self._lock = threading.Lock()
        self._watched = False
        self._domains: dict[str, Any] = {}

    def domain(self, uuid: str) -> Any:
        """The virDomain of a UUID, asked for once: for calls that come again and again.

        It stays right while its domain is turned off and on; of one that is no more, calls fail as ever.
        Needs `alone`.
        """
        domain = self._domains.get(uuid)
        if domain is None:
            if len(self._domains) >= DOMAINS:
                self._domains.clear()
            domain = self._domains[uuid] = self.raw.lookupByUUIDString(uuid)
        return domain

    def on_lost(self, lost: Callable[[str], None]) -> None:
        """Have `lost` called, once, from libvirt's thread, with why, when the connection ends by itself."""
        with self._lock:
            self._lost = lost
            late = not self.alive
        if late:
            self._tell("the connection failed")

    def close(self) -> None:
        """Close it, once nobody is inside a call. May block for ever; may be called twice."""
        with self._lock:
            self.alive, self._lost = False, None
        with self.alone:
            raw, self.raw = self.raw, None
            self._domains.clear()  # each of them keeps the connection open
            if raw is None:
                return
            if self._watched:
                with contextlib.suppress(libvirt.libvirtError):
                    raw.unregisterCloseCallback()
            with contextlib.suppress(libvirt.libvirtError):
                raw.close()

    def watch(self) -> None:
        """Ask to be told of the end; drivers inside this process have none."""
        with contextlib.suppress(libvirt.libvirtError):
            self.raw.registerCloseCallback(self._closed, None)
            self._watched = True

    def _closed(self, _raw: Any, reason: int, _opaque: None) -> None:
        with self._lock:
            self.alive = False
        self._tell(CLOSE_REASONS.get(reason, "the connection failed"))

    def _tell(self, why: str) -> None:
        with self._lock:
            lost, self._lost = self._lost, None
        if lost is not None:
            lost(why)


def open_blocking(uri: str) -> Connection:
    """Open a connection; may block for ever.

    Raises:
        libvirt.libvirtError: it cannot be opened.
    """
    eventloop.start()
    connection = Connection(libvirt.open(uri))
    connection.watch()
    try:
        connection.kind = connection.raw.getType()
    except libvirt.libvirtError:
        connection.close()
        raise
    return connection


def open_in_thread(uri: str) -> asyncio.Future[Connection]:
    """Open a connection in a daemon thread of its own.

    A future that is cancelled leaves the thread to itself: it closes what it may still get.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Connection] = loop.create_future()

    def settle(connection: Connection | None, error: BaseException | None) -> None:
        if future.done():
            if connection is not None:
                in_thread(connection.close)
        elif connection is not None:
            future.set_result(connection)
        else:
            assert error is not None
            future.set_exception(error)

    def attempt() -> None:
        connection: Connection | None = None
        error: BaseException | None = None
        try:
            connection = open_blocking(uri)
        except Exception as failure:
            error = failure
        try:
            loop.call_soon_threadsafe(settle, connection, error)
        except RuntimeError:  # the loop ended meanwhile
            if connection is not None:
                connection.close()

    threading.Thread(target=attempt, name="libvirt-open", daemon=True).start()
    return future


async def open_patiently(uri: str, deadline: float, silent: Callable[[], None]) -> Connection:
    """Open a connection, for as long as it takes up to a minute; `silent` is told after `deadline` seconds.

    A daemon that accepts and stays silent is not asked a second time meanwhile: the first attempt
    succeeds, or fails, as soon as it comes to itself.

    Raises:
        UnreachableError: a minute is over.
        libvirt.libvirtError: it cannot be opened.
    """
    future = open_in_thread(uri)
    try:
        async with asyncio.timeout(deadline):
            return await asyncio.shield(future)
    except TimeoutError:
        silent()
    except asyncio.CancelledError:
        future.cancel()
        raise
    try:
        async with asyncio.timeout(60):
            return await future
    except TimeoutError:
        raise UnreachableError(SILENT) from None


def in_thread(function: Callable[[], None]) -> threading.Thread:
    """Run what may block, such as closing, without waiting for it."""
    thread = threading.Thread(target=function, name="libvirt-close", daemon=True)
    thread.start()
    return thread
