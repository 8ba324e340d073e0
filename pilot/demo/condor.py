"""The demo's real HTCondor, where it is installed: a small pool on loopback, its machines called as nodes.

Each machine is a condor_master with a startd of its own; all run as the demo's account and have a folder in
their environment by which they are found, and ended, whoever ended the demo.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from pilot.demo import processes
from pilot.demo.account import unprivileged_account
from pilot.errors import BackendError, DeadlineError

POOL = "vc1"
FOLDER = "condor"
"""Below the demo's own."""
DOMAIN = "vc1.local"
READY_SECONDS = 25.0
_COMMAND_SECONDS = 20.0
_ROUNDS = 20
JOBS = tuple(60 + 45 * number for number in range(12))
"""Seconds that each of the jobs sleeps."""

_DEBIAN = {"release_dir": "/usr", "lib": "/usr/lib/condor", "libexec": "/usr/libexec/condor"}

_COMMON = """
RELEASE_DIR = {release_dir}
LIB = {lib}
LIBEXEC = {libexec}
LOCAL_DIR = {place}
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/lock
RUN = $(LOCAL_DIR)/run
DAEMON_SOCKET_DIR = $(LOCAL_DIR)/s
MAX_DEFAULT_LOG = 1 Mb
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
NETWORK_INTERFACE = {address}
NETWORK_HOSTNAME = {name}
BIND_ALL_INTERFACES = False
NO_DNS = True
DEFAULT_DOMAIN_NAME = {domain}
TRUST_DOMAIN = {domain}
UID_DOMAIN = {domain}
use security:recommended_v9_0
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_READ_AUTHENTICATION = REQUIRED
SEC_PASSWORD_DIRECTORY = {keys}
SEC_TOKEN_POOL_SIGNING_KEY_FILE = {keys}/POOL
SEC_TOKEN_SYSTEM_DIRECTORY = {keys}/none
SEC_TOKEN_DIRECTORY = {keys}/none
ALLOW_READ = *@{domain}, condor@password
ALLOW_WRITE = {user}@{domain}, condor@password
ALLOW_DAEMON = {user}@{domain}, condor@password
ALLOW_NEGOTIATOR = {user}@{domain}, condor@password
ALLOW_ADMINISTRATOR = {user}@{domain}, condor@password, airboss-admin@{domain}
SEC_USE_FAMILY_SESSION = False
UPDATE_INTERVAL = 5
MASTER_UPDATE_INTERVAL = 10
"""
_MANAGER = """
USE_SHARED_PORT = True
SHARED_PORT_ARGS = -p {port}
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD
NEGOTIATOR_INTERVAL = 5
NEGOTIATOR_CYCLE_DELAY = 2
NEGOTIATOR_MIN_INTERVAL = 2
SCHEDD_INTERVAL = 5
SCHEDD_MIN_INTERVAL = 2
"""
_MACHINE = """
USE_SHARED_PORT = False
DAEMON_LIST = MASTER, STARTD
NUM_CPUS = 2
MEMORY = 2048
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
SUSPEND = False
PREEMPT = False
KILL = False
WANT_SUSPEND = False
STARTD_NOCLAIM_SHUTDOWN = 0
MAXJOBRETIREMENTTIME = 3600
RUNBENCHMARKS = False
"""
_INSTANCE = """
EC2InstanceID = "{instance}"
STARTD_ATTRS = $(STARTD_ATTRS) EC2InstanceID
"""
_MANAGER_NAME = f"frontend.{DOMAIN}"


