"""Typing at serial consoles, without ever holding up the asyncio loop or other consoles.

What is typed at a guest that does not read fills the pty of its QEMU, about 20 KB, and then libvirtd's
five places for requests of that connection: from then on libvirtd reads nothing from the connection, nor
answers its keepalive. Nothing tells how much the guest has read. So a console has a credit of `CREDIT`
bytes, which output of the guest gives back, an echo more than once over; without credit typing waits.

A write into the connection blocks once its socket is full, so a thread does it. (Writing from the loop
where there surely is room was measured and is no faster: a key's way is 0.64 ms with or without the hop.)
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from typing import Any

import libvirt

from pilot.backends.libvirt.faults import words
from pilot.errors import BackendError, BusyError, DeadlineError

CREDIT = 8 * 1024
CREDIT_PER_BYTE = 16
QUEUE_LIMIT = 4096
"""Writes that wait for one writer at most."""
PARKED_LIMIT = 64
"""Writes that wait for one guest at most."""


class _Typed:
    """Bytes on their way to a guest."""

    __slots__ = ("data", "future", "outbox")

    def __init__(self, outbox: Outbox, data: bytes, future: asyncio.Future[None]) -> None:
        self.outbox = outbox
        self.data = data
        self.future = future


class Outbox:
    """What is typed at one console."""

    def __init__(
        self,
        stream: Any,
        alone: contextlib.AbstractContextManager[object],
        writer: Writer,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """The stream is written to, and never touched otherwise; `alone` is held for that."""
        self._stream = stream
        self._alone = alone
        self._writer = writer
        self._loop = loop
        self._lock = threading.Lock()
        self._credit = CREDIT
        self._parked: deque[_Typed] = deque()
        self._under_way = 0

    async def write(self, data: bytes, deadline: float) -> None:
        """Type.

        Raises:
            BackendError: the console is lost.
            DeadlineError: the guest has not read for so long; what it may still get is dropped.
            BusyError: too much waits already.
        """
        if self._under_way >= PARKED_LIMIT:
            raise BusyError("too much that was typed waits for the guest", "Wait until it reads.")
        future: asyncio.Future[None] = self._loop.create_future()
        self._under_way += 1
        try:
            self._writer.put(_Typed(self, data, future))
            async with asyncio.timeout(deadline):
                await future
        except TimeoutError:
            raise DeadlineError(
                f"what was typed has not been taken for {deadline:g} s: nobody reads there",
                "Does the node run, and does its QEMU answer?",
            ) from None
        finally:
            self._under_way -= 1
            with self._lock:
                self._parked = deque(other for other in self._parked if not other.future.done())

    def heard(self, size: int) -> None:
        """In libvirt's thread: the guest has printed so many bytes."""
        with self._lock:
            self._credit = min(CREDIT, self._credit + size * CREDIT_PER_BYTE)
            parked = self._parked[0] if self._parked else None
        if parked is not None:
            self._writer.again(parked)

    def close(self, why: str) -> None:
        """Take no more; what waits is told why."""
        self._stream = None
        with self._lock:
            parked, self._parked = list(self._parked), deque()
        for typed in parked:
            _settle(typed.future, BackendError(f"the console was lost: {why}"))

    def send(self, typed: _Typed) -> bool:
        """In the writer's thread: send what the credit allows; whether it is over.

        What has no credit is parked, in order, until the guest prints something.
        """
        stream = self._stream
        if stream is None:
            raise BackendError("the console is closed")
        while True:
            with self._lock:
                first = not self._parked or self._parked[0] is typed
                if not typed.data or typed.future.done():
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
            with self._alone:
                taken = max(0, stream.send(part))
            typed.data = typed.data[taken:]
            if taken < len(part):  # a stream that is not libvirtd's may have no room
                time.sleep(0.005)
                with self._lock:
                    self._credit += len(part) - taken
        if follower is not None:
            self._writer.again(follower)
        return True


class Writer:
    """The thread that writes to a group of consoles."""

    def __init__(self, name: str) -> None:
        """The thread starts with the first write."""
        self._queue: queue.SimpleQueue[_Typed | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = False

    def put(self, typed: _Typed) -> None:
        """Have something written; its future says when libvirt has taken it.

        Raises:
            BusyError: too much waits already.
        """
        if self._queue.qsize() >= QUEUE_LIMIT:
            raise BusyError("too much that was typed waits on this host", "Wait until it has been taken.")
        if not self._started:
            self._started = True
            self._thread.start()
        self._queue.put(typed)

    def again(self, typed: _Typed) -> None:
        """Try again what was parked."""
        self._queue.put(typed)

    def stop(self) -> None:
        """End the thread, once what it is at comes back."""
        self._queue.put(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            error: BackendError | None = None
            try:
                if not item.outbox.send(item):
                    continue
            except libvirt.libvirtError as failure:
                error = BackendError(f"the console was lost: {words(failure)}")
            except BackendError as failure:
                error = failure
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(_settle, item.future, error)


def _settle(future: asyncio.Future[None], error: BackendError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
