"""Checks of the machine around airboss: files, their owners and modes, the clock, the port."""

from __future__ import annotations

import contextlib
import ctypes
import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from keys import sshsig
from keys.errors import KeysError
from keys.hostkey import load_or_create
from pilot.agent.admin.context import Context
from pilot.agent.admin.findings import Finding, fail, ok, warn
from pilot.agent.settings import Address

LITTLE_SPACE = 256 * 1024 * 1024
PORT_SECONDS = 3.0


def configuration(context: Context) -> Iterator[Finding]:
    """What the file allows and probably does not mean; whether the daemon can read it, too."""
    for warning in context.settings.warnings:
        yield warn("configuration", warning, f"Add it to {context.args.config}.")
    if context.settings.state.is_dir():
        context.become_daemon()
    for path in (context.args.config, context.settings.revoked):
        if path is not None and not os.access(path, os.R_OK):
            yield fail(
                "configuration",
                f"{_me()} cannot read {path}",
                f"chgrp {_group()} {path} && chmod 640 {path}; its folder must let it through.",
            )


def state_folder(context: Context) -> Iterator[Finding]:
    """Owner, modes and space of the state folder."""
    folder = context.settings.state
    if not folder.is_dir():
        yield warn("state folder", f"{folder} is not there yet", "airboss, or an admin command, makes it.")
        return
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o007:
        yield fail("state folder", f"{folder} is open to everybody (mode {mode:o})", f"chmod 750 {folder}")
    foreign = [
        path.name
        for path in sorted(folder.iterdir())
        if path.lstat().st_uid != status.st_uid and not path.is_symlink()
    ]
    owner = _name(status.st_uid)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield fail("state folder", f"{_me()} cannot write in {folder}", f"It is {owner}'s: run this as root.")
    elif foreign:
        yield fail(
            "state folder",
            f"{', '.join(foreign)} in {folder} are not {owner}'s, who owns the folder",
            f"chown -R {owner}: {folder}",
        )
    else:
        yield ok("state folder", f"{folder}, {owner}'s, mode {mode:o}")
    space = os.statvfs(folder)
    free = space.f_bavail * space.f_frsize
    if free < LITTLE_SPACE:
        yield warn(
            "state folder",
            f"{free // 2**20} MiB are free on its disk",
            "airboss refuses what it cannot journal: free some.",
        )


def host_key(context: Context) -> Iterator[Finding]:
    """The host key's owner and mode, and its fingerprint, which users compare at their first login."""
    path = context.settings.host_key
    try:
        status = path.lstat()
    except FileNotFoundError:
        yield warn("host key", f"{path} is not there yet", "airboss makes it when it first starts.")
        return
    mode = stat.S_IMODE(status.st_mode)
    owner = path.parent.stat().st_uid
    if not stat.S_ISREG(status.st_mode):
        yield fail("host key", f"{path} is no plain file", "Move it away; airboss makes a new one.")
    elif mode & 0o077:
        yield fail("host key", f"{path} can be read by others (mode {mode:o})", f"chmod 600 {path}")
    elif status.st_uid != owner:
        yield fail("host key", f"{path} is {_name(status.st_uid)}'s", f"chown {_name(owner)}: {path}")
    else:
        try:
            fingerprint = sshsig.fingerprint(load_or_create(path).public_data)
        except KeysError as error:
            yield fail("host key", error.message, error.hint)
        else:
            yield ok("host key", f"{fingerprint} in {path}, mode {mode:o}")


def clock(_context: Context) -> Iterator[Finding]:
    """Whether somebody keeps the clock right: keys expire by it, and the journal is dated by it."""
    # adjtimex with modes 0 only reads; the buffer is larger than any kernel's struct timex.
    with contextlib.suppress(OSError, AttributeError):
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
        if state == 5:
            yield warn(
                "clock", "the kernel says that nobody keeps it right", "Run chrony or systemd-timesyncd."
            )
        elif state >= 0:
            yield ok("clock", "kept right, the kernel says")


def ports(context: Context) -> Iterator[Finding]:
    """Who holds the ports, or whether airboss could have them."""
    for address in context.settings.addresses:
        yield _port(address)


def _port(address: Address) -> Finding:
    if address.port == 0:
        return ok("port", f"{address}: any free one")
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
    try:
        with socket.create_connection(
            (anywhere.get(address.host, address.host), address.port), PORT_SECONDS
        ) as peer:
            banner = peer.recv(255)
    except ConnectionRefusedError:
        return _free(address)
    except TimeoutError:
        return fail("port", f"{address} is held by something that does not answer", _holder(address.port))
    except OSError as error:
        return _unreachable(address, error)
    if banner.startswith(b"SSH-2.0-airboss"):
        return ok("port", f"{address} is served by an airboss")
    return fail("port", f"{address} is held by another program", _holder(address.port))


def _free(address: Address) -> Finding:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        return _unreachable(address, error)
    return warn("port", f"{address} is free: airboss does not run", "systemctl start rocks-pilot")


def _unreachable(address: Address, error: OSError) -> Finding:
    if ":" in address.host and not Path("/proc/net/if_inet6").exists():
        return warn("port", f"{address}: this machine has no IPv6", "Take it out of [site] listen.")
    return fail("port", f"{address} cannot be had: {error.strerror or error}", "Change [site] listen.")


def _holder(port: int) -> str:
    return f"`ss -tlnp 'sport = :{port}'` names it; end it, or change [site] listen."


def _me() -> str:
    return _name(os.geteuid())


def _group() -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(os.getegid()).gr_name
    return str(os.getegid())


def _name(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"uid {uid}"
