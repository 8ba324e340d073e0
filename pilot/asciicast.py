"""Terminal recordings as files: asciicast v3, and v2 for older players.

One line of JSON for the header, then one for each event. In v3 an event has the seconds since the event
before it, in v2 those since the beginning. Sources: docs.asciinema.org/manual/asciicast/v3/ and …/v2/.
A file may come from anywhere: what is read of it has bounds.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, BinaryIO, NamedTuple

import msgspec
from msgspec import Meta

from pilot.errors import CastError

OUTPUT, INPUT, MARKER, RESIZE, EXIT = "o", "i", "m", "r", "x"
MAX_LINE = 1024 * 1024
"""Bytes of one line."""
MAX_SIZE = 1000
"""Columns, rows: what a terminal is drawn with at most."""
_LAST_MOMENT = 253_402_300_799
"""The end of the year 9999: what comes after it is no date."""
LONGEST = 10 * 366 * 86400.0
"""Seconds of a recording."""
_MAX_TEXT = 200
_DIGITS = 6

_Size = Annotated[int, Meta(ge=1, le=MAX_SIZE)]


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording is of."""

    columns: int = 80
    rows: int = 24
    timestamp: int | None = None
    """When it began, in seconds since the epoch."""
    title: str = ""
    type: str = ""
    """The terminal's, as in TERM."""
    version: int = 3


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    time: float
    """Seconds since the recording began."""
    code: str
    data: str


class _Version(msgspec.Struct):
    version: int


class _Term(msgspec.Struct, omit_defaults=True):
    cols: _Size
    rows: _Size
    type: str | None = None


class _Header3(msgspec.Struct, omit_defaults=True):
    version: int
    """First: programs tell by it what file it is."""
    term: _Term
    timestamp: int | None = None
    title: str | None = None


class _Header2(msgspec.Struct, omit_defaults=True):
    version: int
    width: _Size
    height: _Size
    timestamp: float | None = None
    title: str | None = None
    env: dict[str, str | None] | None = None


class Text:
    """Bytes of a terminal as text: a character whose bytes come apart is given once, when it is whole.

    What is not UTF-8 becomes U+FFFD: the format has no bytes.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, data: bytes) -> str:
        """What is whole by now."""
        return self._decoder.decode(data)

    def finish(self) -> str:
        """What will not become whole any more."""
        return self._decoder.decode(b"", final=True)


class Encoder:
    """Makes the lines of a file. Its times do not drift, however many events are rounded."""

    def __init__(self, header: Header) -> None:
        """Begin a file of the header's version, 2 or 3."""
        if header.version not in (2, 3):
            raise ValueError(f"asciicast v{header.version} cannot be written")
        self._header = header
        self._last = 0

    def header(self) -> bytes:
        """The first line."""
        of = self._header
        whole: _Header2 | _Header3
        if of.version == 3:
            term = _Term(of.columns, of.rows, of.type or None)
            whole = _Header3(3, term, of.timestamp, of.title or None)
        else:
            env: dict[str, str | None] | None = {"TERM": of.type} if of.type else None
            whole = _Header2(2, of.columns, of.rows, of.timestamp, of.title or None, env)
        return msgspec.json.encode(whole) + b"\n"

    def event(self, event: Event) -> bytes:
        """One line. A time before the last one's, of a clock that was set back, counts as the last one."""
        now = max(round(event.time * 10**_DIGITS), self._last)
        since = 0 if self._header.version == 2 else self._last
        self._last = now
        line = [round((now - since) / 10**_DIGITS, _DIGITS), event.code, event.data]
        return msgspec.json.encode(line) + b"\n"


class Mark(NamedTuple):
    """A place between two events of a file, for the reader of that file to go on from."""

    offset: int
    """In bytes."""
    line: int
    time: float
    """The last event's."""


