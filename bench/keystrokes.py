"""Typing one key after the other and timing its echo: in a terminal program on a pty, and over a Link."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bench.workshop import CLUSTER, ROOT
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.wire import Output

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
LINE = 40
"""Keys before a new line: a terminal's line discipline takes no endless ones."""
PACE = 0.01
"""Seconds between an echo and the next key: nobody types into a machine that is still warm from the last."""
KEY_SECONDS = 5.0
READY_SECONDS = 20.0


class Pty:
    """A program on a terminal of its own."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], rows: int = 24, columns: int = 80
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            self._process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=ROOT,
                env={**environment, "TERM": "xterm"},
                start_new_session=True,
            )
        finally:
            os.close(slave)
        self.seen = bytearray()
        self.last = b""
        """The end of what the program has said."""

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def type(self, data: bytes) -> None:
        """Send keys."""
        os.write(self._master, data)

    def await_text(self, text: bytes, seconds: float) -> bool:
        """Read until a text has come, which with all before it is forgotten; False if it does not."""
        until = time.perf_counter() + seconds
        while (at := self.seen.find(text)) < 0:
            left = until - time.perf_counter()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                return False
            if not self._read():
                return False
        del self.seen[: at + len(text)]
        return True

    def settle(self, quiet: float) -> None:
        """Read until nothing has come for a while, and forget it."""
        while select.select([self._master], [], [], quiet)[0]:
            if not self._read():
                return

    def listen(self, seconds: float) -> None:
        """Take what is drawn for so long, and forget it: an app with a clock is never quiet for a second."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0] and not self._read():
                return
            self.seen.clear()

    def processor_seconds(self) -> float:
        """Processor time of the program so far, its children left out (proc(5))."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the program has ended
            return False
        self.seen += data
        self.last = (self.last + data)[-1000:]
        return True

    def end(self, keys: bytes) -> None:
        """Leave as a person does; by force if that does not help."""
        with contextlib.suppress(OSError):
            self.type(keys)
        # A program whose last words nobody takes cannot end.
        until = time.perf_counter() + 2.0
        while select.select([self._master], [], [], max(0.0, until - time.perf_counter()))[0]:
            if not self._read():
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(5.0)
        os.close(self._master)


@contextmanager
def on_a_pty(command: Sequence[str], environment: Mapping[str, str], leave: bytes) -> Iterator[Pty]:
    """A program on a terminal that shows what is typed, left with these keys at the end.

    Raises:
        RuntimeError: nothing typed has been shown in time; with what the program said.
    """
    terminal = Pty(command, environment)
    try:
        until = time.perf_counter() + READY_SECONDS
        while True:
            terminal.settle(0.3)  # what was on the screen before comes first
            terminal.seen.clear()
            terminal.type(b"#")
            if terminal.await_text(b"#", 1.0):
                break
            if time.perf_counter() > until:
                raise RuntimeError(f"{command[0]} shows nothing of what is typed: {terminal.last!r}")
        terminal.settle(0.3)
        terminal.seen.clear()
        yield terminal
    finally:
        terminal.end(leave)


def time_keys(terminal: Pty, count: int, pause: float = PACE) -> list[float]:
    """Type so many keys; the milliseconds until each was shown."""
    times = []
    for number, key in enumerate(_keys(count), 1):
        begin = time.perf_counter()
        terminal.type(key)
        assert terminal.await_text(key, KEY_SECONDS), f"no echo of {key!r}: {terminal.last!r}"
        times.append((time.perf_counter() - begin) * 1000)
        time.sleep(pause)
        if number % LINE == 0:
            terminal.type(b"\r")
            assert terminal.await_text(b"\n", KEY_SECONDS)
    return times


def _keys(count: int) -> Iterator[bytes]:
    return (bytes([letter]) for letter in itertools.islice(itertools.cycle(LETTERS), count))


class Typist:
    """The same over a link, on the event loop."""

    def __init__(self, stream: ConsoleStream) -> None:
        self._stream = stream
        self._seen = bytearray()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self._stream:
            if isinstance(frame, Output):
                self._seen += frame.data
                self._news.set()

    async def ready(self) -> None:
        """Wait until what is typed is shown.

        Raises:
            TimeoutError: it never was.
        """
        async with asyncio.timeout(READY_SECONDS):
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        while True:
                            await self._more()
                self._seen.clear()
                self._stream.type(b"#")
                with contextlib.suppress(TimeoutError):
                    await self._await_text(b"#", 1.0)
                    return

    async def time_keys(self, count: int, pause: float = PACE) -> list[float]:
        """Type so many keys; the milliseconds until each had come back."""
        times = []
        for number, key in enumerate(_keys(count), 1):
            begin = time.perf_counter()
            self._stream.type(key)
            await self._await_text(key, KEY_SECONDS)
            times.append((time.perf_counter() - begin) * 1000)
            await asyncio.sleep(pause)
            if number % LINE == 0:
                self._stream.type(b"\r")
                await self._await_text(b"\n", KEY_SECONDS)
        return times

    async def close(self) -> None:
        """Leave."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._stream.close()

    async def _await_text(self, text: bytes, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while (at := self._seen.find(text)) < 0:
                await self._more()
        del self._seen[: at + len(text)]

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def over_a_link(link: Link, node: str) -> AsyncIterator[Typist]:
    """A typist at a node's console, once what is typed is shown."""
    typist = Typist(await link.console(node, CLUSTER))
    try:
        await typist.ready()
        yield typist
    finally:
        await typist.close()
