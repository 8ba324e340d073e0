"""A viewer of the user's own, and the screen that it is to show."""

from __future__ import annotations

import asyncio
import sys

import pytest

from pilot.errors import DeadlineError, PilotError, UsageError
from pilot.vnc.outside import Door, Viewer, show

_CONNECTS = (
    "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    "s.sendall(s.recv(100).upper()); s.recv(100)"
)


class Screen:
    """A stream that says something, and keeps what it is told."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.told = bytearray()
        self._said = [b"hello"]

    async def read(self) -> bytes:
        if self._said:
            return self._said.pop()
        await self.closed.wait()
        return b""

    def write(self, data: bytes) -> None:
        self.told += data
        self.closed.set()

    async def drain(self) -> None:
        return None

    def close(self) -> None:
        self.closed.set()


async def test_a_viewer_and_a_screen_hear_each_other() -> None:
    screen = Screen()
    with Door("unix") as door:
        async with asyncio.timeout(20):
            await show(Viewer((sys.executable, "-c", _CONNECTS), "unix"), door, screen)
    assert screen.told == b"HELLO"


@pytest.mark.parametrize(
    ("words", "seconds", "error"),
    [
        (("/nowhere/viewer",), 20.0, UsageError),
        ((sys.executable, "-c", "pass"), 20.0, UsageError),
        ((sys.executable, "-c", "import time; time.sleep(1)"), 0.1, DeadlineError),
    ],
)
async def test_a_viewer_that_does_not_come_leaves_no_screen_open(
    words: tuple[str, ...], seconds: float, error: type[PilotError]
) -> None:
    screen = Screen()
    with Door("unix") as door, pytest.raises(error):
        async with asyncio.timeout(20):
            await show(Viewer(words, "unix"), door, screen, seconds)
    assert screen.closed.is_set()
