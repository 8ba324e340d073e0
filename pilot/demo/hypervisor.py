"""A pretended host: a libvirtd of its own, unprivileged, with all its files in one folder.

Several of them run side by side on one machine, each with its own sockets, configuration, domains and
QEMU processes, and none of them knows the machine's own libvirtd.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import libvirt

from pilot.demo import processes
from pilot.demo.account import cache_folder, unprivileged_account
from pilot.demo.processes import Process
from pilot.errors import BackendError, BusyError, ConfigError, DeadlineError

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path, without the final zero (unix(7))."""

LONGEST_SOCKET = "/c/libvirt/qemu/lib/domain-99-hosted-vm-0-0-000/monitor.sock"
"""The longest path below a host's folder that libvirt makes a socket at: it cuts a domain's name to 20."""

START_SECONDS = 20.0


class PrivateHost:
    """One private libvirtd: `with PrivateHost(folder, "vm-container-0-0") as host: open(host.uri)`.

    Calls block, each with a deadline; on an event loop use `asyncio.to_thread`. The folder must be
    short (see LONGEST_SOCKET) and every folder above it must let the unprivileged account pass.
    """

    def __init__(self, folder: Path, name: str, driver: str = "qemu:///session") -> None:
        """Nothing is started yet.

        Args:
            folder: made if it is missing; the host's alone.
            name: what the host is called in messages.
            driver: what is opened through its socket: QEMU, or `test:///…` with test domains.

        Raises:
            ConfigError: the folder's path is too long for the sockets in it.
        """
        longest = len(os.fsencode(str(folder))) + len(LONGEST_SOCKET)
        if not folder.is_absolute() or longest > SOCKET_PATH_LIMIT:
            raise ConfigError(
                f"the folder '{folder}' of host {name} is relative or too long for the sockets in it",
                f"Use an absolute path of {SOCKET_PATH_LIMIT - len(LONGEST_SOCKET)} bytes at most.",
            )
        self.folder = folder
        self.name = name
        self.account = unprivileged_account()
        self._driver = driver
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where the libvirtd listens."""
        return self.folder / "s" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """What libvirt's clients open."""
        scheme, _, path = self._driver.partition(":")
        return f"{scheme}+unix:{path}?{urlencode({'socket': str(self.socket)}, safe='/')}"

    @property
    def log(self) -> Path:
        """The libvirtd's own log."""
        return self.folder / "libvirtd.log"

    @property
    def process(self) -> Process | None:
        """The running libvirtd, whoever started it, or None."""
        return processes.from_pid_file(self.folder / "libvirtd.pid", f"{self.folder}/")

    @property
    def pid(self) -> int | None:
        """Pid of the running libvirtd, or None."""
        process = self.process
        return None if process is None else process.pid

    def qemu_processes(self) -> dict[str, Process]:
        """The running QEMU processes of this host, by domain name."""
        found = {}
        for path in (self.folder / "r" / "libvirt" / "qemu" / "run").glob("*.pid"):
            if process := processes.from_pid_file(path, f"{self.folder}/", f"guest={path.stem},"):
                found[path.stem] = process
        return found

    def qemu_pids(self) -> dict[str, int]:
        """Pids of the running QEMU processes of this host, by domain name."""
        return {name: process.pid for name, process in self.qemu_processes().items()}

    def start(self, deadline: float = START_SECONDS) -> str:
        """Start the libvirtd and wait until it answers; gives its URI.

        Domains and VMs of an earlier run in the same folder are taken over; `clear` removes them.

        Raises:
            BusyError: a libvirtd runs in this folder already.
            BackendError: it ended at once; the message has its last words.
            DeadlineError: it did not answer in time.
        """
        if (running := self.process) is not None:
            raise BusyError(f"a libvirtd (pid {running.pid}) runs in {self.folder} already")
        program = shutil.which("libvirtd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            raise BackendError("libvirtd is not installed", "On Debian: `apt-get install libvirt-daemon`.")
        self._write_configuration()
        self._restore_capabilities()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [program, "-f", str(self.folder / "libvirtd.conf"), "-p", str(self.folder / "libvirtd.pid")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._environment(),
                **self.account.switch,
                # A Ctrl+C at the demo's terminal is for the demo, which then stops the hosts in order.
                start_new_session=True,
            )
        self._await_answer(time.monotonic() + deadline)
        return self.uri

    def ask_capabilities(self) -> None:
        """Have libvirt find out what QEMU can do; blocks for 4 s, or not at all if it is known.

        Raises:
            BackendError: there is no QEMU, or libvirt cannot use it.
        """
        try:
            connection = libvirt.open(self.uri)
            try:
                connection.getDomainCapabilities(None, "x86_64", "pc", "qemu")
            finally:
                connection.close()
        except libvirt.libvirtError as error:
            raise BackendError(
                f"libvirt cannot use QEMU on host {self.name}: {error}",
                "On Debian: `apt-get install qemu-system-x86`.",
            ) from error

    def keep_capabilities(self) -> None:
        """Keep what libvirt found out about QEMU for later hosts: finding out takes it 4 s each time.

        libvirt itself checks that a kept file is still true of this QEMU, kernel and processor.
        """
        store = cache_folder() / "capabilities"
        for path in self._capabilities.glob("*.xml"):
            kept = store / path.name
            if not kept.exists() or kept.stat().st_mtime < path.stat().st_mtime:
                store.mkdir(parents=True, exist_ok=True)
                temporary = store / f"{path.name}.{os.getpid()}"
                shutil.copy2(path, temporary, follow_symlinks=False)
                temporary.rename(kept)

    def kill(self) -> None:
        """Kill the libvirtd alone (SIGKILL), as a fault would; its VMs run on."""
        if (process := self.process) is not None:
            processes.end([process])
        self._reap()

    def stop(self) -> None:
        """End the libvirtd and every VM of it; the folder stays."""
        found = [process for process in (self.process, *self.qemu_processes().values()) if process]
        processes.end(found)
        self._reap()
        # A QEMU process that libvirtd was just starting has a pid file only now.
        processes.end(self.qemu_processes().values())
        self.keep_capabilities()
        for path in (self.folder / "libvirtd.pid", *(self.folder / "s").glob("libvirt*sock")):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """End what is left of an earlier run in this folder, kill -9 included, and remove the folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> PrivateHost:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _capabilities(self) -> Path:
        return self.folder / "k" / "libvirt" / "qemu" / "cache" / "capabilities"

    def _restore_capabilities(self) -> None:
        store = cache_folder() / "capabilities"
        for kept in store.glob("*.xml"):
            self._own_folder(self._capabilities)
            path = self._capabilities / kept.name
            shutil.copy2(kept, path)
            self._own(path)

    def _own_folder(self, folder: Path) -> None:
        """Make a folder, and those above it within the host's folder, for the unprivileged account."""
        if folder != self.folder:
            self._own_folder(folder.parent)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own(folder)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.account.uid, self.account.gid)

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=5)
            self._child = None

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "c"),
            "XDG_CACHE_HOME": str(self.folder / "k"),
            "XDG_RUNTIME_DIR": str(self.folder / "r"),
            "XDG_DATA_HOME": str(self.folder / "d"),
        }

    def _write_configuration(self) -> None:
        """Folders of the unprivileged account, and the two files that libvirtd reads."""
        for part in ("c/libvirt", "k", "r", "d", "s"):
            self._own_folder(self.folder / part)
        (self.folder / "libvirtd.conf").write_text(
            f'unix_sock_dir = "{self.folder / "s"}"\n'
            'auth_unix_ro = "none"\n'
            'auth_unix_rw = "none"\n'
            'log_filters = "3:util.object"\n'
            "log_level = 3\n"
            'log_outputs = "3:stderr"\n',
            encoding="utf-8",
        )
        # No virtlogd stands behind a private libvirtd, and an unprivileged one can confine nothing.
        (self.folder / "c" / "libvirt" / "qemu.conf").write_text(
            'stdio_handler = "file"\nsecurity_driver = "none"\n', encoding="utf-8"
        )
        self._own(self.folder / "libvirtd.conf")
        self._own(self.folder / "c" / "libvirt" / "qemu.conf")

    def _await_answer(self, until: float) -> None:
        child = self._child
        assert child is not None
        # Polled: the socket is made by another process, and libvirtd has no way to tell us alone.
        wait = threading.Event()
        while time.monotonic() < until:
            if child.poll() is not None:
                self._child = None
                raise BackendError(
                    f"the libvirtd of host {self.name} ended with {child.returncode}: {self._last_words()}",
                    f"Its log is {self.log}.",
                )
            if self._listens() and self._answers(until - time.monotonic()):
                return
            wait.wait(0.01)
        processes.end([process for process in [processes.find(child.pid)] if process])
        self._reap()
        raise DeadlineError(
            f"the libvirtd of host {self.name} did not answer in time: {self._last_words()}",
            f"Its log is {self.log}.",
        )

    def _listens(self) -> bool:
        """Whether somebody accepts at the socket; libvirt's own open would complain on stderr if not."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self.socket))
            return True
        return False

    def _answers(self, seconds: float) -> bool:
        """Whether a libvirt client can open it; in a thread, since libvirt's open has no deadline."""
        opened = threading.Event()

        def attempt() -> None:
            with contextlib.suppress(libvirt.libvirtError):
                libvirt.open(self.uri).close()
                opened.set()

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(max(seconds, 0))
        return opened.is_set()

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1] if lines else "it said nothing"
        return "it said nothing"
