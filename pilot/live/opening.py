"""Opening a console or a screen again and again: at once or after a while, and not at all where that mends
nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, TypeVarTuple, Unpack

from pilot.errors import (
    DeadlineError,
    IdentityError,
    NoSuchNodeError,
    PilotError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from pilot.link.backoff import Backoff, Unknown

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream

Mode = Literal["write", "watch", "take", "join"]
Open = Callable[[Mode, int, int], Awaitable["ConsoleStream"]]
"""Opens the console in a mode, for a terminal of so many columns and rows."""


class Closable(Protocol):
    """A console or a screen that is open."""

    def close(self) -> object:
        """Leave it."""


Stream = TypeVar("Stream", bound=Closable)
How = TypeVarTuple("How")

LONGEST_SECONDS = 5.0
"""Between two attempts."""
SETTLED_SECONDS = 5.0
"""A console that was open for so long was no failure: the next attempt does not wait for it."""

_FINAL = (RefusedError, UsageError, IdentityError)
"""What trying again does not mend."""
_PASSING = (UnreachableError, DeadlineError)
"""What may be mended by trying again even if it was never open."""


class Opening(Generic[Stream, *How]):
    """The attempts to open one stream."""

    def __init__(self, open: Callable[[Unpack[How]], Awaitable[Stream]], clock: Callable[[], float]) -> None:
        """`open` opens it in a way that is asked for each time; `clock`: seconds since the epoch."""
        self.ever = False
        """It has been open."""
        self._open = open
        self._clock = clock
        self._again = asyncio.Event()
        self._closed = False
        self._since = float("-inf")
        self._backoff = Backoff(longest=LONGEST_SECONDS)
        self._unknown = Unknown(clock)

    async def stream(
        self, how: Callable[[], tuple[*How]], failed: Callable[[PilotError], None]
    ) -> Stream | None:
        """Open it, however long it takes; None once `close` was called.

        `how` is asked before each attempt; `failed` is told why one came to nothing. The pauses go on growing
        from one call to the next as long as what is opened does not stay open.

        Raises:
            PilotError: waiting does not mend it.
        """
        self._unknown = Unknown(self._clock)
        at_once = self._clock() - self._since > SETTLED_SECONDS
        if at_once:
            self._backoff.reset()
        while at_once or await self.wait(self._backoff.seconds()):
            at_once = False
            try:
                stream = await self._open(*how())
            except PilotError as error:
                if self._is_final(error):
                    raise
                failed(error)
                continue
            if self._closed:
                # It was given up while it opened.
                stream.close()
                return None
            self.ever, self._since = True, self._clock()
            return stream
        return None

    def _is_final(self, error: PilotError) -> bool:
        if not self.ever:
            return not isinstance(error, _PASSING)
        if isinstance(error, NoSuchNodeError):
            return self._unknown.for_long
        return isinstance(error, _FINAL)

    async def wait(self, seconds: float | None) -> bool:
        """Wait so long, or for ever, unless it is to be tried at once; False if it is not to be tried."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()
        if not self._closed:
            self._again.clear()
        return not self._closed

    def was_wanted(self) -> None:
        """That it ended was no failure: the next attempt waits for nothing."""
        self._since = float("-inf")

    def retry(self) -> None:
        """Try now."""
        self._again.set()

    def close(self) -> None:
        """Try no more."""
        self._closed = True
        self._again.set()
