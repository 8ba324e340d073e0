"""Whose a console's log is: a folder for each node, and in it one generation at a time.

A generation belongs to one tenant, who is named in its `owner.json`. When the node is given to others, a
new one begins and the old one is deleted: nothing of it can come before the new owners' eyes. A generation
that does not say whose it is, is deleted as well.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

from pilot.agent.consoles.log_files import segments
from pilot.agent.consoles.tenant import Tenant

OWNER = "owner.json"
GONE = "gone"
"""A file that dates when airboss saw first that there is no such node any more."""
_DAY = 86_400.0
_NODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,63}")
_GENERATION = re.compile(r"[0-9]{6,12}")


class Owner(msgspec.Struct, frozen=True):
    """What owner.json holds."""

    v: int
    node: str
    tenant: Tenant
    begun: float
    """Seconds since the epoch."""


class Found(NamedTuple):
    """The log of a node that was there when airboss began."""

    generation: int
    tenant: Tenant
    oldest: int
    end: int
    last: float
    """When something was written last, in seconds since the epoch."""


def fit(node_id: str) -> bool:
    """Whether a node's id can be the name of a folder."""
    return _NODE.fullmatch(node_id) is not None


def folder(root: Path, node_id: str, generation: int) -> Path:
    """Where a generation is."""
    return root / node_id / f"{generation:06d}"


def claim(root: Path, node_id: str, generation: int, tenant: Tenant) -> None:
    """Begin a generation for a tenant, unless it has begun already.

    Raises:
        OSError: it cannot be written.
    """
    path = folder(root, node_id, generation) / OWNER
    if path.exists():
        return
    path.parent.parent.mkdir(mode=0o700, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    owner = Owner(1, node_id, tenant, time.time())
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(owner) + b"\n")
    fresh.rename(path)


def drop_before(root: Path, node_id: str, generation: int) -> None:
    """Delete the generations before this one.

    Raises:
        OSError: one cannot be deleted.
    """
    for number in _generations(root / node_id):
        if number < generation:
            shutil.rmtree(folder(root, node_id, number))


def scan(root: Path) -> dict[str, Found]:
    """The newest generation of each node's log; what cannot be anybody's is deleted.

    Raises:
        OSError: the folder cannot be made or read.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found: dict[str, Found] = {}
    for entry in os.scandir(root):
        if entry.is_dir(follow_symlinks=False) and fit(entry.name):
            with contextlib.suppress(OSError):
                log = _newest(root, entry.name)
                if log is not None:
                    found[entry.name] = log
    return found


def _newest(root: Path, node_id: str) -> Found | None:
    newest: Found | None = None
    for number in sorted(_generations(root / node_id), reverse=True):
        path = folder(root, node_id, number)
        owner = None if newest is not None else _owner(path / OWNER)
        if owner is None:
            shutil.rmtree(path)
            continue
        parts = segments(path)
        last = Path(parts[-1].bytes_path).stat().st_mtime if parts else owner.begun
        oldest, end = (parts[0].start, parts[-1].end) if parts else (0, 0)
        newest = Found(number, owner.tenant, oldest, end, last)
    return newest


def _owner(path: Path) -> Owner | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Owner)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _generations(path: Path) -> list[int]:
    try:
        names = [entry.name for entry in os.scandir(path)]
    except FileNotFoundError:
        return []
    return [int(name) for name in names if _GENERATION.fullmatch(name)]


def sweep(root: Path, known: Collection[str], now: float, keep_seconds: float, keep: int) -> list[str]:
    """Date the logs of nodes that are no more, and delete those that were kept long enough.

    Args:
        root: the folder of all logs.
        known: ids of the nodes there are.
        now: seconds since the epoch.
        keep_seconds: how long the log of a node is kept that is no more.
        keep: how many of them, the youngest ones. For a day there may be more: many that go at once may be
            those of hosts that do not answer since airboss began.

    Returns:
        The nodes whose logs were deleted.
    """
    gone: list[tuple[float, str]] = []
    for entry in list(os.scandir(root)):
        if not (entry.is_dir(follow_symlinks=False) and fit(entry.name)):
            continue
        mark = root / entry.name / GONE
        with contextlib.suppress(OSError):
            if entry.name in known:
                mark.unlink(missing_ok=True)
                continue
            if not mark.exists():
                mark.touch(mode=0o600)
                os.utime(mark, (now, now))
            gone.append((mark.stat().st_mtime, entry.name))
    gone.sort(reverse=True)
    old = [
        name
        for at, (since, name) in enumerate(gone)
        if now - since > keep_seconds or (at >= keep and now - since >= _DAY)
    ]
    for name in old:
        shutil.rmtree(root / name, ignore_errors=True)
    return old
