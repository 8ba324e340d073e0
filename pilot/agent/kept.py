"""Small things that airboss keeps in a file of its own: written whole, atomically, deflated."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

MOST_BYTES = 64 * 1024 * 1024
"""Of a file, and of what is in it."""


def read(path: Path) -> bytes | None:
    """What was written last; None if nothing was.

    Raises:
        OSError: the disk does not give it.
        zlib.error: the file is damaged.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    return zlib.decompressobj().decompress(packed, MOST_BYTES)


def write(path: Path, data: bytes) -> None:
    """Put it in the place of what was there; after a crash it is the one or the other, whole.

    Raises:
        OSError: the disk does not take it.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(zlib.compress(data, 1))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
