"""Which account the private hosts run under, and where the demo keeps its files."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import msgspec

KVM = Path("/dev/kvm")


class Account(msgspec.Struct, frozen=True):
    """The account that a private libvirtd and its QEMU processes run under."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def opens_kvm(self) -> bool:
        """Whether /dev/kvm's permissions let this account use it; whether it works is another matter."""
        try:
            status = KVM.stat()
        except OSError:
            return False
        mode = status.st_mode
        return (
            (status.st_uid == self.uid and bool(mode & stat.S_IRUSR and mode & stat.S_IWUSR))
            or (
                status.st_gid in (self.gid, *self.groups)
                and bool(mode & stat.S_IRGRP and mode & stat.S_IWGRP)
            )
            or bool(mode & stat.S_IROTH and mode & stat.S_IWOTH)
        )

    @property
    def switch(self) -> dict[str, Any]:
        """What subprocess.Popen takes to start something under it; nothing where everything is."""
        return {} if os.geteuid() else {"user": self.uid, "group": self.gid, "extra_groups": self.groups}


def unprivileged_account() -> Account:
    """The account for private hosts: who started us or, if that is root, who called sudo, or nobody.

    Root is never used: a QEMU process of a demo has no business with root's rights. The group of
    /dev/kvm is kept, since it is what lets an unprivileged process use it.
    """
    if (uid := os.geteuid()) != 0:
        return Account(uid, os.getegid(), tuple(os.getgroups()))
    entry = pwd.getpwnam("nobody")
    sudo = os.environ.get("SUDO_UID", "")
    if sudo.isdecimal() and sudo != "0":
        with contextlib.suppress(KeyError):
            entry = pwd.getpwuid(int(sudo))
    groups: tuple[int, ...] = ()
    with contextlib.suppress(OSError):
        groups = tuple(group for group in (KVM.stat().st_gid,) if group != 0)
    return Account(entry.pw_uid, entry.pw_gid, groups)


def cache_folder() -> Path:
    """What is worth keeping between runs: below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "rocks-pilot"


def state_folder() -> Path:
    """Where a running demo keeps its files: short, since sockets are in it, and one for each user.

    Root's is below /run, which the unprivileged account can pass; XDG_RUNTIME_DIR is its owner's alone.
    """
    if os.geteuid() == 0:
        return Path("/run/rocks-pilot-demo")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and len(runtime) < 30 and os.access(runtime, os.W_OK):
        return Path(runtime) / "rocks-pilot"
    return Path(f"/tmp/rocks-pilot-{os.geteuid()}")  # noqa: S108 - made with care in StateFolder