class Condor:
    """The pool. Calls block, each with a deadline."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet; `folder` is the pool's alone."""
        self.folder = folder
        self._account = unprivileged_account()
        self._masters: list[subprocess.Popen[bytes]] = []
        self._port = 0
        self._where: dict[str, str] = {}

    @staticmethod
    def missing() -> str:
        """What is not installed for it to be; empty if all is there."""
        needed = ("condor_master", "condor_submit", "condor_token_create", "condor_config_val")
        return next((name for name in needed if shutil.which(name) is None), "")

    def start(self) -> list[str]:
        """Start its central manager and await that it serves; gives the pool's lines of agent.toml.

        Raises:
            BackendError: a part of HTCondor failed.
            DeadlineError: it did not serve in time.
        """
        for folder in (self.folder, self.folder / "keys", self.folder / "keys" / "none"):
            self._own(folder)
        key = self.folder / "keys" / "POOL"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(64))
        self._give(key)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self._where = self._installed()
        master = self._start(_MANAGER_NAME, "127.0.0.1", _MANAGER.format(port=self._port))
        reader, admin = self._token("airboss", "READ"), self._token("airboss-admin", "ADMINISTRATOR")
        self._await_collector(master)
        return [
            "", "[[pool]]", f'name = "{POOL}"', f'cluster = "{POOL}"',
            f'collector = "127.0.0.1:{self._port}"', f'token = "{reader}"', f'admin_token = "{admin}"',
            "every = 3",
        ]  # fmt: skip

    def add(self, name: str, number: int, instance: str = "") -> None:
        """Start a machine at 127.0.1.NUMBER; `instance`: the EC2 instance that it says it is."""
        extra = _INSTANCE.format(instance=instance) if instance else ""
        self._start(f"{name}.{DOMAIN}", f"127.0.1.{number}", _MACHINE + extra)

    def submit(self) -> None:
        """Give it jobs that sleep.

        Raises:
            BackendError, DeadlineError: its schedd did not take them.
        """
        queue = "\n".join(str(seconds) for seconds in JOBS)
        text = (
            "executable = /bin/sleep\narguments = $(seconds)\ntransfer_executable = false\n"
            "should_transfer_files = YES\nrequest_cpus = 1\nrequest_memory = 64\nrequest_disk = 1024\n"
            f"queue seconds from (\n{queue}\n)\n"
        )
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._run("condor_submit", "-terse", data=text)
            except BackendError:
                # The schedd is heard of some seconds after the collector is.
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
            else:
                return

    def stop(self) -> None:
        """End all of it."""
        end_all(self.folder)
        for master in self._masters:
            master.wait(timeout=5)
        self._masters = []

    # --- parts ------------------------------------------------------------------------------------

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self._give(folder)

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._account.uid, self._account.gid)

    def _installed(self) -> dict[str, str]:
        """Where its parts are: as the machine's own configuration has them, else as Debian does."""
        try:
            said = self._run("condor_config_val", *map(str.upper, _DEBIAN), own=False)
        except BackendError:
            return _DEBIAN
        return dict(zip(_DEBIAN, said.splitlines(), strict=True))

    def _environment(self, name: str) -> dict[str, str]:
        path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        return {"PATH": path, "LANG": "C", "CONDOR_CONFIG": str(self._place(name) / "condor.conf")}

    def _place(self, name: str) -> Path:
        return self.folder / name.partition(".")[0]

    def _start(self, name: str, address: str, config: str) -> subprocess.Popen[bytes]:
        place = self._place(name)
        for folder in (place, *(place / part for part in ("log", "spool", "execute", "lock", "run", "s"))):
            self._own(folder)
        common = _COMMON.format(
            **self._where, place=place, port=self._port, address=address, name=name, domain=DOMAIN,
            keys=self.folder / "keys", user=pwd.getpwuid(self._account.uid).pw_name,
        )  # fmt: skip
        (place / "condor.conf").write_text(common + config, encoding="utf-8")
        self._give(place / "condor.conf")
        with (self.folder / "masters.log").open("ab") as log:
            master = subprocess.Popen(
                ["condor_master", "-f"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=self._environment(name), start_new_session=True, **self._account.switch,
            )  # fmt: skip
        self._masters.append(master)
        return master

    def _token(self, identity: str, authorization: str) -> Path:
        words = ("condor_token_create", "-identity", f"{identity}@{DOMAIN}", "-authz", authorization)
        path = self.folder / "keys" / identity
        path.touch(mode=0o600)
        path.write_text(self._run(*words), encoding="utf-8")
        self._give(path)
        return path

    def _run(self, *command: str, data: str = "", own: bool = True) -> str:
        """A command of HTCondor's; what it printed. `own`: with this pool's configuration."""
        environment = self._environment(_MANAGER_NAME)
        if not own:
            del environment["CONDOR_CONFIG"]
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(
                command, input=data, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False,
                cwd="/", env=environment, **self._account.switch,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DeadlineError(f"{command[0]} did not end within {_COMMAND_SECONDS:g} s") from None
        if done.returncode:
            said = " ".join((done.stderr or done.stdout).split())[-300:]
            raise BackendError(f"{command[0]} failed: {said}", "Does HTCondor work here? `condor_version`.")
        return done.stdout.strip()

    def _await_collector(self, master: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if master.poll() is not None:
                raise BackendError(f"condor_master ended with {master.returncode}", f"See {self.folder}")
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise DeadlineError(f"HTCondor's collector did not serve within {READY_SECONDS:g} s")


def end_all(folder: Path) -> Sequence[processes.Process]:
    """End what was started with something of a pool's folder in its environment, its jobs too.

    Gives what was ended. A master may start something again between a look and its own end.

    Raises:
        DeadlineError: one of them cannot be ended.
    """
    ended: list[processes.Process] = []
    for _ in range(_ROUNDS):
        if not (found := processes.inside(folder)):
            break
        processes.end(found)
        ended += found
    return ended
