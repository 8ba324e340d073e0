"""What real programs print: run under a pseudo terminal, typed at, and recorded."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence

LEAST = 20_000
"""Bytes that are recorded."""


def record(
    command: Sequence[str], keys: Sequence[bytes], term: str = "xterm-256color", deadline: float = 3.0
) -> bytes:
    """Run a program on 80x24, type each group of keys once it has been quiet (or after the deadline), end it.

    The recording is without what it prints at its end: the screen is as it was when it ran. One that is only
    slow to print is quiet as well: it is not ended before it has printed enough.
    """
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM=term, LC_ALL="C.UTF-8", LESSHISTFILE="-", COLUMNS="80", LINES="24")
        os.execvp(command[0], list(command))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    out = bytearray()
    try:
        _read(fd, out, deadline, 0.3)
        for group in keys:
            os.write(fd, group)
            _read(fd, out, deadline, 0.04)
        end = time.monotonic() + 30
        while len(out) <= LEAST and time.monotonic() < end:
            _read(fd, out, deadline, 0.3)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    return bytes(out)


def _read(fd: int, out: bytearray, deadline: float, quiet: float) -> None:
    """Until nothing has come for a while."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if not select.select([fd], [], [], quiet)[0]:
            return
        try:
            data = os.read(fd, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return
            raise
        out += data


def boot_log(lines: int) -> bytes:
    """Lines as a kernel and systemd print them on a serial line."""
    out = bytearray()
    for number in range(lines):
        out += b"[%12.6f] " % (number * 0.003)
        if number % 5 == 0:
            out += b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mservice-%d.service\x1b[0m.\r\n" % number
        else:
            out += b"virtio_net virtio%d: feature %d negotiated\r\n" % (number % 4, number)
    return bytes(out)
