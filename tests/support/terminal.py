"""A program in a real terminal: a pty, its settings, and all that was written to it."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from fcntl import ioctl

from tests.support.waiting import until

Settings = list[object]

_MARK = b"<all that was written until now>"


class Terminal:
    """The master's side of a pty, in which a program runs."""

    def __init__(self, master: int, slave: int, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written = bytearray()
        """All that the program wrote."""
        self._master = master
        self._slave = slave
        asyncio.get_running_loop().add_reader(master, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.written += data
        else:
            asyncio.get_running_loop().remove_reader(self._master)

    def settings(self) -> Settings:
        """The line settings, as the program left them."""
        return list(termios.tcgetattr(self._slave))

    def type(self, data: bytes) -> None:
        """Press keys."""
        os.write(self._master, data)

    async def shows(self, text: bytes, deadline: float = 30.0) -> None:
        """Await that something was written."""
        await until(lambda: text in self.written, deadline, f"{text!r} in {bytes(self.written[-3000:])!r}")

    async def ends(self, deadline: float = 30.0) -> int:
        """Await the program's end; its exit code."""
        async with asyncio.timeout(deadline):
            code = await self.process.wait()
        if self._master >= 0:
            await self.drained()
        return code

    async def drained(self) -> None:
        """Await all that was written until now: the kernel may give it later than news of the program."""
        await asyncio.to_thread(os.write, self._slave, _MARK)
        await until(lambda: _MARK in self.written, 30, "what was written last")
        at = self.written.index(_MARK)
        del self.written[at : at + len(_MARK)]

    def hang_up(self) -> None:
        """Close the terminal, as a connection that is lost does."""
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._master = -1


@asynccontextmanager
async def terminal(
    words: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (100, 30)
) -> AsyncIterator[Terminal]:
    """Run `python WORDS` in a terminal of its own; killed at the end if it still runs."""
    master, slave = os.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    os.set_blocking(master, False)
    # The child's own: with it the pty is its controlling terminal, and a hang-up reaches it.
    begin = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", begin, sys.executable, *words),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env=dict(environment),
    )
    opened = Terminal(master, slave, process)
    try:
        yield opened
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        opened.hang_up()


CLI = ("-c", "import sys; from pilot.cli import main; sys.exit(main())")
"""`pilot` as words for python."""
