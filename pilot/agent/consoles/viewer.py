"""One who is attached to a console: what they are sent, at their own pace.

A viewer holds a place in the ring and no bytes: one that stops reading costs nothing and delays nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec

from pilot.agent.consoles.modes import RESET
from pilot.agent.consoles.ring import Ring
from pilot.wire import MAX_CONSOLE_CHUNK, Attached, Notice, Output

Mode = Literal["write", "watch", "take"]

LIVE_BACKLOG = 256 * 1024
"""Bytes that a viewer may be behind for longer than PATIENCE."""
PATIENCE = 2.0
"""Seconds."""
RESUME = 64 * 1024
"""Bytes before the newest at which a viewer that was too slow goes on."""
MAX_NOTICES = 64
REMINDER = 5.0
"""Seconds between two notices that typing has no effect."""


class Desk(Protocol):
    """What a viewer needs of its console."""

    ring: Ring

    def typed(self, viewer: Viewer, data: bytes) -> str:
        """Type for a viewer; why that has no effect, or nothing."""

    async def room(self) -> None:
        """Wait while the guest has much to take of what was typed."""

    def take(self, viewer: Viewer) -> str:
        """Give a viewer the keyboard; why not, or nothing."""

    def left(self, viewer: Viewer) -> None:
        """A viewer is gone."""

    def demoted(self, viewer: Viewer, text: str) -> None:
        """A viewer must not type any more."""

    def chunk(self, offset: int, limit: int) -> Output:
        """What was printed from an offset on."""


class Viewer:
    """A principal attached to a console. Made by ConsoleHub.attach.

    Read with `next_frames` or `async for`; only one task may read.
    """

    def __init__(self, desk: Desk, principal: str, asks: bool, may_write: bool) -> None:
        """Begin at the oldest byte that is kept.

        Args:
            desk: the console.
            principal: who it is.
            asks: wants the keyboard when it is free.
            may_write: may have the keyboard at all.
        """
        self.principal = principal
        self.asks = asks and may_write
        self.may_write = may_write
        self.writing = False
        self.attached = Attached("", "", False, 0)
        self._desk = desk
        self._offset, self._prelude = desk.ring.entry()
        self._replay_end = desk.ring.end
        self.replay = len(self._prelude) + self._replay_end - self._offset
        """Bytes printed before it was attached that are sent to it."""
        self._notices: deque[tuple[int, Notice]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended_at: int | None = None
        """The offset at which the stream ends; None while it goes on."""
        self._behind_since: float | None = None
        self._reminded = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def next_frames(self) -> list[Output | Notice]:
        """What comes next, MAX_CONSOLE_CHUNK bytes of output at most. Empty once all is over.

        Waits until there is something; nothing is lost if the wait is cancelled.
        """
        while True:
            frames = self._collect()
            if frames or self._ended_at is not None:
                return frames
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def __aiter__(self) -> AsyncIterator[Output | Notice]:
        while frames := await self.next_frames():
            for frame in frames:
                yield frame

    async def write(self, data: bytes) -> None:
        """Type; waits while the guest is far behind.

        Has no effect, and says so now and then, unless this viewer has the keyboard.
        """
        if self._ended_at is not None:
            return
        if not (refusal := self._desk.typed(self, data)):
            await self._desk.room()
            return
        now = asyncio.get_running_loop().time()
        if now - self._reminded >= REMINDER:
            self._reminded = now
            self.tell(Notice("writer", refusal))

    async def take(self) -> None:
        """Take the keyboard from who has it."""
        if self._ended_at is None and (refusal := self._desk.take(self)):
            self.tell(Notice("writer", refusal))

    def close(self, text: str = "") -> None:
        """Leave at once: what was not read is dropped. A text is told to the reader as the last word."""
        if self._ended_at is not None:
            return
        self._notices.clear()
        self._prelude = b""
        self._offset = self._ended_at = self._desk.ring.end
        if text:
            self._last_word(text)
        self._desk.left(self)
        self.wake()

    def finish(self, text: str) -> None:
        """End the stream from the console's side, once all that is there has been read."""
        if self._ended_at is None:
            self._ended_at = self._desk.ring.end
            self._last_word(text)

    def demote(self, text: str) -> None:
        """This viewer may only watch from now on."""
        self.may_write = self.asks = False
        self._desk.demoted(self, text)

    def tell(self, notice: Notice) -> None:
        """Queue a notice behind what was printed up to now; drops the oldest if they are not read."""
        if len(self._notices) >= MAX_NOTICES:
            dropped = self._notices.popleft()[1]
            offset, oldest = self._notices[0]
            if dropped.writing is not None and oldest.writing is None:
                self._notices[0] = offset, msgspec.structs.replace(oldest, writing=dropped.writing)
        self._notices.append((self._desk.ring.end, notice))
        self.wake()

    def wake(self) -> None:
        """There is something to read."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _last_word(self, text: str) -> None:
        was_writing, self.writing = self.writing, False
        self.tell(Notice("closed", text, writing=False if was_writing else None, final=True))

    def _collect(self) -> list[Output | Notice]:
        ring, frames = self._desk.ring, list[Output | Notice]()
        if self._too_slow(ring):
            self._skip(ring, frames)
        self._due(frames)
        if self._prelude:
            frames.append(Output(self._prelude))
            self._prelude = b""
        end = ring.end if self._ended_at is None else self._ended_at
        until = self._notices[0][0] if self._notices else end
        if until > self._offset:
            chunk = self._desk.chunk(self._offset, min(MAX_CONSOLE_CHUNK, until - self._offset))
            self._offset += len(chunk.data)
            frames.append(chunk)
            self._due(frames)
        if self._offset == end:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = asyncio.get_running_loop().time()
        return frames

    def _due(self, frames: list[Output | Notice]) -> None:
        while self._notices and self._notices[0][0] <= self._offset:
            frames.append(self._notices.popleft()[1])

    def _too_slow(self, ring: Ring) -> bool:
        if self._ended_at is not None and self._offset >= self._ended_at:
            return False
        if self._offset < ring.start:
            return True
        if self._offset < self._replay_end or ring.end - self._offset <= LIVE_BACKLOG:
            return False
        since = self._behind_since
        return since is not None and asyncio.get_running_loop().time() - since > PATIENCE

    def _skip(self, ring: Ring, frames: list[Output | Notice]) -> None:
        """Go on near the newest bytes, on a screen that is set up anew since it cannot be right."""
        entry = ring.entry(RESUME)
        skipped = entry.offset - self._offset
        self._offset = entry.offset
        self._due(frames)
        frames.append(Notice("skipped", f"{skipped:,} bytes skipped: this viewer reads too slowly"))
        self._prelude = RESET + (entry.prelude or b"\x1b[H\x1b[2J")
        self._behind_since = None
