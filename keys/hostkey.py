"""airboss's own identity: its Ed25519 host key, made once and never shared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import asyncssh

from keys.errors import KeysError


class HostKeyError(KeysError):
    """The host key cannot be used."""


def load_or_create(path: Path) -> asyncssh.SSHKey:
    """The host key at this path; a new one, readable by this user only, if there is none.

    Raises:
        HostKeyError: it cannot be read or written, others can read it, or it is no Ed25519 key.
    """
    try:
        if not path.exists():
            _create(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise HostKeyError(
                f"{path} can be read by others (mode {mode:04o})",
                f"chmod 600 {path}; if others had it, make a new one.",
            )
        key = asyncssh.read_private_key(path)
    except OSError as error:
        raise HostKeyError(f"{path}: {error.strerror}", "airboss's user owns its state folder.") from None
    except asyncssh.KeyImportError as error:
        raise HostKeyError(f"{path} is no private key: {error}") from None
    if key.algorithm != b"ssh-ed25519":
        raise HostKeyError(f"{path} is {key.algorithm.decode()}, airboss's identity is an Ed25519 key")
    return key


def _create(path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519", comment="airboss")
    for target, data, mode in (
        (path.with_suffix(".pub"), key.export_public_key(), 0o644),
        (path, key.export_private_key(), 0o600),
    ):
        target.unlink(missing_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
