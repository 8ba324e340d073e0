"""Lanes: libvirt connections with threads that call on them, and a deadline on every call.

A libvirt call cannot be cancelled, and two threads must not call on one connection at a time (see
connection). So the calls of a host wait in one queue, and lanes take from it: a connection and a thread
each. A few lanes open as soon as calls wait, more only when all are held by slow calls. A lane on which a
call exceeds its deadline is retired: it takes no more calls, a fresh lane replaces it, and its connection
closes when its call comes back. Lanes are bounded; beyond the bound calls are refused as busy.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from pilot.backends.libvirt.calls import Call, exhausted, fail, mute, overdue, settle
from pilot.backends.libvirt.connection import Connection, open_blocking
from pilot.backends.libvirt.faults import unreachable
from pilot.errors import BusyError, DeadlineError, PilotError, UnreachableError

T = TypeVar("T")
QUEUE_LIMIT = 16_384
DROPPED_LIMIT = 64
"""Lanes of a lost host that may hang beside those at work."""
REFUSED_SECONDS = 1.0
"""Until a further lane is tried after one that did not open beside others that did."""


class Lane:
    """A connection and its thread. Fields are guarded by the lock of its `Lanes`."""

    def __init__(self, connection: Connection | None) -> None:
        self.connection = connection
        self.borrowed = connection is not None
        """Whether somebody else closes the connection."""
        self.opening_since = 0.0
        self.running: Call | None = None
        self.staffed = False
        """Whether its thread is there."""
        self.idle = False
        self.retired = False
        self.dropped = False
        """Whether its host was lost while it was at work: it may never come back."""


class Lanes:
    """The lanes of one host for one purpose. Its methods are called on the event loop's thread."""

    def __init__(
        self,
        host: str,
        uri: str,
        *,
        purpose: str,
        eager: int = 1,
        spare: int = 8,
        patience: float = 1.0,
        open_deadline: float = 5.0,
        first: Connection | None = None,
        lost: Callable[[Any, str], None] | None = None,
    ) -> None:
        """No connection is opened before the first call.

        Args:
            host: the host's name, for messages and threads.
            uri: its libvirt URI.
            purpose: what the lanes are for, for the threads' names.
            eager: lanes that open as soon as calls wait.
            spare: lanes beyond the first, retired ones included, at most.
            patience: seconds a call waits for a thread before a further lane joins.
            open_deadline: seconds a connection may take to open before its calls are told.
            first: a connection that is open already; it is not closed here.
            lost: told, on the loop, of the virConnect of a lane that ended by itself, and why.
        """
        self._host = host
        self._uri = uri
        self._name = f"libvirt-{purpose}-{host}"
        self._eager = eager
        self._limit = 1 + spare
        self._patience = patience
        self._open_deadline = open_deadline
        self._lost = lost
        self._ready = threading.Condition()
        self._pending: deque[Call] = deque()
        self._lanes: list[Lane] = [Lane(first)] if first is not None else []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._closed = ""

    @property
    def stuck(self) -> int:
        """Lanes that are retired and wait for a call to come back."""
        with self._ready:
            return sum(lane.retired for lane in self._lanes)

    @property
    def busy(self) -> int:
        """Lanes that are at work on a call that somebody waits for."""
        with self._ready:
            return sum(lane.running is not None and not lane.retired for lane in self._lanes)

    async def call(self, doing: str, function: Callable[[Any], T], deadline: float) -> T:
        """Run a function on a virConnect, in a thread; see `call_on`."""
        return await self.call_on(doing, lambda connection: function(connection.raw), deadline)

    async def call_on(self, doing: str, function: Callable[[Connection], T], deadline: float) -> T:
        """Run a function on a connection, in a thread that nobody else calls on it from meanwhile.

        Args:
            doing: what it does, for messages: "turning on compute-0-0".
            function: takes the connection. Its own errors are raised here as they are.
            deadline: seconds it may run, not counting the wait for a thread.

        Raises:
            DeadlineError: it did not come back in time; it may still take effect.
            BusyError: too many calls wait, or are stuck, on this host.
            UnreachableError: the host cannot be reached.
        """
        if self._closed:
            raise UnreachableError(f"{doing} failed: {self._closed}")
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        call = Call(doing, function, deadline, future)
        with self._ready:
            if len(self._pending) >= QUEUE_LIMIT:
                raise BusyError(f"{len(self._pending)} calls wait for host {self._host} already")
            self._pending.append(call)
            self._staff(time.monotonic())
            self._ready.notify()
        if self._timer is None:
            self._timer = self._loop.call_later(0.1, self._check)
        return await future

    def warm(self) -> None:
        """Open the first connection ahead of the first call."""
        with self._ready:
            if not self._closed and not any(not lane.retired for lane in self._lanes):
                self._add()

    def drop(self, why: str) -> None:
        """The host does not answer: let go of every connection to it, and of the calls on them."""
        with self._ready:
            pending, self._pending = list(self._pending), deque()
            for lane in self._lanes:
                lane.retired = lane.dropped = True
            running = [lane.running for lane in self._lanes if lane.running is not None]
            self._ready.notify_all()
        for call in pending:
            fail(call, UnreachableError(f"{call.doing} was not tried: {why}"))
        for call in running:
            fail(call, DeadlineError(f"{call.doing}: {why}", "It may still take effect."))

    def close(self, why: str) -> list[threading.Thread]:
        """Refuse what waits and what may still come, and let the connections go.

        Calls that run end by themselves. Gives the threads that may still close connections.
        """
        self._closed = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with self._ready:
            pending, self._pending = list(self._pending), deque()
            running = [lane.running for lane in self._lanes if lane.running is not None]
            closing = []
            for lane in self._lanes:
                lane.retired = True
                if not lane.staffed and not lane.borrowed and lane.connection is not None:
                    closing.append(lane.connection)
            self._ready.notify_all()
        for call in (*pending, *running):
            fail(call, UnreachableError(f"{call.doing} failed: {why}"))
        threads = [threading.Thread(target=connection.close, daemon=True) for connection in closing]
        for thread in threads:
            thread.start()
        return threads

    # --- under the lock -------------------------------------------------------------------------

    def _staff(self, now: float) -> None:
        """See that somebody takes what waits: a thread, or a lane."""
        usable = [lane for lane in self._lanes if not lane.retired]
        opening = sum(lane.opening_since > 0 for lane in usable)
        short = len(self._pending) - sum(lane.idle for lane in usable) - opening
        for lane in usable:
            if short > 0 and not lane.staffed:
                self._hire(lane)
                short -= 1
        missing = min(short, self._eager - len(usable))
        if missing <= 0 < short:
            slow = all(
                lane.running is not None and now - lane.running.started > self._patience for lane in usable
            )
            waiting = now - self._pending[0].queued > self._patience
            missing = 1 if slow and waiting and not opening else 0
        for _ in range(missing):
            self._add()

    def _add(self) -> None:
        # Those of a host that was cut off may hang for hours, and must not keep it from coming back.
        bound = self._limit + min(sum(lane.dropped for lane in self._lanes), DROPPED_LIMIT)
        alone = all(lane.retired for lane in self._lanes)
        if len(self._lanes) < bound and (alone or time.monotonic() >= self._not_before):
            lane = Lane(None)
            self._lanes.append(lane)
            self._hire(lane)

    def _hire(self, lane: Lane) -> None:
        lane.staffed = True
        if lane.connection is None:
            lane.opening_since = time.monotonic()
        threading.Thread(target=self._work, args=(lane,), name=self._name, daemon=True).start()

    # --- the timer ------------------------------------------------------------------------------

    def _check(self) -> None:
        """Enforce deadlines; runs while calls wait or run."""
        now = time.monotonic()
        late: list[tuple[Call, PilotError]] = []
        with self._ready:
            for lane in self._lanes:
                call = lane.running
                if call is not None and now - call.started > call.deadline and not call.future.done():
                    lane.retired = True
                    late.append((call, overdue(call, self._host)))
                if lane.opening_since and now - lane.opening_since > 60:
                    lane.retired = True
            self._ready.notify_all()
            usable = [lane for lane in self._lanes if not lane.retired]
            silent = usable and all(
                lane.opening_since and now - lane.opening_since > self._open_deadline for lane in usable
            )
            if self._pending:
                self._staff(now)
                if silent:
                    late += [(call, mute(call, self._host)) for call in self._take_all()]
                elif all(lane.retired for lane in self._lanes):
                    late += [
                        (call, exhausted(call, self._host, len(self._lanes))) for call in self._take_all()
                    ]
            busy = bool(self._pending) or any(
                lane.running is not None and not lane.running.future.done() for lane in self._lanes
            )
        for call, error in late:
            fail(call, error)
        self._timer = self._loop.call_later(0.1, self._check) if busy else None

    def _take_all(self) -> list[Call]:
        taken, self._pending = list(self._pending), deque()
        return taken

    # --- in the threads -------------------------------------------------------------------------

    def _work(self, lane: Lane) -> None:
        opened = lane.connection is not None or self._open(lane)
        while opened and (call := self._next(lane)) is not None:
            result, error = None, None
            try:
                assert lane.connection is not None
                with lane.connection.alone:
                    result = call.function(lane.connection)
            except BaseException as failure:
                error = failure
            with self._ready:
                lane.running = None
            self._post(settle, call, result, error)
            del call, result, error
        with self._ready:
            lane.staffed = False
            lane.opening_since = 0.0
            if lane in self._lanes:
                self._lanes.remove(lane)
        if not lane.borrowed and lane.connection is not None:
            lane.connection.close()

    def _open(self, lane: Lane) -> bool:
        try:
            connection = open_blocking(self._uri)
        except Exception as failure:
            with self._ready:
                lane.retired = True
                others = any(not other.retired for other in self._lanes)
                refused = [] if others else self._take_all()
                if others:
                    self._not_before = time.monotonic() + REFUSED_SECONDS
            for call in refused:
                self._post(fail, call, unreachable(failure, call.doing, self._host))
            return False
        raw = connection.raw
        connection.on_lost(lambda why: self._retire(lane, raw, why))
        with self._ready:
            lane.connection = connection
            lane.opening_since = 0.0
            self._staff(time.monotonic())
        return True

    def _retire(self, lane: Lane, raw: Any, why: str) -> None:
        with self._ready:
            lane.retired = True
            self._ready.notify_all()
        if self._lost is not None:
            self._post(self._lost, raw, why)

    def _next(self, lane: Lane) -> Call | None:
        with self._ready:
            lane.idle = True
            call = None
            while not lane.retired and call is None:
                if not self._pending:
                    self._ready.wait()
                elif (waited := self._pending.popleft()).future.done():
                    continue  # who asked for it went away
                else:
                    call = waited
            lane.idle = False
            if call is None:
                self._ready.notify()
                return None
            call.started = time.monotonic()
            lane.running = call
            return call

    def _post(self, function: Callable[..., None], *args: Any) -> None:
        # A loop that ended meanwhile refuses: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)
