"""Which recordings there are: beside each file a small one says of what it is, and whose.

The journal knows it too, and its seals; this is what need not be looked up there. All of it blocks: it is
for a thread.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from pathlib import Path

import msgspec

from pilot.agent.consoles.tenant import Tenant
from pilot.wire import Recording

_ID = re.compile(r"[0-9a-f]{16}")
_CAST, _ABOUT = ".cast", ".json"

_log = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """A recording, and what only airboss needs to know of it."""

    recording: Recording
    tenant: Tenant
    """Whose it is: that of the cluster's name now, or of those who had the name before."""
    after: int
    """What the journal says of it comes after this record."""
    deleting: str = ""
    """Why it is deleted, if it is: what is left of it is no recording any more."""

    @property
    def id(self) -> str:
        """The recording's."""
        return self.recording.id


def new_id() -> str:
    """One that nobody guesses."""
    return secrets.token_hex(8)


def is_id(id: str) -> bool:
    """Whether it is one of ours: only such a one is ever part of a path."""
    return _ID.fullmatch(id) is not None


def path_of(root: Path, id: str) -> Path:
    """A recording's file."""
    return root / f"{id}{_CAST}"


def scan(root: Path) -> dict[str, Kept]:
    """Those in a folder, which is made if it is not there.

    Raises:
        OSError: it cannot be used.
    """
    root.mkdir(mode=0o700, exist_ok=True)
    found = {}
    for path in sorted(root.glob(f"*{_ABOUT}")):
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError) as error:
            _log.error("%s does not say of what its recording is: %s", path, error)
            continue
        if is_id(kept.id) and path.stem == kept.id:
            found[kept.id] = kept
    return found


def strays(root: Path, known: set[str]) -> list[str]:
    """Names of recordings' files that are none of these."""
    return sorted(path.name for path in root.glob(f"*{_CAST}") if path.stem not in known)


def write(root: Path, kept: Kept) -> None:
    """Say of what a recording is, in place of what was said before.

    Raises:
        OSError: it cannot be written.
    """
    path = root / f"{kept.id}{_ABOUT}"
    new = path.with_suffix(".new")
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(fd)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def delete(root: Path, id: str) -> None:
    """Delete a recording.

    Raises:
        OSError: it cannot be deleted.
    """
    # In this order: what a crash in between leaves is found again.
    path_of(root, id).unlink(missing_ok=True)
    (root / f"{id}{_ABOUT}").unlink(missing_ok=True)
