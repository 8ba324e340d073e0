"""The last of what a console printed, and what follows, for those who only glance at it.

A tail is no viewer: nobody is told of it and it asks for no keyboard. It sends a few frames a second at most,
and of what was printed in between the newest bytes only, so that it costs as little on a guest that floods.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from pilot.agent.consoles.ring import Ring
from pilot.wire import Notice, Output

FIRST = LARGEST = 8 * 1024
"""Bytes of what was printed before that it begins with, and of what it sends at once; at most."""
EVERY = 0.1
"""Seconds from one frame of output to the next, at least."""
_MAX_NOTICES = 8
_CUTS = re.compile(rb"(?<=[\r\n])[^\r\n]"), re.compile(rb"\x1b")
"""Where the bytes are cut if they can be: at the beginning of a line, or else of a control sequence."""


class Desk(Protocol):
    """What a tail needs of its console."""

    ring: Ring
    tails: Tails

    def situation(self) -> Notice | None:
        """What must be said to one who comes now: why nothing is printed."""


class Tail:
    """One who glances at a console. Made by ConsoleHub.tail; only one task may read it."""

    def __init__(self, desk: Desk | None, last_word: str = "") -> None:
        """Begin near the end of what was printed. Without a console there is only the last word."""
        self._desk = desk
        self._none = Ring()
        self._offset = _cut(self._ring, max(self._ring.start, self._ring.end - FIRST))
        self._notices: deque[Notice] = deque(maxlen=_MAX_NOTICES)
        self._ended: Notice | None = None
        self._news = asyncio.Event()
        self._news.set()
        if desk is None:
            self.finish(last_word)
        else:
            desk.tails.add(self)
            if (situation := desk.situation()) is not None:
                self.tell(situation)

    @property
    def _ring(self) -> Ring:
        """The console's: another one takes its place when what was printed before is put in front."""
        return self._none if self._desk is None else self._desk.ring

    async def __aiter__(self) -> AsyncIterator[Output | Notice]:
        """Frames until it ends, with a final notice."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._news.wait()
            # Not after it: what is printed while this waits travels along.
            await asyncio.sleep(max(due - loop.time(), 0.0))
            self._news.clear()
            due = loop.time() + EVERY
            for frame in self._collect():
                yield frame
            if self._ended is not None:
                yield self._ended
                return

    def wake(self) -> None:
        """Something was printed."""
        self._news.set()

    def tell(self, notice: Notice) -> None:
        """Say something; the oldest is dropped if they are not read."""
        self._notices.append(notice)
        self.wake()

    def finish(self, text: str) -> None:
        """End it from the console's side, once what is there has been read."""
        if self._ended is None:
            self._ended = Notice("closed", text, final=True)
            if self._desk is not None:
                self._desk.tails.discard(self)
            self.wake()

    def close(self, text: str = "") -> None:
        """End it at once: what was not read is dropped, and what is printed from now on is not its business.

        The console may have another ring from now on, which belongs to others.
        """
        self._notices.clear()
        self.finish(text)
        self._desk, self._offset = None, 0

    def _collect(self) -> list[Output | Notice]:
        frames: list[Output | Notice] = []
        ring = self._ring
        if ring.end - self._offset > LARGEST:
            newest = _cut(ring, ring.end - LARGEST)
            skipped, self._offset = newest - self._offset, newest
            frames.append(Notice("skipped", f"{skipped:,} bytes skipped"))
        data = _read(ring, self._offset)
        self._offset += len(data)
        if data:
            frames.append(Output(data))
        frames += self._notices
        self._notices.clear()
        return frames


class Tails:
    """The tails of one console."""

    def __init__(self) -> None:
        self._tails: set[Tail] = set()

    def add(self, tail: Tail) -> None:
        """One more."""
        self._tails.add(tail)

    def discard(self, tail: Tail) -> None:
        """One less."""
        self._tails.discard(tail)

    def wake(self) -> None:
        """Something was printed."""
        for tail in self._tails:
            tail.wake()

    def tell(self, notice: Notice) -> None:
        """Say something to all."""
        for tail in self._tails:
            tail.tell(notice)

    def close(self, text: str) -> None:
        """They must go, with nothing more than this."""
        for tail in tuple(self._tails):
            tail.close(text)

    def finish(self, text: str) -> None:
        """There is nothing to follow any more."""
        for tail in tuple(self._tails):
            tail.finish(text)


def _read(ring: Ring, offset: int) -> bytes:
    """All from an offset on; a ring gives it in pieces."""
    out = bytearray()
    while data := ring.read(offset + len(out), LARGEST):
        out += data
    return bytes(out)


def _cut(ring: Ring, offset: int) -> int:
    """The first good place to begin at from an offset on; the offset itself if there is none."""
    if offset == 0:
        return 0
    data = _read(ring, offset - 1 if offset > ring.start else offset)
    found = (match for pattern in _CUTS if (match := pattern.search(data)))
    match = next(found, None)
    return offset if match is None else ring.end - len(data) + match.start()
