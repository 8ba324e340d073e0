"""A guest that prints as fast as it is read: `python -m bench.flood_source PID`.

The UART that QEMU emulates gives 11 kB/s. This writes at any speed to the pty that the QEMU with this pid
has for its serial line, as QEMU itself would; whoever holds the console reads it there. It needs root, as a
debugger does.

It says "ready"; a line on the standard input with bytes per second sets the pace, 0 stops, and each line
is answered with the bytes that have been taken since the line before.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from pathlib import Path

from bench.flood_guest import boot_log

CHUNK = 4 * 1024
TICK = 0.002
"""Seconds between two bursts."""
_PIDFD_GETFD = 438
"""The system call's number; Python has no function for it."""


def pty_of(pid: int) -> int:
    """The master's side of the pty that a process has opened, as a descriptor of ours.

    Raises:
        OSError: the kernel does not allow it, or there is none.
    """
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if link.readlink().name == "ptmx":
            process = os.pidfd_open(pid)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                found = int(libc.syscall(_PIDFD_GETFD, process, int(link.name), 0))
            finally:
                os.close(process)
            if found < 0:
                raise OSError(ctypes.get_errno(), "the pty of a QEMU cannot be had; root is needed")
            return found
    raise FileNotFoundError(f"the process {pid} has no pty")


class Source:
    """Writes at a pace."""

    def __init__(self, pty: int) -> None:
        self._pty = pty
        self._rate = 0
        self._taken = 0
        self._data = boot_log(CHUNK, colour=True)

    def pace(self, rate: int) -> int:
        """Bytes per second from now on; how many have been taken since the last call."""
        taken, self._taken, self._rate = self._taken, 0, rate
        return taken

    async def run(self) -> None:
        """Write for ever."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            left = round(self._rate * TICK)
            # QEMU has made the descriptor one that does not wait: what is not read now is not owed later.
            with contextlib.suppress(BlockingIOError):
                while left > 0:
                    count = os.write(self._pty, self._data[: min(left, CHUNK)])
                    self._taken += count
                    left -= count
            due = max(due + TICK, clock() - 5 * TICK)
            await asyncio.sleep(max(0.0, due - clock()))


async def main(pid: int) -> None:
    """Write until standard input ends."""
    source = Source(pty_of(pid))
    task = asyncio.create_task(source.run())
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(source.pace(int(line)), flush=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
