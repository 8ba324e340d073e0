"""An admin command that root runs acts on airboss's files as the user that owns them.

So the database's side files stay usable to the daemon, and a daemon that was taken over cannot make
root write elsewhere through a link in its own folder. What `check` finds is what the daemon would find.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from pilot.errors import StorageError

USER = "rocks-pilot"
"""Whose the state folder becomes when root makes it."""


def prepare_state(folder: Path) -> None:
    """Make the state folder if it is not there.

    Raises:
        StorageError: it cannot be made, or is something else.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o750, parents=True)
            if os.geteuid() == 0:
                try:
                    entry = pwd.getpwnam(USER)
                except KeyError:
                    return
                os.chown(folder, entry.pw_uid, entry.pw_gid)
    except OSError as error:
        raise StorageError(
            f"the state folder {folder} cannot be made: {error.strerror}",
            "Run this as root, or set [site] state to a folder of yours.",
        ) from None
    if not folder.is_dir():
        raise StorageError(f"the state folder {folder} is not a folder", "Set [site] state to another.")


def become_owner(folder: Path) -> str | None:
    """If root runs this, go on as the owner of the state folder, for good.

    Returns:
        The owner's name if this process became them.

    Raises:
        StorageError: the folder cannot be looked at.
    """
    try:
        status = folder.stat()
    except OSError as error:
        raise StorageError(f"the state folder {folder} cannot be looked at: {error.strerror}") from None
    if os.geteuid() != 0 or status.st_uid == 0:
        return None
    try:
        entry = pwd.getpwuid(status.st_uid)
        name, home, group = entry.pw_name, entry.pw_dir, entry.pw_gid
        os.initgroups(name, group)
    except KeyError:
        name, home, group = str(status.st_uid), "/", status.st_gid
        os.setgroups([group])
    os.setresgid(group, group, group)
    os.setresuid(status.st_uid, status.st_uid, status.st_uid)
    os.environ["HOME"] = home
    return name
