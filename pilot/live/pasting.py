"""A text on its way to a guest, at a pace that a serial line and the program behind it take."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from pilot.console import paste
from pilot.console.engine import Modes

START, END = b"\x1b[200~", b"\x1b[201~"
"""The marks around a paste (mode 2004)."""


class Pasting:
    """What is being pasted, one text after the other. It can be given up at any time."""

    def __init__(
        self, send: Callable[[bytes], bool], drain: Callable[[], Awaitable[None]], changed: Callable[[], None]
    ) -> None:
        """Nothing is pasted yet.

        Args:
            send: types a piece; whether anybody took it.
            drain: waits while airboss does not read.
            changed: told of every piece.
        """
        self.sent = 0
        self.size = 0
        """Bytes that were typed, and in all; equal when there is nothing to do."""
        self._send = send
        self._drain = drain
        self._changed = changed
        self._pieces: deque[paste.Chunk] = deque()
        self._task: asyncio.Task[None] | None = None
        self._inside = False
        """The guest waits for the end mark."""

    @property
    def going(self) -> bool:
        """Whether there is something left to type."""
        return self._task is not None

    def begin(self, text: str, modes: Modes) -> None:
        """Type this behind what is being typed, in the form that the guest asked for."""
        self.begin_keys(paste.prepare(text, modes))

    def begin_keys(self, pieces: Sequence[paste.Chunk]) -> None:
        """Type these as they are, with their pauses, behind what is being typed."""
        self.size += sum(len(piece.data) for piece in pieces)
        self._pieces += pieces
        if self._task is None and self._pieces:
            self._task = asyncio.create_task(self._type(), name="console-paste")

    def cancel(self) -> bool:
        """Give up what is not typed yet; whether there was anything."""
        going = self._task is not None
        if self._task is not None:
            self._task.cancel()
            if self._inside:
                self._send(END)
            self._end()
        return going

    async def _type(self) -> None:
        while self._pieces:
            data, pause = self._pieces.popleft()
            if not self._send(data):
                break
            if data in (START, END):
                self._inside = data == START
            self.sent += len(data)
            self._changed()
            await self._drain()
            if pause:
                await asyncio.sleep(pause)
        self._end()

    def _end(self) -> None:
        self._task = None
        self._inside = False
        self._pieces.clear()
        self.sent = self.size = 0
        self._changed()
