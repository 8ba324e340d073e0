"""A real HTCondor pool for tests: Debian's own packages in a folder, daemons in namespaces of their own.

The folder is made once by debootstrap (about a minute, 430 MB) and kept below ~/.cache/rocks-pilot, or where
PILOT_TEST_CONDOR says. Each
machine of the pool is a condor_master with its own name and its own loopback address. All of a pool ends
with the process that started it, whatever ends that: see `CondorPool._enter`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pilot.demo.account import cache_folder

DEADLINE = 60.0
"""Seconds."""
MAKING = 240.0
"""Seconds that making the folder may take: less than a test may."""
USER = "nobody"
_UID = 65534
DOMAIN = "pilot.test"
_COMMON = f"""
RELEASE_DIR = /usr
LIB = /usr/lib/condor
LIBEXEC = /usr/libexec/condor
TRUST_DOMAIN = {DOMAIN}
UID_DOMAIN = {DOMAIN}
DEFAULT_DOMAIN_NAME = {DOMAIN}
NO_DNS = True
use security:recommended_v9_0
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_READ_AUTHENTICATION = REQUIRED
SEC_PASSWORD_DIRECTORY = /srv/passwords.d
SEC_TOKEN_POOL_SIGNING_KEY_FILE = /srv/passwords.d/POOL
SEC_TOKEN_SYSTEM_DIRECTORY = /srv/none.d
SEC_TOKEN_DIRECTORY = /srv/none.d
ALLOW_READ = *@{DOMAIN}, condor@password
ALLOW_WRITE = {USER}@{DOMAIN}, condor@password
ALLOW_DAEMON = {USER}@{DOMAIN}, condor@password
ALLOW_NEGOTIATOR = {USER}@{DOMAIN}, condor@password
ALLOW_ADMINISTRATOR = {USER}@{DOMAIN}, condor@password, pilot-admin@{DOMAIN}
BIND_ALL_INTERFACES = False
SEC_USE_FAMILY_SESSION = False
LOCAL_DIR = /srv/$(MACHINE_FOLDER)
LOG = $(LOCAL_DIR)/log
SPOOL = $(LOCAL_DIR)/spool
EXECUTE = $(LOCAL_DIR)/execute
LOCK = $(LOCAL_DIR)/lock
RUN = $(LOCAL_DIR)/run
DAEMON_SOCKET_DIR = $(LOCAL_DIR)/s
UPDATE_INTERVAL = 3
MASTER_UPDATE_INTERVAL = 5
"""
_MANAGER = """
USE_SHARED_PORT = True
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
COLLECTOR_UPDATE_INTERVAL = 5
HANDLE_QUERY_IN_PROC_POLICY = always
"""
_WORKER = """
USE_SHARED_PORT = False
DAEMON_LIST = MASTER, STARTD
STARTD_ATTRS = $(STARTD_ATTRS) EC2InstanceID
NUM_CPUS = 4
MEMORY = 4096
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = {partitionable}
START = True
SUSPEND = False
PREEMPT = False
KILL = False
WANT_SUSPEND = False
STARTD_NOCLAIM_SHUTDOWN = 0
MAXJOBRETIREMENTTIME = 3600
RUNBENCHMARKS = False
"""


def root_folder() -> Path:
    """Where the packages are unpacked."""
    named = os.environ.get("PILOT_TEST_CONDOR")
    return Path(named) if named else cache_folder() / "condor-trixie"


@functools.cache
def _missing() -> str:
    """Why there can be no pool here; empty if there can."""
    if os.geteuid() != 0:
        return "a real HTCondor pool needs root, for namespaces and a chroot"
    if (root_folder() / "usr/sbin/condor_master").exists():
        return ""
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed, by which a real HTCondor pool is made"
    return ""


def need_condor() -> Path:
    """The folder with HTCondor, made if need be. Without what that takes: fails in CI, skips elsewhere."""
    if missing := _missing() or _made():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(f"NOT TESTED: {missing}")
    return root_folder()


@functools.cache
def _made() -> str:
    """Make the folder unless it is there; why that failed, empty if it did not. Tried once in a run."""
    root = root_folder()
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(root.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Two runs at once make it once.
        return "" if (root / "usr/sbin/condor_master").exists() else _make(root)


def _make(root: Path) -> str:
    partial = root.with_name(root.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    said = ""
    try:
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=condor", "trixie", partial],
            capture_output=True, text=True, timeout=MAKING, check=False,
        )  # fmt: skip
        said = (made.stdout + made.stderr)[-1500:]
        # It may fail to configure packages that the daemons can do without; what counts is that they run.
        subprocess.run(["chroot", partial, "condor_version"], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        return f"debootstrap made no HTCondor: {error}\n{said}"
    partial.rename(root)
    return ""


class CondorPool:
    """One pool. Its methods block; those that wait for something give up after `DEADLINE` seconds."""

    def __init__(self, folder: Path) -> None:
        self.root = need_condor()
        self.folder = folder
        folder.chmod(0o755)
        os.chown(folder, _UID, _UID)
        for name in ("passwords.d", "none.d"):
            self._own(folder / name, 0o700)
        (folder / "passwords.d/POOL").write_bytes(os.urandom(64))
        (folder / "passwords.d/POOL").chmod(0o600)
        os.chown(folder / "passwords.d/POOL", _UID, _UID)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.masters: dict[str, subprocess.Popen[bytes]] = {}
        self._start("cm", "127.0.0.1", _MANAGER + f"SHARED_PORT_ARGS = -p {self.port}\n")

    @property
    def address(self) -> str:
        """The collector's, as HTCondor's tools take it."""
        return f"127.0.0.1:{self.port}"

    def add(self, name: str, number: int, partitionable: bool = True, extra: str = "") -> None:
        """Start a machine with 4 processors at 127.0.1.NUMBER."""
        config = _WORKER.format(partitionable=partitionable) + extra
        self._start(name, f"127.0.1.{number}", config)

    def end(self, name: str) -> None:
        """End a machine at once, as a power cut does."""
        master = self.masters.pop(name)
        assert master.stdin is not None
        master.stdin.close()
        master.wait(DEADLINE)

    def close(self) -> None:
        """End all of it."""
        for name in list(self.masters):
            self.end(name)

    def run(self, *command: str, check: bool = True, data: str = "") -> str:
        """A command inside, as the pool's user at the central manager."""
        done = subprocess.run(
            self._enter("cm", *command), input=data, capture_output=True, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def submit(self, seconds: int, count: int = 1, more: str = "") -> str:
        """Jobs that sleep; gives the cluster's number."""
        text = f"executable=/bin/sleep\narguments={seconds}\nshould_transfer_files=YES\n"
        text += f"transfer_executable=false\nrequest_memory=64\nrequest_disk=1024\nlog=/dev/null\n{more}\n"
        out = self.run("condor_submit", "-terse", "-queue", str(count), data=text)
        return out.split(".")[0]

    def token(self, identity: str, *authz: str) -> Path:
        """A file with a token for an identity."""
        names = [word for name in authz for word in ("-authz", name)]
        text = self.run("condor_token_create", "-identity", f"{identity}@{DOMAIN}", *names)
        path = self.folder / f"token-{identity}"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def daemon(self, name: str, machine: str = "cm") -> int:
        """Pid of a daemon, such as condor_collector."""
        marked = f"CONDOR_CONFIG=/srv/{machine}/condor.conf".encode()
        for proc in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not proc.name.isdigit() or (proc / "comm").read_text().strip() != name[:15]:
                    continue
                if not (proc / "root/srv").samefile(self.folder):
                    continue
                if marked in (proc / "environ").read_bytes().split(b"\0"):
                    return int(proc.name)
        raise AssertionError(f"no {name} runs at {machine}")

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """A daemon that does nothing meanwhile, as on a host that swaps."""
        pid = self.daemon(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def wait(self, wanted: int, constraint: str = "true") -> None:
        """Until so many slots match a constraint."""
        end, found = time.monotonic() + DEADLINE, -1
        while time.monotonic() < end:
            out = self.run("condor_status", "-const", constraint, "-af", "Name", check=False)
            if (found := len(out.split())) == wanted:
                return
            time.sleep(0.3)
        raise AssertionError(f"{found} slots instead of {wanted} match {constraint}: {self.logs()}")

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(
            f"--- {path}\n{path.read_text(errors='replace')[-600:]}"
            for path in sorted(self.folder.glob("*/log/[MCSN]*Log"))
        )

    # --- inside ----------------------------------------------------------------------------------

    def _own(self, path: Path, mode: int = 0o755) -> None:
        path.mkdir()
        path.chmod(mode)
        os.chown(path, _UID, _UID)

    def _start(self, name: str, address: str, config: str) -> None:
        place = self.folder / name
        self._own(place)
        for part in ("log", "spool", "execute", "lock", "run", "s", "tmp"):
            self._own(place / part)
        text = f"MACHINE_FOLDER = {name}\n{_COMMON}CONDOR_HOST = 127.0.0.1\n"
        text += f"COLLECTOR_HOST = 127.0.0.1:{self.port}\nNETWORK_INTERFACE = {address}\n"
        text += f"NETWORK_HOSTNAME = {name}.{DOMAIN}\n{config}"
        (place / "condor.conf").write_text(text)
        self.masters[name] = subprocess.Popen(
            self._enter(name, "condor_master", "-f", stays=True),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _enter(self, name: str, *command: str, stays: bool = False) -> Sequence[str]:
        """A command in namespaces of its own.

        One that `stays` ends, with all that it started, when its standard input does: when whoever holds the
        other end closes it, or is no more. The kernel ends all of a pid namespace with its first process;
        that is the shell, which stays root: a process that becomes somebody else outlives its parent.
        """
        run = (
            'env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C CONDOR_CONFIG=/srv/$name/condor.conf'
            ' chroot --userspec=65534:65534 "$root" "$@"'
        )  # fmt: skip
        inside = (
            'mount --bind "$1" "$1" && mount --bind "$2" "$1/srv" && mount -t proc proc "$1/proc"'
            ' && mount --rbind /dev "$1/dev" && mount --bind "$2/$3/tmp" "$1/tmp" && hostname "$3" || exit 1;'
            ' root=$1 name=$3; shift 3; '
        ) + (f"{run} </dev/null & read -r _" if stays else f"{run}")  # fmt: skip
        return [
            "unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private",
            "sh", "-c", inside, "sh", str(self.root), str(self.folder), name, *command,
        ]  # fmt: skip
