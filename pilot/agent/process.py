"""What a process of airboss has to do with its machine: its state folder is its own, and systemd is told."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from pilot.errors import ConfigError


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder: two airbosses would fight over its consoles.

    Raises:
        ConfigError: another airboss holds it, or it cannot be had.
    """
    try:
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
        lock = (state / "airboss.lock").open("w")
    except OSError as error:
        raise ConfigError(f"{state}: {error.strerror}", "airboss's user must own its state folder.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"another airboss serves from {state}",
                "Stop it first, or give this one a [site] state of its own.",
            ) from None
        yield


def notify(state: str) -> None:
    """Tell systemd, if it started us (sd_notify's protocol: a datagram to the socket in NOTIFY_SOCKET)."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect("\0" + path[1:] if path.startswith("@") else path)
        notify.send(state.encode())