class Reader:
    """Reads a file, event by event, in memory that does not depend on its size."""

    def __init__(self, file: BinaryIO, *, may_grow: bool = False) -> None:
        """Read the header.

        Args:
            file: at its beginning.
            may_grow: a last line without its end is not complained of: `cut` says so.

        Raises:
            CastError: it is not asciicast v2 or v3.
        """
        self._file = file
        self._may_grow = may_grow
        self._number = 0
        self._offset = 0
        self._time = 0.0
        self.cut = False
        """The last line is not whole."""
        line = self._line()
        try:
            version = msgspec.json.decode(line or b"", type=_Version).version
            self.header = _read_header(line or b"", version)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise self._bad(f"is not the header of an asciicast v2 or v3: {_short(error)}") from None

    @property
    def mark(self) -> Mark:
        """Where it is: what was given by an iterator so far is before it."""
        return Mark(self._offset, self._number, self._time)

    def go_to(self, mark: Mark) -> None:
        """Go on from there, with the same iterator or another."""
        self._file.seek(mark.offset)
        self._offset, self._number, self._time = mark
        self.cut = False

    def __iter__(self) -> Iterator[Event]:
        """Events in their order. Those of kinds that are not known are left out, as the format asks.

        Raises:
            CastError: a line that is none of the format, with its number.
        """
        decoder = msgspec.json.Decoder(tuple[float, str, str])
        relative = self.header.version == 3
        while (line := self._line()) is not None:
            if not line.strip() or (relative and line.startswith(b"#")):
                continue
            try:
                when, code, data = decoder.decode(line)
            except (ValueError, RecursionError, msgspec.MsgspecError) as error:
                if self.cut:
                    return
                raise self._bad(f"is no event: {_short(error)}") from None
            if when < 0 or (not relative and when < self._time):
                raise self._bad("goes back in time")
            self._time = self._time + when if relative else when
            if not self._time <= LONGEST:
                raise self._bad("is more than ten years after the beginning")
            if code in (OUTPUT, INPUT, MARKER, EXIT):
                yield Event(self._time, code, data)
            elif code == RESIZE:
                if read_size(data) is None:
                    raise self._bad("is no size such as 80x24")
                yield Event(self._time, code, data)

    def _line(self) -> bytes | None:
        """The next; None at the end."""
        self._number += 1
        line = self._file.readline(MAX_LINE + 1)
        self._offset += len(line)
        if len(line) > MAX_LINE:
            raise self._bad(f"is longer than {MAX_LINE:,} bytes")
        self.cut = self._may_grow and bool(line) and not line.endswith(b"\n")
        return line or None

    def _bad(self, what: str) -> CastError:
        return CastError(f"line {self._number} {what}", "The file is no recording, or it is damaged.")


def read_size(data: str) -> tuple[int, int] | None:
    """Columns and rows of a resize's data; None if it is none that can be drawn."""
    columns, x, rows = data.partition("x")
    if not (x and len(data) <= 9 and data.isascii() and columns.isdigit() and rows.isdigit()):
        return None
    size = int(columns), int(rows)
    return size if all(1 <= one <= MAX_SIZE for one in size) else None


def convert(reader: Reader, version: int) -> Iterator[bytes]:
    """The lines of the same recording in another version. v2 has no event of an exit: that is left out."""
    encoder = Encoder(replace(reader.header, version=version))
    yield encoder.header()
    events: Iterable[Event] = reader
    for event in events:
        if version == 3 or event.code != EXIT:
            yield encoder.event(event)


def _read_header(line: bytes, version: int) -> Header:
    if version == 3:
        of = msgspec.json.decode(line, type=_Header3)
        kind = of.term.type or ""
        return Header(
            of.term.cols, of.term.rows, _moment(of.timestamp), (of.title or "")[:_MAX_TEXT], kind[:_MAX_TEXT]
        )
    if version == 2:
        old = msgspec.json.decode(line, type=_Header2)
        kind = (old.env or {}).get("TERM") or ""
        return Header(
            old.width, old.height, _moment(old.timestamp), (old.title or "")[:_MAX_TEXT], kind[:_MAX_TEXT], 2
        )
    raise ValueError(f"version {version}"[:40])


def _moment(timestamp: float | None) -> int | None:
    """When a recording says that it began; None if it says nothing, or nonsense."""
    return int(timestamp) if timestamp is not None and 0 <= timestamp <= _LAST_MOMENT else None


def _short(error: Exception) -> str:
    return str(error)[:120]
