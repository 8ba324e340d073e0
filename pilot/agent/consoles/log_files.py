"""A console's log on disk: what it printed in segments, and beside each an index of when it came.

One folder is one console of one cluster (a generation). In it, for each segment:

- `START.log`: the bytes as the console printed them, and airboss's marker lines among them. START is the
  offset of the first byte, 16 hex digits, counted from the first byte that was ever kept.
- `START.idx`: records of 32 bytes, big-endian: offset (u64), UTC and monotonic time in microseconds (i64
  each), kind (u8: 0 output, 1 the marker of a boot, 2 any other marker), 3 bytes of zero, and the CRC-32 of
  the 28 bytes before it. A record says when the bytes from its offset on came, up to the next one's.

Where a segment does not begin at the offset at which the one before it ends, bytes are missing.

The index is written before the bytes. So of a process that was killed in between at most records are left
that speak of bytes that do not exist; they, and a record that was torn, are cut off when the log is opened.
docs/operator-guide.md says the same for admins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

OUTPUT, BOOT, MARK = 0, 1, 2
"""Kinds: what the guest printed, the marker of a boot, any other marker."""
TOGETHER = 0.010
"""Seconds within which what came is stamped with the time of the first of it."""
RECORD_SIZE = 32
_MOST_SHORT = 16
"""Times as many segments as are kept, if they are short: one begins behind each gap."""

_RECORD = struct.Struct(">QqqB3xI")
_CHECKED = RECORD_SIZE - 4
_NAME = re.compile(r"[0-9a-f]{16}\.log")


class Stamp(NamedTuple):
    """When the bytes from an offset on came."""

    offset: int
    utc: float
    """Seconds since the epoch."""
    mono: float
    """Seconds of the monotonic clock."""
    kind: int


class Run(NamedTuple):
    """Bytes that came at one moment."""

    offset: int
    utc: float
    mono: float
    kind: int
    data: bytes


class Segment(NamedTuple):
    """A part of the log. Its end is as of when it was listed."""

    folder: str
    start: int
    size: int

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.start + self.size

    @property
    def bytes_path(self) -> str:
        """The file of its bytes."""
        return f"{self.folder}/{self.start:016x}.log"

    @property
    def index_path(self) -> str:
        """The file of its index."""
        return f"{self.folder}/{self.start:016x}.idx"


def pack(stamp: Stamp | Run) -> bytes:
    """A record of the index."""
    head = _RECORD.pack(stamp.offset, round(stamp.utc * 1e6), round(stamp.mono * 1e6), stamp.kind, 0)
    return head[:_CHECKED] + zlib.crc32(head[:_CHECKED]).to_bytes(4, "big")


def unpack(data: bytes) -> list[Stamp]:
    """The records of an index, up to the first that is torn or damaged."""
    stamps: list[Stamp] = []
    whole = len(data) - len(data) % RECORD_SIZE
    for at, (offset, utc, mono, kind, crc) in zip(
        range(0, whole, RECORD_SIZE), _RECORD.iter_unpack(data[:whole]), strict=True
    ):
        if zlib.crc32(data[at : at + _CHECKED]) != crc or (stamps and offset < stamps[-1].offset):
            break
        stamps.append(Stamp(offset, utc / 1e6, mono / 1e6, kind))
    return stamps


def segments(folder: str | Path) -> list[Segment]:
    """The segments of a folder, oldest first; none if there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    found: list[Segment] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    # One that is dropped meanwhile is none any more.
                    with contextlib.suppress(FileNotFoundError):
                        found.append(Segment(str(folder), int(entry.name[:16], 16), entry.stat().st_size))
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda segment: segment.start)


