"""Reads a console's log: which part of it is asked for, and its lines, page by page.

Everything in here blocks, and is called in a thread. The writer goes on meanwhile: what it drops is found
missing, and said to be a gap.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pilot.agent.consoles.log_files import BOOT, RECORD_SIZE, Segment, Stamp, segments, unpack
from pilot.wire import LogLine

PAGE_BYTES = 256 * 1024
PAGE_LINES = 2000
"""Of one page, at most."""
LONGEST = 8 * 1024
"""Bytes of a line after which it is cut in parts."""
_MARKER_LEAD = 512
"""Bytes in which the line end before a marker's words is."""


class Query(NamedTuple):
    """Which lines."""

    last: int
    """So many of the newest ones."""
    before: int = 0
    """Only bytes before this offset; 0 for the newest."""
    since: float = 0.0
    """Only lines of which something was printed since then, in seconds since the epoch."""
    boot: bool = False
    """Only what came since the last boot."""


class Plan(NamedTuple):
    """The bytes from `start` to `end`; `cut` says that what was before them is lost."""

    start: int
    end: int
    cut: bool


class Part(NamedTuple):
    """A page of lines."""

    lines: tuple[LogLine, ...]
    upto: int
    """Offset behind the last of them."""
    gap: bool
    """Something is missing before them."""
    ended: bool
    """The last line has its end."""


class LogReader:
    """Reads one generation of one console's log, for one reader. Not for two threads at a time."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._indexes: dict[int, tuple[int, list[Stamp]]] = {}
        """Of the segments that are being read: how many records were read, and those still needed."""

    def plan(self, query: Query, end: int) -> Plan:
        """Where what is asked for begins and ends, in a log that ends at an offset.

        Raises:
            OSError: it cannot be read.
        """
        end = min(end, query.before or end)
        found = [segment for segment in segments(self._folder) if segment.start < end]
        if not found or not query.last:
            return Plan(end, end, False)
        oldest = start = found[0].start
        if query.boot:
            start = max(start, self._boot(found, end))
        if query.since > 0:
            start = max(start, self._since(found, query.since, end))
        start = max(start, _lines_back(found, query.last, start, end))
        return Plan(min(start, end), end, oldest > 0 and start == oldest)

    def read(self, offset: int, end: int) -> Part:
        """The next lines from an offset on, up to an end; not beyond a gap. Some, unless offset is the end.

        Raises:
            OSError: it cannot be read.
        """
        found = [
            segment for segment in segments(self._folder) if segment.end > offset and segment.start < end
        ]
        if not found:
            return Part((), end, offset < end, True)
        begin = max(offset, found[0].start)
        data, stamps = bytearray(), list[Stamp]()
        for segment in found:
            at = begin + len(data)
            room = min(PAGE_BYTES - len(data), end - at)
            if segment.start > at or room <= 0:
                break
            data += _bytes(segment, at, min(room, segment.end - at))
            stamps += self._index(segment)
            if begin + len(data) < segment.end:
                break
        if not data:
            return Part((), min(found[0].end, end), True, True)
        more = begin + len(data) < end and len(data) >= PAGE_BYTES
        lines = tuple(_lines(begin, bytes(data), stamps, more))
        last = lines[-1]
        self._forget(last.offset + len(last.data))
        return Part(lines, last.offset + len(last.data), begin > offset, last.data.endswith(b"\n"))

    def tail(self, end: int, size: int) -> tuple[int, bytes]:
        """The bytes right before an offset, so many at most and none across a gap; and where they begin.

        Raises:
            OSError: they cannot be read.
        """
        begin, parts = end, list[bytes]()
        for segment in reversed(segments(self._folder)):
            if segment.start >= begin:
                continue
            if segment.end < begin:
                break
            start = max(segment.start, end - size)
            data = _bytes(segment, start, begin - start)
            if len(data) < begin - start:
                break
            parts.append(data)
            begin = start
            if end - begin >= size:
                break
        return begin, b"".join(reversed(parts))

    def _boot(self, found: list[Segment], end: int) -> int:
        """Where the last boot's marker line begins; 0 if none is kept."""
        for segment in reversed(found):
            for stamp in reversed(_stamps(segment)):
                if stamp.kind == BOOT and stamp.offset < end:
                    lead = _bytes(segment, stamp.offset, _MARKER_LEAD).find(b"\n")
                    return stamp.offset + lead + 1
        return 0

    def _since(self, found: list[Segment], moment: float, end: int) -> int:
        """Where the line begins of which the first byte since then is a part."""
        at = found[0].start
        for segment in reversed(found):
            stamps = _stamps(segment)
            older = next((i for i in range(len(stamps) - 1, -1, -1) if stamps[i].utc < moment), None)
            if older is not None:
                at = stamps[older + 1].offset if older + 1 < len(stamps) else segment.end
                break
        if at >= end:
            return end
        for segment in found:
            if segment.start < at <= segment.end:
                lead = min(LONGEST, at - segment.start)
                before = _bytes(segment, at - lead, lead)
                return at - lead + before.rfind(b"\n") + 1
        return at

    def _index(self, segment: Segment) -> list[Stamp]:
        """The stamps of a segment that are still needed; what was read of it before is not read again."""
        count, stamps = self._indexes.get(segment.start, (0, []))
        new = _stamps(segment, count)
        stamps += new
        self._indexes[segment.start] = count + len(new), stamps
        return stamps

    def _forget(self, offset: int) -> None:
        """What lies before an offset is not read again."""
        needed: dict[int, tuple[int, list[Stamp]]] = {}
        for start in sorted(self._indexes)[-2:]:
            count, stamps = self._indexes[start]
            first = max(bisect_right(stamps, offset, key=lambda stamp: stamp.offset) - 1, 0)
            needed[start] = count, stamps[first:]
        self._indexes = needed


