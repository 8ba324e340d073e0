"""The user's own terminal while a console has it: raw in, never blocking out, put back in the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import termios
import tty
from types import TracebackType
from typing import Any

_FLUSH_SECONDS = 2.0


def _reopened(fd: int) -> int | None:
    """The same terminal or pipe, opened anew so that it can be non-blocking: the flag on the descriptor that
    the shell gave us would be the shell's, too."""
    try:
        if os.isatty(fd):
            path = os.ttyname(fd)
        elif stat.S_ISFIFO(os.fstat(fd).st_mode):
            path = f"/proc/self/fd/{fd}"
        else:
            return None
        return os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


class Out:
    """Writes to a terminal, pipe or file without ever holding up the event loop."""

    def __init__(self, fd: int) -> None:
        self._own = _reopened(fd)
        self._fd = fd if self._own is None else self._own
        self.broken = False
        """Whether nobody reads there any more."""

    async def write(self, data: bytes) -> None:
        """Write all of it; waits while there is no room."""
        view = memoryview(data)
        while view and not self.broken:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._writable()
            except OSError:
                self.broken = True

    async def finish(self, data: bytes) -> None:
        """Write the last of it; does not wait longer than a moment for a terminal that is stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.write(data)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._own is not None:
            os.close(self._own)
            self._own = None
            self.broken = True

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._fd)


class RawMode:
    """A context in which every key comes through as it is typed. Restores the terminal however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[Any] | None = None

    def __enter__(self) -> RawMode:
        self._saved = termios.tcgetattr(self._fd)
        self.again()
        return self

    def again(self) -> None:
        """Raw mode once more, after somebody else had the terminal."""
        tty.setraw(self._fd, termios.TCSANOW)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saved is not None:
            with contextlib.suppress(termios.error):
                # What was typed but not read yet is dropped: it was meant for the guest, or is the terminal's
                # answer to the guest, and must not become a command of the user's shell.
                termios.tcflush(self._fd, termios.TCIFLUSH)
                termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)


def window_size(fd: int) -> tuple[int, int]:
    """Columns and rows of the terminal; 80 by 24 if it does not say."""
    try:
        cols, rows = os.get_terminal_size(fd)
    except OSError:
        return 80, 24
    return (cols or 80), (rows or 24)
