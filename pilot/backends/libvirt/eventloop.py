"""libvirt's own event loop, in one daemon thread of the process.

libvirt delivers events, stream readiness, keepalive and lost connections from an event loop that the
application registers once, before its first connection. The asyncio implementation that comes with the
bindings must not be used here: it creates tasks from whichever thread calls libvirt.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

import libvirt

from pilot.backends.libvirt.epoll import EventLoop

log = logging.getLogger(__name__)

_lock = threading.Lock()
_posted: deque[Callable[[], None]] = deque()
_timer: int | None = None


def start() -> None:
    """Register the event loop and run it. Idempotent; to be called before a connection is opened."""
    global _timer
    with _lock:
        if _timer is not None:
            return
        # Without a handler the library prints every error to stderr beside raising it.
        libvirt.registerErrorHandler(_ignore, None)
        loop = EventLoop()
        libvirt.virEventRegisterImpl(
            loop.add_handle, loop.update_handle, loop.remove_handle,
            loop.add_timeout, loop.update_timeout, loop.remove_timeout,
        )  # fmt: skip
        _timer = libvirt.virEventAddTimeout(-1, _run_posted, None)
        threading.Thread(target=loop.run, name="libvirt-events", daemon=True).start()


def post(function: Callable[[], None]) -> None:
    """Run a function in the event loop's thread, after the callbacks that are being delivered.

    It must not block: every host's events wait for it. What it raises is logged.
    """
    _posted.append(function)
    libvirt.virEventUpdateTimeout(_timer, 0)


def _run_posted(timer: int, _opaque: object) -> None:
    libvirt.virEventUpdateTimeout(timer, -1)
    for _ in range(len(_posted)):
        function = _posted.popleft()
        try:
            function()
        except Exception:
            log.exception("a function posted to libvirt's event loop failed")
    if _posted:
        libvirt.virEventUpdateTimeout(timer, 0)


def _ignore(_context: object, _error: object) -> None:
    """The error is raised as well, where it can be answered."""
