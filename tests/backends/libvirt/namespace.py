"""A private host whose libvirtd and QEMUs are in a network namespace of their own, with real Linux bridges.

Needs root: the namespace, its bridges and taps are made by a thread that lives in it.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import subprocess

from pilot.demo.hypervisor import PrivateHost

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A thread in a network namespace. sysfs is mounted anew there: udev reads devices from it."""

    def __init__(self) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        try:
            self._thread.submit(self._enter).result(20)
        except BaseException:
            self.close()
            raise

    def _enter(self) -> None:
        if _libc.unshare(CLONE_NEWNET | CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), "unshare")
        self._run("mount --make-rprivate /")
        self._run("mount -t sysfs sysfs /sys")

    def run(self, *commands: str) -> None:
        """Run commands there, such as `ip link add br0 type bridge`."""
        for command in commands:
            self._thread.submit(self._run, command).result(20)

    def start(self, host: PrivateHost) -> None:
        """Start a host there."""
        self._thread.submit(host.start).result(30)

    def close(self) -> None:
        """End it; it goes once nothing is in it any more."""
        self._thread.shutdown()

    @staticmethod
    def _run(command: str) -> None:
        done = subprocess.run(command.split(), capture_output=True, timeout=10, check=False)
        assert done.returncode == 0, (command, done.stderr)


def possible() -> str:
    """Why it cannot be had here; empty if it can."""
    return "" if os.geteuid() == 0 else "a network namespace with bridges needs root"
