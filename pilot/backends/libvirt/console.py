"""One serial console: a libvirt stream, read in libvirt's thread, written by its group's thread.

All of a stream's callbacks are added, changed and removed in libvirt's event thread, or before that
thread knows of them: so none can run while it is being taken away. What was read is handed to the asyncio
loop in batches; if the loop falls behind by `BACKLOG`, the stream is not read until it has caught up.

What is typed at a guest that does not read fills the pty of its QEMU, about 20 KB, and then libvirtd's
five places for requests of that connection: from then on libvirtd reads nothing from the connection, nor
answers its keepalive. Nothing tells how much the guest has read. So a console has a credit of `CREDIT`
bytes, which output of the guest gives back, an echo more than once over; without credit typing waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import libvirt

from pilot.backends.libvirt import connection, eventloop
from pilot.backends.libvirt.faults import words
from pilot.errors import BackendError, BusyError, DeadlineError

BACKLOG = 256 * 1024
READ_SIZE = 64 * 1024
CREDIT = 8 * 1024
CREDIT_PER_BYTE = 16
QUEUE_LIMIT = 4096
"""Writes that wait for one writer at most."""
PARKED_LIMIT = 64
"""Writes that wait for one guest at most."""
_GONE = libvirt.VIR_STREAM_EVENT_HANGUP | libvirt.VIR_STREAM_EVENT_ERROR
_READ = libvirt.VIR_STREAM_EVENT_READABLE | _GONE


class Typed:
    """Bytes on their way to a guest."""

    __slots__ = ("console", "data", "future")

    def __init__(self, console: Console, data: bytes, future: asyncio.Future[None]) -> None:
        self.console = console
        self.data = data
        self.future = future


class Console:
    """One serial console that is held; a provider.Serial."""

    def __init__(
        self,
        raw: Any,
        stream: Any,
        loop: asyncio.AbstractEventLoop,
        writer: Writer,
        output: Callable[[bytes], None],
        lost: Callable[[str], None],
        deadline: float,
    ) -> None:
        """Made, in a thread, by `open_blocking`."""
        self.raw = raw
        """The virConnect it came by."""
        self.on_end: Callable[[], None] = lambda: None
        """Called on the loop when it is over, whoever ended it."""
        self._stream = stream
        self._loop = loop
        self._writer = writer
        self._output = output
        self._lost = lost
        self._deadline = deadline
        self._lock = threading.Lock()
        self._chunks: list[bytes] = []
        self._size = 0
        self._full = False
        self._ended: str | None = None
        self._over = False
        self._credit = CREDIT
        self._parked: deque[Typed] = deque()

    @property
    def over(self) -> bool:
        """Whether it was let go or lost."""
        return self._over

    async def write(self, data: bytes) -> None:
        """Type. Raises BackendError if the console is lost, DeadlineError if nobody reads there."""
        if self._over:
            raise BackendError(f"the console is closed: {self._ended or 'airboss let it go'}")
        if len(self._parked) >= PARKED_LIMIT:
            raise BusyError("too much that was typed waits for the guest", "Wait until it reads.")
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.put(Typed(self, data, future))
        try:
            async with asyncio.timeout(self._deadline):
                await future
        except TimeoutError:
            with self._lock:
                self._parked = deque(other for other in self._parked if not other.future.done())
            raise DeadlineError(
                f"what was typed has not been taken for {self._deadline:g} s: nobody reads there",
                "Does the node run, and does its QEMU answer?",
            ) from None

    async def close(self) -> None:
        """Let the console go."""
        self.abandon()

    def abandon(self) -> None:
        """Close it without a word: nobody was told that it is open."""
        if not self._over:
            self._finish()

    def lose(self, why: str) -> None:
        """End it from outside, on the loop: its host or connection was lost."""
        if not self._over:
            self._deliver()
        if not self._over:
            self._ended = why
            self._finish()
            self._lost(why)

    # --- in the writer's thread -----------------------------------------------------------------

    def send(self, typed: Typed) -> bool:
        """Send what the credit allows; whether that was all. The rest is parked until there is more."""
        stream = self._stream
        if stream is None or self._over:
            raise BackendError("the console is closed")
        while True:
            with self._lock:
                over = not typed.data or typed.future.done()
                first = not self._parked or self._parked[0] is typed
                if over:
                    if typed in self._parked:
                        self._parked.remove(typed)
                    follower = self._parked[0] if self._parked else None
                    break
                if not first or self._credit == 0:
                    if typed not in self._parked:
                        self._parked.append(typed)
                    return False
                part = typed.data[: self._credit]
                self._credit -= len(part)
            taken = max(0, stream.send(part))
            typed.data = typed.data[taken:]
            if taken < len(part):  # a stream that is not libvirtd's may have no room
                time.sleep(0.005)
                with self._lock:
                    self._credit += len(part) - taken
        if follower is not None:
            self._writer.again(follower)
        return True

    # --- in libvirt's thread --------------------------------------------------------------------

    def ready(self, stream: Any, events: int, _opaque: None) -> None:
        """The stream can be read, or has ended."""
        why = None
        try:
            data = stream.recv(READ_SIZE) if events & libvirt.VIR_STREAM_EVENT_READABLE else -2
        except libvirt.libvirtError as error:
            data, why = -2, words(error)
        if data == b"":
            why = "QEMU closed it: the node was turned off, or is about to be"
        elif data == -2 and events & _GONE:
            why = why or "libvirt closed it"
        with self._lock:
            idle = not self._chunks
            if isinstance(data, bytes) and data:
                self._chunks.append(data)
                self._size += len(data)
                self._credit = min(CREDIT, self._credit + len(data) * CREDIT_PER_BYTE)
                if self._size >= BACKLOG:
                    self._full = True
                    stream.eventUpdateCallback(_GONE)
            if why is not None:
                self._ended = why
                stream.eventUpdateCallback(0)
            parked = self._parked[0] if self._parked and self._credit > 0 else None
            wake = (idle and bool(self._chunks)) or why is not None
        if parked is not None:
            self._writer.again(parked)
        if wake:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._deliver)

    def _read_on(self) -> None:
        if self._stream is not None and not self._over:
            with contextlib.suppress(libvirt.libvirtError):
                self._stream.eventUpdateCallback(_READ)

    def _remove(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with contextlib.suppress(libvirt.libvirtError):
            stream.eventRemoveCallback()

        def abort() -> None:
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()

        connection.in_thread(abort)

    # --- on the asyncio loop --------------------------------------------------------------------

    def _deliver(self) -> None:
        with self._lock:
            data, self._chunks, self._size = b"".join(self._chunks), [], 0
            full, self._full = self._full, False
            ended = self._ended
        if not self._over and data:
            self._output(data)
        if not self._over and ended is not None:
            self._finish()
            self._lost(ended)
        elif full:
            eventloop.post(self._read_on)

    def _finish(self) -> None:
        self._over = True
        self.on_end()
        with self._lock:
            parked, self._parked = list(self._parked), deque()
        for typed in parked:
            settle(typed.future, BackendError(f"the console was lost: {self._ended or 'airboss let it go'}"))
        eventloop.post(self._remove)


class Writer:
    """A thread that writes to consoles, so that no write holds up the asyncio loop."""

    def __init__(self, name: str) -> None:
        """The thread starts with the first write."""
        self._queue: queue.SimpleQueue[Typed | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = False

    def put(self, typed: Typed) -> None:
        """Have something written; its future says when libvirt has taken it.

        Raises:
            BusyError: too much waits already.
        """
        if not self._started:
            self._started = True
            self._thread.start()
        if self._queue.qsize() >= QUEUE_LIMIT:
            raise BusyError("too much that was typed waits on this host", "Wait until it has been taken.")
        self._queue.put(typed)

    def again(self, typed: Typed) -> None:
        """Try again what was parked."""
        self._queue.put(typed)

    def stop(self) -> None:
        """End the thread, once what it is at comes back."""
        self._queue.put(None)

    def _run(self) -> None:
        while (typed := self._queue.get()) is not None:
            error: BackendError | None = None
            try:
                if not typed.console.send(typed):
                    continue
            except libvirt.libvirtError as failure:
                error = BackendError(f"the console was lost: {words(failure)}")
            except BackendError as failure:
                error = failure
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(settle, typed.future, error)


def settle(future: asyncio.Future[None], error: BackendError | None) -> None:
    """On the loop: say how a write ended, if somebody still waits for it."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def open_blocking(
    raw: Any,
    uuid: str,
    loop: asyncio.AbstractEventLoop,
    writer: Writer,
    output: Callable[[bytes], None],
    lost: Callable[[str], None],
    deadline: float,
) -> Console:
    """Open a domain's first console; blocks.

    Raises:
        libvirt.libvirtError: somebody holds it, or there is none.
    """
    domain = raw.lookupByUUIDString(uuid)
    stream = raw.newStream(libvirt.VIR_STREAM_NONBLOCK)
    domain.openConsole(None, stream, 0)
    console = Console(raw, stream, loop, writer, output, lost, deadline)
    try:
        stream.eventAddCallback(_READ, console.ready, None)
    except libvirt.libvirtError:
        stream.abort()
        raise
    return console
