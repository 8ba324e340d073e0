"""One who is attached to a console: what they are sent, at their own pace.

A viewer holds a place in the ring and no bytes: one that stops reading costs nothing and delays nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

import msgspec

from pilot.agent.consoles.modes import RESET
from pilot.agent.consoles.ring import Ring
from pilot.wire import MAX_CONSOLE_CHUNK, Attached, Notice, Output, Presence

if TYPE_CHECKING:
    from pilot.agent.consoles.company import Company
    from pilot.agent.consoles.keyboard import Keyboard

Mode = Literal["write", "watch", "take", "join"]
Frame: TypeAlias = Output | Notice | Presence

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
    company: Company
    keyboard: Keyboard

    def typed(self, viewer: Viewer, data: bytes) -> str:
        """Type for a viewer; why that has no effect, or nothing."""

    async def room(self) -> None:
        """Wait while the guest has much to take of what was typed."""

    def chunk(self, offset: int, limit: int) -> Output:
        """What was printed from an offset on."""


class Viewer:
    """A principal attached to a console. Made by ConsoleHub.attach.

    Read with `next_frames` or `async for`; only one task may read.
    """

    def __init__(
        self, desk: Desk, principal: str, asks: bool, may_write: bool, back: int | None = None
    ) -> None:
        """Begin at the oldest byte that is kept.

        Args:
            desk: the console.
            principal: who it is.
            asks: wants the keyboard when it is free.
            may_write: may have the keyboard at all.
            back: begin about so many bytes before the newest instead.
        """
        self.id = 0
        """Tells it from all others at this console; given by its company, with `since`."""
        self.principal = principal
        self.since = 0.0
        """Seconds since the epoch when it was attached."""
        self.typed = 0.0
        """Seconds since the epoch when it typed last; 0 if it never did."""
        self.acted = asyncio.get_running_loop().time()
        """Loop time when it last did anything, typing in vain included; at first, when it was attached."""
        self.asks = asks and may_write
        self.may_write = may_write
        self.writing = False
        self.attached = Attached("", "", False, 0)
        self._desk = desk
        self._offset, self._prelude = desk.ring.entry(back)
        self.start = self._offset
        """Where the replay begins in the ring."""
        self._replay_end = desk.ring.end
        self.replay = len(self._prelude) + self._replay_end - self._offset
        """Bytes printed before it was attached that are sent to it."""
        self._notices: deque[tuple[int, Notice]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._when_closed: Callable[[], None] | None = None
        self._ended_at: int | None = None
        """The offset at which the stream ends; None while it goes on."""
        self._behind_since: float | None = None
        self._reminded = float("-inf")
        self._people_due = True
        """It is to be told who is here. What it is told is made when it reads: the newest only."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def next_frames(self) -> list[Frame]:
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

    async def __aiter__(self) -> AsyncIterator[Frame]:
        while frames := await self.next_frames():
            for frame in frames:
                yield frame

    async def write(self, data: bytes) -> None:
        """Type; waits while the guest is far behind.

        Has no effect, and says so now and then, unless this viewer has the keyboard.
        """
        if self._acts() and not self._refused(self._desk.typed(self, data)):
            await self._desk.room()

    def take(self) -> None:
        """Take the keyboard from all who type."""
        if self._acts() and (refusal := self._desk.keyboard.take(self)):
            self.tell(Notice("writer", refusal))

    def join(self) -> None:
        """Type too, beside those who do."""
        if self._acts() and (refusal := self._desk.keyboard.join(self)):
            self.tell(Notice("writer", refusal))

    def release(self, to: int = 0) -> None:
        """Give the keyboard back, or to the one with this id, and watch on."""
        if self._acts() and (refusal := self._desk.keyboard.release(self, to)):
            self.tell(Notice("writer", refusal))

    def say(self, text: str) -> None:
        """Say a line to all who are attached; the guest does not see it."""
        if self._acts():
            self._refused(self._desk.company.say(self, text))

    def close(self, text: str = "", what: Literal["closed", "limit"] = "closed") -> None:
        """Leave at once: what was not read is dropped. A text is told to the reader as the last word."""
        if self._ended_at is not None:
            return
        self._notices.clear()
        self._prelude = b""
        self._offset = self._ended_at = self._desk.ring.end
        if text:
            self._last_word(text, what)
        self._desk.keyboard.leave(self)
        self.writing = False
        self.wake()
        if self._when_closed is not None:
            self._when_closed()

    def when_closed(self, call: Callable[[], None] | None) -> None:
        """Have this called once it is closed, when its reader has only the last word to read."""
        self._when_closed = call
        if call is not None and self._ended_at is not None:
            call()

    def finish(self, text: str) -> None:
        """End the stream from the console's side, once all that is there has been read."""
        if self._ended_at is None:
            self._ended_at = self._desk.ring.end
            self._last_word(text, "closed")
            self.writing = False

    def demote(self, text: str) -> None:
        """This viewer may only watch from now on."""
        if self.may_write and self._ended_at is None:
            self._desk.keyboard.demote(self, text)

    def promote(self, text: str) -> None:
        """This viewer may type from now on."""
        if not self.may_write and self._ended_at is None:
            self._desk.keyboard.promote(self, text)

    def people(self) -> Presence:
        """Who is here now; nobody once it has left: others may own the console since."""
        if self._ended_at is not None:
            return Presence((), self.id, 0.0)
        return self._desk.company.presence(self)

    def people_changed(self) -> None:
        """It is to be told who is here."""
        self._people_due = True
        self.wake()

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

    def _acts(self) -> bool:
        """Whether it may still do something; if so it does now."""
        if self._ended_at is not None:
            return False
        self.acted = asyncio.get_running_loop().time()
        return True

    def _refused(self, refusal: str) -> bool:
        """Whether something was refused, which is said now and then."""
        now = asyncio.get_running_loop().time()
        if refusal and now - self._reminded >= REMINDER:
            self._reminded = now
            self.tell(Notice("writer", refusal))
        return bool(refusal)

    def _last_word(self, text: str, what: Literal["closed", "limit"]) -> None:
        self.tell(Notice(what, text, writing=False if self.writing else None, final=True))

    def _collect(self) -> list[Frame]:
        ring, frames = self._desk.ring, list[Frame]()
        if self._people_due and self._ended_at is None:
            self._people_due = False
            frames.append(self.people())
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

    def _due(self, frames: list[Frame]) -> None:
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

    def _skip(self, ring: Ring, frames: list[Frame]) -> None:
        """Go on near the newest bytes, on a screen that is set up anew since it cannot be right."""
        entry = ring.entry(RESUME)
        skipped = entry.offset - self._offset
        self._offset = entry.offset
        self._due(frames)
        frames.append(Notice("skipped", f"{skipped:,} bytes skipped: this viewer reads too slowly"))
        self._prelude = RESET + (entry.prelude or b"\x1b[H\x1b[2J")
        self._behind_since = None
