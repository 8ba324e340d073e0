"""Serial consoles: libvirt streams, read in libvirt's thread and written by one thread a host.

All of a stream's callbacks are added, changed and removed in libvirt's event thread, or before that
thread knows of them: so none can run while it is being taken away. What was read is handed to the asyncio
loop in batches; if the loop falls behind by `BACKLOG`, the stream is not read until it has caught up.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import libvirt

from pilot.backends.libvirt import connection, eventloop
from pilot.backends.libvirt.faults import translate, words
from pilot.errors import BackendError, DeadlineError

BACKLOG = 256 * 1024
READ_SIZE = 64 * 1024
WRITE_SIZE = 16 * 1024
QUEUE_LIMIT = 4096
"""Writes that wait for one host's writer at most."""
_GONE = libvirt.VIR_STREAM_EVENT_HANGUP | libvirt.VIR_STREAM_EVENT_ERROR
_READ = libvirt.VIR_STREAM_EVENT_READABLE | _GONE


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
        self._stream: Any = stream
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
        self.on_end: Callable[[], None] = lambda: None
        """Called on the loop when it is over, whoever ended it."""

    async def write(self, data: bytes) -> None:
        """Type. Raises BackendError if the console is lost, DeadlineError if nobody reads there."""
        if self._over:
            raise BackendError(f"the console is closed: {self._ended or 'by airboss'}")
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.put(self, data, future)
        try:
            async with asyncio.timeout(self._deadline):
                await future
        except TimeoutError:
            raise DeadlineError(
                f"what was typed has not been taken for {self._deadline:g} s",
                "Does the node run, and does its QEMU answer?",
            ) from None

    async def close(self) -> None:
        """Let the console go."""
        if not self._over:
            self._finish()

    def lose(self, why: str) -> None:
        """End it from outside, on the loop: the host was lost."""
        if not self._over:
            self._deliver()
            if not self._over:
                self._ended = why
                self._finish()
                self._lost(why)

    def send(self, data: bytes) -> int:
        """Send in the writer's thread; how many bytes were taken, or -2 if none now."""
        stream = self._stream
        if stream is None:
            raise BackendError("the console is closed")
        return int(stream.send(data))

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
            first = not self._chunks and self._ended is None
            if isinstance(data, bytes) and data:
                self._chunks.append(data)
                self._size += len(data)
                if self._size >= BACKLOG:
                    self._full = True
                    stream.eventUpdateCallback(_GONE)
            if why is not None:
                self._ended = why
                stream.eventUpdateCallback(0)
            wake = first and (bool(self._chunks) or why is not None)
        if wake or why is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    # --- on the asyncio loop --------------------------------------------------------------------

    def _deliver(self) -> None:
        with self._lock:
            data, self._chunks, self._size = b"".join(self._chunks), [], 0
            full, self._full = self._full, False
            ended = self._ended
        if self._over:
            return
        if data:
            self._output(data)
        if ended is not None and not self._over:
            self._finish()
            self._lost(ended)
        elif full and self._stream is not None:
            eventloop.post(self._read_on)

    def _read_on(self) -> None:
        if self._stream is not None and not self._over:
            with contextlib.suppress(libvirt.libvirtError):
                self._stream.eventUpdateCallback(_READ)

    def _finish(self) -> None:
        self._over = True
        self.on_end()
        eventloop.post(self._remove)

    def _remove(self) -> None:
        """In libvirt's thread: take the callback away, then let a thread that may block say goodbye."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with contextlib.suppress(libvirt.libvirtError):
            stream.eventRemoveCallback()

        def abort() -> None:
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()

        connection.in_thread(abort)


class Writer:
    """The thread that writes to all consoles of one host, so that no write holds up the loop."""

    def __init__(self, host: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Console, bytes, asyncio.Future[None], float] | None]
        self._queue = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=f"libvirt-typing-{host}", daemon=True)
        self._started = False

    def put(self, console: Console, data: bytes, future: asyncio.Future[None]) -> None:
        """Have something written; the future says when libvirt has taken it."""
        if not self._started:
            self._started = True
            self._thread.start()
        if self._queue.qsize() >= QUEUE_LIMIT:
            raise DeadlineError("too much waits to be typed on this host", "Wait until it has been taken.")
        self._queue.put((console, data, future, time.monotonic()))

    def stop(self) -> None:
        """End the thread, once what it is at comes back."""
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            console, data, future, since = item
            error: BaseException | None = None
            try:
                taken = console.send(data[:WRITE_SIZE])
            except (libvirt.libvirtError, BackendError) as failure:
                error, taken = failure, 0
            if error is None and taken == -2:
                taken = 0
                if not future.done():
                    time.sleep(0.005)  # the others' turn, then it is tried again
            if error is None and taken < len(data):
                if not future.done():
                    self._queue.put((console, data[taken:], future, since))
                continue
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_settle, future, error)
            del item, console, data, future, error


def _settle(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    elif isinstance(error, BackendError):
        future.set_exception(error)
    else:
        future.set_exception(BackendError(f"the console was lost: {words(error)}"))


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


def refused(error: BaseException, name: str, host: str) -> BaseException:
    """Our error for a console that cannot be opened."""
    return translate(error, f"opening the console of {name}", host)
