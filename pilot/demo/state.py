"""The folder of one running demo: held by one process at a time, and cleared of what an earlier one left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from pathlib import Path

import msgspec

from pilot.demo import condor, processes
from pilot.demo.hypervisor import PrivateHost
from pilot.demo.processes import Process
from pilot.errors import BusyError, ConfigError

HOST_PREFIX = "h"
"""The folders of private hosts are h0, h1, and so on."""


class StateFolder:
    """A demo's state. `claim` takes it and clears it, `release` leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched yet."""
        self.path = path
        self._lock = -1

    def claim(self) -> list[str]:
        """Hold the folder, and end and remove what an earlier demo left there, one killed with -9 too.

        Gives, in words, what was cleared.

        Raises:
            BusyError: a demo runs there.
            ConfigError: the folder is somebody else's.
        """
        while True:
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            status = self.path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                raise ConfigError(
                    f"{self.path} belongs to somebody else", "Give another one with --state FOLDER."
                )
            self.path.chmod(0o711)
            try:
                lock = self._take_lock()
            except FileNotFoundError:
                continue  # its last holder removed the folder just now
            break
        self._lock = lock
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return self._clear()

    def _take_lock(self) -> int:
        """Lock the lock file, which the kernel lets go with its process, however that ends.

        Raises:
            BusyError: somebody holds it.
            FileNotFoundError: it was removed while we waited our turn.
        """
        path = self.path / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(lock), path.stat()):
                raise FileNotFoundError(path)
        except BaseException as error:
            pid = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise BusyError(
                    f"a demo runs already (pid {pid}, in {self.path})",
                    "Use that one, or end it first; --state FOLDER builds a second one elsewhere.",
                ) from None
            raise
        return lock

    @property
    def claimed(self) -> bool:
        """Whether it is ours now."""
        return self._lock >= 0

    def release(self) -> None:
        """End all processes of the demo, remove its files, and let the folder go; nothing if not claimed."""
        if self._lock < 0:
            return
        self._clear()
        with contextlib.suppress(OSError):
            (self.path / "lock").unlink()
            self.path.rmdir()
        os.close(self._lock)
        self._lock = -1

    def record(self, name: str, pid: int) -> None:
        """Write down a process, so that whoever clears the folder ends it."""
        process = processes.find(pid)
        if process is not None:
            (self.path / f"{name}.process").write_bytes(msgspec.json.encode(process))

    def _clear(self) -> list[str]:
        words = []
        recorded = []
        for path in self.path.glob("*.process"):
            with contextlib.suppress(msgspec.MsgspecError):
                process = msgspec.json.decode(path.read_bytes(), type=Process)
                if process.alive:
                    recorded.append(process)
                    words.append(path.stem)
        processes.end(recorded, grace=3)
        words += ["a part of HTCondor" for _ in condor.end_all(self.path / condor.FOLDER)][:1]
        for folder in sorted(self.path.glob(f"{HOST_PREFIX}[0-9]*")):
            host = PrivateHost(folder, folder.name)
            if host.pid is not None:
                words.append("a libvirtd")
            words += [f"VM {name}" for name in sorted(host.qemu_pids())]
            host.clear()
        for path in self.path.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return words
