"""Waiting until a daemon says that it is ready, as systemd does."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from pathlib import Path

from pilot.errors import BackendError, DeadlineError


class Readiness:
    """A socket where a daemon says READY=1, as systemd gives one to its services (sd_notify(3))."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"

    def __enter__(self) -> Readiness:
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def wait(self, process: subprocess.Popen[bytes], seconds: float, log: Path) -> None:
        """Wait until it said so.

        Raises:
            BackendError: it ended; the message has its last words.
            DeadlineError: it did not within `seconds`.
        """
        pidfd = os.pidfd_open(process.pid)
        until = time.monotonic() + seconds
        try:
            while (left := until - time.monotonic()) > 0:
                ready, _, _ = select.select([self._socket.fileno(), pidfd], [], [], left)
                if self._socket.fileno() in ready and b"READY=1" in self._socket.recv(4096):
                    return
                if pidfd in ready:
                    break
        finally:
            os.close(pidfd)
        # The log goes with the demo: its end is shown whole.
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-12:]
        words = "\n  ".join(["", *last])
        if process.poll() is not None:
            raise BackendError(f"airboss ended with {process.returncode}; its last words:{words}")
        raise DeadlineError(f"airboss was not ready within {seconds:g} s; its last words:{words}")
