"""libvirt's event API (virEventRegisterImpl) on epoll.

libvirt's own loop is woken twice by each call on any connection, and makes its list of all sockets anew each
time: with 500 connections that is 0.1 ms of a processor for every call. Here a change is one epoll_ctl(2),
which the kernel takes up while the thread waits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import libvirt

log = logging.getLogger(__name__)

_MOST = 256


class _Handle:
    """A file descriptor that libvirt waits for."""

    __slots__ = ("callback", "events", "fd", "opaque", "own")

    def __init__(self, fd: int, events: int, callback: Any, opaque: Any) -> None:
        self.fd = fd
        self.own = -1
        self.events = events
        self.callback = callback
        self.opaque = opaque


class _Timer:
    """A timeout of libvirt's; off while `due` is None."""

    __slots__ = ("callback", "due", "interval", "opaque")

    def __init__(self, interval: int, callback: Any, opaque: Any) -> None:
        self.interval = interval
        self.due: float | None = None
        self.callback = callback
        self.opaque = opaque


class EventLoop:
    """An implementation of libvirt's event API (virEventRegisterImpl).

    libvirt calls its methods from any thread, with locks of its own held; none of them calls libvirt back.
    """

    def __init__(self, free: Callable[[Any], object] = libvirt.virEventInvokeFreeCallback) -> None:
        """`free` lets go of what a handle or timeout held; called in the loop's thread."""
        self._free = free
        # What the garbage collector lets go of while the lock is held may be a connection, which removes its
        # handles: from the same thread.
        self._lock = threading.RLock()
        self._epoll = select.epoll()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._epoll.register(self._wake_read, select.EPOLLIN)
        self._handles: dict[int, _Handle] = {}
        self._by_fd: dict[int, int] = {}
        self._timers: dict[int, _Timer] = {}
        self._removed: deque[Any] = deque()
        self._number = 0
        self._woken = False

    # --- called by libvirt -----------------------------------------------------------------------

    def add_handle(self, fd: int, events: int, callback: Any, opaque: Any) -> int:
        """Wait for a descriptor."""
        with self._lock:
            self._number += 1
            handle = self._handles[self._number] = _Handle(fd, events, callback, opaque)
            # Two handles of one descriptor are two descriptors to epoll.
            handle.own = os.dup(fd) if fd in self._by_fd else fd
            self._by_fd[handle.own] = self._number
            if events:
                self._epoll.register(handle.own, _mask(events))
            return self._number

    def update_handle(self, number: int, events: int) -> None:
        """Wait for something else of it, or nothing."""
        with self._lock:
            handle = self._handles.get(number)
            if handle is None or handle.events == events:
                return
            before, handle.events = handle.events, events
            with contextlib.suppress(OSError):
                # One that nothing is wanted of must not be known to epoll: it tells of a hangup all the same.
                if not events:
                    self._epoll.unregister(handle.own)
                elif before:
                    self._epoll.modify(handle.own, _mask(events))
                else:
                    self._epoll.register(handle.own, _mask(events))

    def remove_handle(self, number: int) -> int:
        """Wait for it no more; what it holds is let go in the loop's thread."""
        with self._lock:
            handle = self._handles.pop(number, None)
            if handle is None:
                return -1
            del self._by_fd[handle.own]
            with contextlib.suppress(OSError):
                self._epoll.unregister(handle.own)
            if handle.own != handle.fd:
                os.close(handle.own)
            self._removed.append(handle.opaque)
        self._wake()
        return 0

    def add_timeout(self, interval: int, callback: Any, opaque: Any) -> int:
        """Call back every so many milliseconds; never if that is negative."""
        with self._lock:
            self._number += 1
            number = self._number
            self._timers[number] = _Timer(-1, callback, opaque)
        self.update_timeout(number, interval)
        return number

    def update_timeout(self, number: int, interval: int) -> None:
        """Another interval, from now on."""
        with self._lock:
            timer = self._timers.get(number)
            if timer is None:
                return
            timer.interval = interval
            timer.due = None if interval < 0 else time.monotonic() + interval / 1000
        if interval >= 0:
            self._wake()

    def remove_timeout(self, number: int) -> int:
        """Call it back no more."""
        with self._lock:
            timer = self._timers.pop(number, None)
            if timer is None:
                return -1
            self._removed.append(timer.opaque)
        self._wake()
        return 0

    # --- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        """Deliver, for ever."""
        while True:
            try:
                self.run_once()
            except Exception:
                log.exception("libvirt's event loop failed; it goes on")
                time.sleep(0.1)

    def run_once(self) -> None:
        """Wait, and deliver what there is."""
        with self._lock:
            known = list(self._timers.values())
            due = min((timer.due for timer in known if timer.due is not None), default=None)
        wait = -1.0 if due is None else max(0.0, due - time.monotonic())
        for fd, mask in self._epoll.poll(wait, _MOST):
            if fd == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
                self._woken = False
                continue
            with self._lock:
                number = self._by_fd.get(fd, 0)
                handle = self._handles.get(number)
                wanted = 0 if handle is None or not handle.events else handle.events | _ALWAYS
                events = _events(mask) & wanted
            if handle is not None and events:
                handle.callback(number, handle.fd, events, handle.opaque)
        now = time.monotonic()
        with self._lock:
            numbers = list(self._timers)
        for number in numbers:
            with self._lock:
                timer = self._timers.get(number)
                if timer is None or timer.due is None or timer.due > now:
                    continue
                timer.due = now + timer.interval / 1000
            timer.callback(number, timer.opaque)
        while self._removed:
            self._free(self._removed.popleft())

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_write, b"\0")


_ALWAYS = libvirt.VIR_EVENT_HANDLE_ERROR | libvirt.VIR_EVENT_HANDLE_HANGUP


def _mask(events: int) -> int:
    mask = 0
    if events & libvirt.VIR_EVENT_HANDLE_READABLE:
        mask |= select.EPOLLIN
    if events & libvirt.VIR_EVENT_HANDLE_WRITABLE:
        mask |= select.EPOLLOUT
    return mask


def _events(mask: int) -> int:
    events = 0
    if mask & (select.EPOLLIN | select.EPOLLPRI):
        events |= libvirt.VIR_EVENT_HANDLE_READABLE
    if mask & select.EPOLLOUT:
        events |= libvirt.VIR_EVENT_HANDLE_WRITABLE
    if mask & select.EPOLLERR:
        events |= libvirt.VIR_EVENT_HANDLE_ERROR
    if mask & select.EPOLLHUP:
        events |= libvirt.VIR_EVENT_HANDLE_HANGUP
    return events
