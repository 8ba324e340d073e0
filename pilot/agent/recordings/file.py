"""One recording's file: written in order, sealed in parts, and cut to its last seal after a crash.

All of it blocks: it is for a thread. The journal gets each seal only after the part is on the disk, so that a
seal never promises what a power cut may take.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from pilot.asciicast import EXIT, INPUT, OUTPUT, Encoder, Event, Header, Text
from pilot.recording_seals import Finding, Seal, Sealer, check

SEAL_BYTES = 64 * 1024
"""After so many bytes a part is sealed."""
SEAL_SECONDS = 60.0
"""After so many seconds a part is sealed, if there is anything in it."""
FLOOD_BYTES = 1024 * 1024
"""Of a guest that prints more than the disk takes at once, a part is larger: each seal waits for the disk."""
_ROOM_FOR_END = 4096
_PIECE = 64 * 1024


class RecordingFile:
    """A recording that goes on. For one thread at a time."""

    def __init__(self, path: Path, header: Header, limit: int) -> None:
        """Begin it.

        Args:
            path: must not exist. Only this user may read it.
            header: its first line.
            limit: bytes that it may become.

        Raises:
            OSError: it cannot be written.
        """
        self._limit = limit
        self._encoder = Encoder(header)
        self._sealer = Sealer()
        self._texts = {OUTPUT: Text(), INPUT: Text()}
        self._time = 0.0
        self._sealed_at = -math.inf
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.size = 0
        try:
            self._put(self._encoder.header())
            _sync_folder(path.parent)
        except OSError:
            os.close(self._fd)
            raise

    def printed(self, time: float, data: bytes, code: str = OUTPUT) -> bool:
        """Add what was printed (or typed) so many seconds after the beginning; False if it does not fit.

        What does not fit ends the recording: nothing after it may be added, only `close` called.

        Raises:
            OSError: it cannot be written; then the file ends before it.
        """
        self._time = max(time, self._time)
        for start in range(0, len(data), _PIECE):
            text = self._texts[code].take(data[start : start + _PIECE])
            if text and not self._add(Event(self._time, code, text)):
                return False
        return True

    def mark(self, time: float, code: str, words: str) -> bool:
        """Add a marker or a new size; as for `printed`."""
        self._time = max(time, self._time)
        return self._add(Event(self._time, code, words))

    def due(self, time: float, behind: bool = False) -> bool:
        """Whether a part should be sealed now; the beginning at once, so that there is always one.

        `behind`: much of what comes after it waits to be written.
        """
        return self._sealer.open >= (FLOOD_BYTES if behind else SEAL_BYTES) or (
            self._sealer.open > 0 and time >= self._sealed_at + SEAL_SECONDS
        )

    def seal(self, time: float) -> Seal:
        """What was written is on the disk; this is its seal.

        Raises:
            OSError: the disk does not take it: nothing is sealed.
        """
        os.fdatasync(self._fd)
        self._sealed_at = time
        return self._sealer.seal()

    def close(self, time: float, *, status: int = 0) -> Seal | None:
        """End it; its last seal, None if the disk took no more: then only what was sealed before counts."""
        self._time = max(time, self._time)
        try:
            for code, text in self._texts.items():
                if rest := text.finish():
                    self._put(self._encoder.event(Event(self._time, code, rest)))
            self._put(self._encoder.event(Event(self._time, EXIT, str(status))))
            os.fsync(self._fd)
            return self._sealer.seal(last=True)
        except OSError:
            return None
        finally:
            os.close(self._fd)

    def _add(self, event: Event) -> bool:
        line = self._encoder.event(event)
        if self.size + len(line) + _ROOM_FOR_END > self._limit:
            return False
        self._put(line)
        return True

    def _put(self, line: bytes) -> None:
        """Write a line whole or not at all."""
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
            raise
        self.size += len(line)
        self._sealer.take(line)


def recover(path: Path, seals: Sequence[Seal]) -> tuple[Finding, int]:
    """Cut a recording that airboss could not end to its last seal.

    A file that is not what was sealed is left as it is: it is evidence.

    Args:
        path: the file's.
        seals: those of it in the journal.

    Returns:
        What was found, and how many bytes were cut off.

    Raises:
        OSError: it cannot be read or cut.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return check(None, seals), 0
    with os.fdopen(fd, "r+b") as file:
        found = check(file, seals)
        if found.trouble:
            return found, 0
        cut = os.fstat(file.fileno()).st_size - found.sealed
        if cut:
            file.truncate(found.sealed)
            file.flush()
            os.fsync(file.fileno())
        return found, cut


def has_events(path: Path) -> bool:
    """Whether anything follows the header.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        file.readline(_PIECE)
        return bool(file.read(1))


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