class Appender:
    """Writes one generation of a log. Used by one thread at a time; between two calls no file is open."""

    def __init__(self, folder: Path, size: int, count: int) -> None:
        """Nothing is touched yet.

        Args:
            folder: made when something is written.
            size: bytes of one segment, its index included.
            count: full segments that are kept; of short ones more.
        """
        self._folder = folder
        self._size = size
        self._count = count
        self._starts: list[int] = []
        self._sizes: list[int] = []
        """Bytes of each segment but the last, its index included."""
        self._bytes = self._indexed = 0
        """Sizes of the last segment's files."""
        self._looked = False
        self._last: Run | None = None

    @property
    def oldest(self) -> int:
        """Offset of the first byte that is kept."""
        return self._starts[0] if self._starts else 0

    @property
    def end(self) -> int:
        """Offset behind the last byte that is kept."""
        return self._starts[-1] + self._bytes if self._starts else 0

    def write(self, runs: Sequence[Run]) -> None:
        """Append what came, in order. What lies before the end is left out: it is there already.

        Raises:
            OSError: it could not be written, or in part only. Further writes go on behind that.
        """
        try:
            if not self._looked:
                self._look()
            for start, records, data in self._cut(runs):
                self._put(start, records, data)
                self._trim()
        except BaseException:
            self._looked = False
            raise

    def _look(self) -> None:
        """See what is there, and cut off what is torn."""
        # Parents are not made along with it: they would be open to all.
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = segments(self._folder)
        self._starts = [segment.start for segment in found]
        self._bytes = self._indexed = 0
        self._last = None
        known = {Path(path).name for segment in found for path in (segment.bytes_path, segment.index_path)}
        for path in self._folder.glob("*.idx"):
            if path.name not in known:
                path.unlink(missing_ok=True)
        self._sizes = [segment.size + _size(segment.index_path) for segment in found[:-1]]
        if found:
            last = found[-1]
            self._bytes = last.size
            self._indexed = _mended(last)
        self._looked = True

    def _cut(self, runs: Sequence[Run]) -> Iterator[tuple[int, bytes, bytes]]:
        """What belongs in which segment: its start, records and bytes. Sizes are counted on the way."""
        records, data = bytearray(), bytearray()
        for run in runs:
            run = _from(run, self.end)
            while run.data:
                stamped = self._last is not None and _joins(self._last, run, self.end)
                room = self._size - self._bytes - self._indexed - (0 if stamped else RECORD_SIZE)
                if not self._starts or run.offset != self.end or room <= 0:
                    if records or data:
                        yield self._starts[-1], bytes(records), bytes(data)
                        records, data = bytearray(), bytearray()
                    self._begin(run.offset)
                    continue
                piece = run.data[:room]
                if not stamped:
                    records += pack(run)
                    self._indexed += RECORD_SIZE
                    self._last = run._replace(data=b"")
                data += piece
                self._bytes += len(piece)
                run = run._replace(offset=run.offset + len(piece), data=run.data[len(piece) :])
        if records or data:
            yield self._starts[-1], bytes(records), bytes(data)

    def _begin(self, offset: int) -> None:
        """A new segment."""
        if self._starts:
            self._sizes.append(self._bytes + self._indexed)
        self._starts.append(offset)
        self._bytes = self._indexed = 0
        self._last = None

    def _trim(self) -> None:
        """The oldest segments go while the others hold what is to be kept.

        That is so only once something was written: a disk that is full, again and again, takes nothing away.
        """
        enough = (self._count - 1) * self._size
        others = sum(self._sizes[1:]) + self._bytes + self._indexed
        while self._sizes and (others >= enough or len(self._starts) > _MOST_SHORT * self._count):
            segment = Segment(str(self._folder), self._starts[0], 0)
            for path in (segment.bytes_path, segment.index_path):
                with contextlib.suppress(FileNotFoundError):
                    Path(path).unlink()
            del self._starts[0], self._sizes[0]
            others -= self._sizes[0] if self._sizes else 0

    def _put(self, start: int, records: bytes, data: bytes) -> None:
        segment = Segment(str(self._folder), start, 0)
        if records:
            _append(segment.index_path, records, self._indexed - len(records))
        _append(segment.bytes_path, data, self._bytes - len(data))


def _from(run: Run, end: int) -> Run:
    """What of a run lies behind an offset."""
    known = min(max(end - run.offset, 0), len(run.data))
    return run._replace(offset=run.offset + known, data=run.data[known:]) if known else run


def _joins(last: Run, run: Run, end: int) -> bool:
    """Whether bytes need no record of their own."""
    return (
        run.offset == end
        and run.kind == last.kind == OUTPUT
        and 0 <= run.mono - last.mono < TOGETHER
        and abs(run.utc - last.utc) < 1.0
    )


def _append(path: str, data: bytes, size: int) -> None:
    """Append to a file that has this size now; another one would have moved all offsets."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags, 0o600)
    try:
        if os.fstat(fd).st_size != size:
            raise OSError(errno.ESTALE, "somebody has changed it", path)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def _mended(segment: Segment) -> int:
    """Cut an index off behind its last good record that speaks of bytes that exist; its size then."""
    try:
        data = Path(segment.index_path).read_bytes()
    except FileNotFoundError:
        return 0
    good = [stamp for stamp in unpack(data) if stamp.offset < segment.end]
    size = len(good) * RECORD_SIZE
    if size != len(data):
        os.truncate(segment.index_path, size)
    return size
