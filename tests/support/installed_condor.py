"""HTCondor as if it were installed on this machine: its commands, for a process that has them on its PATH."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.support.condor_pool import need_condor

COMMANDS = ("sbin/condor_master", "bin/condor_submit", "bin/condor_token_create", "bin/condor_config_val")
_CAP_SYS_CHROOT = 18
_EFFECTIVE = 0x02000001
"""Revision 2 of file capabilities, all that are permitted at once (linux/capability.h)."""


class InstalledCondor:
    """The packages are in a folder of their own; each command enters it, whoever runs it."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the commands; what is below its parent is the same inside."""
        self._packages = need_condor()
        self._outside = folder.parent
        # Where they are may be closed to ordinary users.
        self._root = folder / "root"
        self.path = folder
        folder.mkdir(mode=0o755)
        self._root.mkdir(mode=0o755)
        enter = folder / "enter"
        shutil.copy(shutil.which("chroot") or "/usr/sbin/chroot", enter)
        enter.chmod(0o755)
        # An ordinary user may enter the folder as well.
        capability = struct.pack("<5I", _EFFECTIVE, 1 << _CAP_SYS_CHROOT, 0, 0, 0)
        os.setxattr(enter, "security.capability", capability)
        for command in COMMANDS:
            script = folder / Path(command).name
            script.write_text(f'#!/bin/sh\nexec {enter} {self._root} /usr/{command} "$@"\n')
            script.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that has it."""
        return {**os.environ, "PATH": f"{self.path}:{os.environ['PATH']}"}

    def around(self, command: Sequence[str]) -> list[str]:
        """The command in a mount namespace where that folder has processes, devices and our files."""
        inside = (
            'mount --bind "$1" "$2" && mount -t proc proc "$2/proc" && mount --rbind /dev "$2/dev"'
            ' && mount -t tmpfs tmpfs "$2/tmp" && mkdir -p "$2$3" && mount --bind "$3" "$2$3" || exit 1;'
            ' shift 3; exec "$@"'
        )
        where = ["sh", str(self._packages), str(self._root), str(self._outside)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", inside, *where, *command]
