"""A recording put into a file of the user's: whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pilot.asciicast import Reader, convert
from pilot.errors import UsageError

BLOCK = 256 * 1024


def pieces(recording: BinaryIO, version: int) -> Iterator[bytes]:
    """What is to be written of a recording (asciicast v3) in a version, 2 or 3: of 3, its very bytes.

    Raises:
        CastError: it is no recording, or a damaged one, and cannot be converted.
    """
    recording.seek(0)
    if version == 3:
        while data := recording.read(BLOCK):
            yield data
        return
    held = bytearray()
    for line in convert(Reader(recording, may_grow=True), version):
        held += line
        if len(held) >= BLOCK:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def keep(recording: BinaryIO, path: Path, version: int = 3, *, force: bool = False) -> None:
    """Write a recording to a file, which only the user may read. It blocks: it is for a thread.

    Args:
        recording: where it is now.
        path: the file.
        version: of asciicast.
        force: take the place of a file that is there.

    Raises:
        UsageError: there is such a file, or it cannot be written.
        CastError: it cannot be converted.
    """
    beside = None
    try:
        fd, name = tempfile.mkstemp(prefix=".pilot-", suffix=".part", dir=path.parent)
        beside = Path(name)
        with os.fdopen(fd, "wb") as file:
            for piece in pieces(recording, version):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if force:
            beside.replace(path)
        else:
            _put(beside, path)
    except FileExistsError:
        raise there_already(path) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "Name another file.") from None
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def there_already(path: Path) -> UsageError:
    """Why it is not written."""
    return UsageError(f"there is already a file {path}", "Name another file, or say --force.")


def _put(beside: Path, path: Path) -> None:
    """Give a file its name, if none has it.

    Raises:
        FileExistsError: one has.
    """
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no links. Then nothing holds the name between the look and the renaming.
        with suppress(FileNotFoundError):
            path.lstat()
            raise FileExistsError(path) from None
        beside.replace(path)
