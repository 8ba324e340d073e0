"""Processes named so that the wrong one is never hit: by pid and start time, signalled through a pidfd.

A pid alone names another process once the first has ended and the number went round. The start time
(field 22 of /proc/PID/stat, proc(5)) tells them apart, and a pidfd (pidfd_open(2)) stays with the
process it was opened for between the look and the signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pilot.errors import DeadlineError


class Process(msgspec.Struct, frozen=True):
    """A process of this machine, for as long as it lives."""

    pid: int
    started: int
    """Clock ticks between the machine's boot and the start of the process."""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; one that only waits to be reaped does not."""
        return find(self.pid) == self


def find(pid: int) -> Process | None:
    """The process that has this pid now, or None if there is none that runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command's name is in brackets and may hold anything, brackets too: cut behind the last one.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZXx" else Process(pid, int(fields[19]))


def from_pid_file(path: Path, *mentions: str) -> Process | None:
    """The running process whose pid a file holds, if its command line mentions all texts given.

    The texts (such as a folder that only our own processes are started with) guard against a pid file
    that outlived its process.
    """
    try:
        pid = int(path.read_text(encoding="ascii").strip())
        process = find(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    if process is None or any(text.encode() not in command for text in mentions):
        return None
    return process


def inside(folder: Path) -> list[Process]:
    """The processes, but for this one, that have a path below a folder in the environment they began with."""
    mark, found = f"{folder}/".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes() and int(path.name) != os.getpid():
                found.append(find(int(path.name)))
    return [process for process in found if process is not None]


def end(processes: Iterable[Process], grace: float = 0.0, deadline: float = 5.0) -> None:
    """End processes: SIGTERM and `grace` seconds to obey (none: at once SIGKILL), then SIGKILL.

    Raises:
        DeadlineError: one is still there `deadline` seconds after the SIGKILL.
    """
    with contextlib.ExitStack() as stack:
        open_fds: dict[int, int] = {}
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                fd = os.pidfd_open(process.pid)
                stack.callback(os.close, fd)
                if process.alive:
                    open_fds[fd] = process.pid
        if grace > 0:
            _signal(open_fds, signal.SIGTERM)
            _wait(open_fds, grace)
        _signal(open_fds, signal.SIGKILL)
        _wait(open_fds, deadline)
        if open_fds:
            pids = ", ".join(str(pid) for pid in open_fds.values())
            raise DeadlineError(
                f"process {pids} did not end {deadline:g} s after SIGKILL",
                "It hangs in the kernel: see its state with `ps -o pid,stat,wchan`.",
            )


def _signal(fds: Iterable[int], number: signal.Signals) -> None:
    for fd in fds:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, number)


def _wait(fds: dict[int, int], seconds: float) -> None:
    """Wait until all have ended, for `seconds` at most; those that ended leave the dict."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    until = time.monotonic() + seconds
    while fds and (left := until - time.monotonic()) > 0:
        for fd, _ in poller.poll(left * 1000):
            poller.unregister(fd)
            del fds[fd]
