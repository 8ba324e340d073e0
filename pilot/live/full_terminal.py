"""A console in the whole of the user's terminal, over the link that is there anyway."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from pilot.console.attach import Attached
from pilot.console.terminal import window_size
from pilot.errors import DeadlineError, UnreachableError
from pilot.link.backoff import Backoff
from pilot.live.opening import Mode, Open

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream


class LiveAgain:
    """Opens a console on whatever link there is, again and again."""

    def __init__(self, open: Open) -> None:
        self._open = open
        self._backoff = Backoff(longest=5.0)
        self.stream: ConsoleStream | None = None

    async def open(self, mode: Mode, cols: int, rows: int) -> ConsoleStream:
        """Open it now.

        Raises:
            PilotError: as for `LiveSite.console`.
        """
        self.stream = await self._open(mode, cols, rows)
        return self.stream

    async def reopen(self, mode: Mode, cols: int, rows: int) -> ConsoleStream:
        """Open it again, however long it takes.

        Raises:
            PilotError: what waiting does not mend.
        """
        while True:
            await asyncio.sleep(self._backoff.seconds())
            try:
                stream = await self.open(mode, cols, rows)
            except (UnreachableError, DeadlineError):
                continue
            self._backoff.reset()
            return stream


async def attach(open: Open, mode: Mode) -> int | None:
    """Stay at the console until `Ctrl+]`; the signal that ended it, if one did. The terminal is the caller's.

    Raises:
        PilotError: the console was refused, or there is no link.
    """
    keys, screen = sys.__stdin__, sys.__stdout__
    assert keys is not None
    assert screen is not None
    again = LiveAgain(open)
    stream = await again.open(mode, *window_size(screen.fileno()))
    try:
        return await Attached(again, keys.fileno(), screen.fileno()).run(stream)
    finally:
        if again.stream is not None:
            again.stream.close()