def _lines(begin: int, data: bytes, stamps: list[Stamp], more: bool) -> Iterator[LogLine]:
    """Lines of bytes. With `more` of the same line to come, what has no end is left for the next page."""
    offsets = [stamp.offset for stamp in stamps]
    at = count = 0
    while at < len(data) and count < PAGE_LINES:
        end = data.find(b"\n", at, at + LONGEST) + 1
        if not end:
            if more and count and len(data) - at < LONGEST:
                return
            end = min(at + LONGEST, len(data))
        index = max(bisect_right(offsets, begin + at) - 1, 0)
        utc, mono = (stamps[index].utc, stamps[index].mono) if stamps else (0.0, 0.0)
        yield LogLine(begin + at, utc, mono, data[at:end])
        at = end
        count += 1


def _lines_back(found: list[Segment], lines: int, start: int, end: int) -> int:
    """Where so many lines before an end begin; `start` if there are fewer."""
    wanted = lines
    first = True
    for segment in reversed(found):
        if segment.end <= start:
            break
        low, high = max(segment.start, start), min(segment.end, end)
        data = _bytes(segment, low, high - low)
        if first and data:
            wanted += data.endswith(b"\n")
            first = False
        here = data.count(b"\n")
        if here < wanted:
            wanted -= here
            continue
        at = len(data)
        for _ in range(wanted):
            at = data.rfind(b"\n", 0, at)
        return low + at + 1
    return start


def _stamps(segment: Segment, skip: int = 0) -> list[Stamp]:
    """The stamps of a segment behind so many of the first."""
    try:
        with open(segment.index_path, "rb") as file:  # noqa: PTH123 - the path is a string
            file.seek(skip * RECORD_SIZE)
            return unpack(file.read())
    except FileNotFoundError:
        return []


def _bytes(segment: Segment, offset: int, size: int) -> bytes:
    """Bytes of a segment; fewer, or none, if it ends before or has been dropped."""
    try:
        fd = os.open(segment.bytes_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    try:
        parts = bytearray()
        while len(parts) < size and (
            data := os.pread(fd, size - len(parts), offset - segment.start + len(parts))
        ):
            parts += data
        return bytes(parts)
    finally:
        os.close(fd)
