"""One serial console: a libvirt stream, read in libvirt's thread.

All of a stream's callbacks are added, changed and removed in libvirt's event thread, or before that
thread knows of them: so none can run while it is being taken away. What was read is handed to the asyncio
loop in steps, with turns for others between them; if the loop falls behind by `BACKLOG`, the stream is not
read until it has caught up.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import libvirt

from pilot.backends.libvirt import connection, eventloop
from pilot.backends.libvirt.faults import words
from pilot.backends.libvirt.writer import Outbox, Writer
from pilot.errors import BackendError

BACKLOG = 256 * 1024
READ_SIZE = 64 * 1024
STEP = 8 * 1024
"""Bytes that are delivered in one turn of the loop: a guest decides what following them costs."""
_CLOSE_SECONDS = 2.0
_GONE = libvirt.VIR_STREAM_EVENT_HANGUP | libvirt.VIR_STREAM_EVENT_ERROR
_READ = libvirt.VIR_STREAM_EVENT_READABLE | _GONE


class Console:
    """One serial console that is held; a provider.Serial."""

    def __init__(
        self,
        stream: Any,
        alone: contextlib.AbstractContextManager[object],
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
        output: Callable[[bytes], None],
        lost: Callable[[str], None],
        deadline: float,
    ) -> None:
        """Made, in a thread, by `open_blocking`. `alone` is held for calls on its connection."""
        self.on_end: Callable[[], None] = lambda: None
        """Called on the loop when it is over, whoever ended it."""
        self._stream = stream
        self._alone = alone
        self._outbox = outbox
        self._loop = loop
        self._output = output
        self._lost = lost
        self._deadline = deadline
        self._lock = threading.Lock()
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._due = False
        """A delivery will come."""
        self._full = False
        self._ended: str | None = None
        self._over = False
        self._let_go = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether it was let go or lost."""
        return self._over

    async def write(self, data: bytes) -> None:
        """Type. Raises BackendError if the console is lost, DeadlineError if nobody reads there."""
        if self._over:
            raise BackendError(f"the console is closed: {self._ended or 'airboss let it go'}")
        if data:
            await self._outbox.write(data, self._deadline)

    async def close(self) -> None:
        """Let the console go; somebody else may hold it when this returns, or after 2 s."""
        self.abandon()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._let_go.wait()

    def abandon(self) -> None:
        """Close it without a word to anybody."""
        if not self._over:
            self._finish()

    def lose(self, why: str) -> None:
        """End it from outside, on the loop: its host or connection was lost."""
        while not self._over and self._chunks:
            self._output(self._take())
        if not self._over:
            self._ended = why
            self._finish()
            self._lost(why)

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
            if isinstance(data, bytes) and data:
                self._chunks.append(data)
                self._size += len(data)
                if self._size >= BACKLOG:
                    self._full = True
                    stream.eventUpdateCallback(_GONE)
            if why is not None:
                self._ended = why
                stream.eventUpdateCallback(0)
            wake = not self._due and (bool(self._chunks) or why is not None)
            self._due = self._due or wake
        if wake:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._deliver)
        if isinstance(data, bytes) and data:
            self._outbox.heard(len(data))

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
            with self._alone, contextlib.suppress(libvirt.libvirtError):
                stream.abort()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._let_go.set)

        connection.in_thread(abort)

    # --- on the asyncio loop --------------------------------------------------------------------

    def _deliver(self) -> None:
        """Deliver a step; ends when all that was read has been delivered."""
        data = b"" if self._over else self._take()
        if data:
            self._output(data)
        with self._lock:
            more = bool(self._chunks) and not self._over
            self._due = more
            full = self._full and not more
            self._full = self._full and more
            ended = self._ended
        if more:
            self._loop.call_soon(self._deliver)
        elif not self._over and ended is not None:
            self._finish()
            self._lost(ended)
        elif full:
            eventloop.post(self._read_on)

    def _take(self) -> bytes:
        """The oldest bytes that were read, a step at most."""
        out = bytearray()
        with self._lock:
            while self._chunks and len(out) < STEP:
                chunk = self._chunks.popleft()
                room = STEP - len(out)
                out += chunk[:room]
                if len(chunk) > room:
                    self._chunks.appendleft(chunk[room:])
            self._size -= len(out)
        return bytes(out)

    def _finish(self) -> None:
        self._over = True
        self.on_end()
        self._outbox.close(self._ended or "airboss let it go")
        eventloop.post(self._remove)


def open_blocking(
    by: connection.Connection,
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
    domain = by.raw.lookupByUUIDString(uuid)
    stream = by.raw.newStream(libvirt.VIR_STREAM_NONBLOCK)
    domain.openConsole(None, stream, 0)
    outbox = Outbox(stream, by.alone, writer, loop)
    console = Console(stream, by.alone, outbox, loop, output, lost, deadline)
    try:
        stream.eventAddCallback(_READ, console.ready, None)
    except libvirt.libvirtError:
        stream.abort()
        raise
    return console
