"""Plays a recording of a terminal: at its pace or another, from any place of it. Knows no screen and no loop.

Of the file nothing is kept but where its markers are; of the terminal, what it was at some places. A seek
goes on from the nearest of them, and prints what is between in slices, while others have their turns.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from math import inf
from operator import attrgetter
from typing import BinaryIO, NamedTuple

from pilot import wire
from pilot.asciicast import MARKER, OUTPUT, RESIZE, Event, Header, Mark, Reader, read_size
from pilot.console.engine import Engine, State
from pilot.errors import CastError

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
MOST_BYTES = 512 * 1024 * 1024
"""Of a file: what is looked through before it is played."""
MOST_MARKERS = 1000
SLICE = 2048
"""Bytes that are printed before the clock is looked at."""
TURN_SECONDS = 0.012
"""Printing before others have their turn."""
KEPT_EVERY = 128 * 1024
"""Bytes of the file between two places whose terminal is kept: about 30 ms of printing."""
MOST_KEPT = 64
MOST_KEPT_COST = 512 * 1024 * 1024
"""Bytes of all that is kept, as if no two terminals had a line in common: they have most of them. Where it
becomes too much, every second is let go."""
_NEAR = 1.0
"""Seconds behind a marker in which a step back leads to the one before it."""


class Place(NamedTuple):
    """A marker."""

    time: float
    """Seconds since the beginning, as they are played."""
    label: str
    """Fit for a terminal."""


class Contents(NamedTuple):
    """What is in a file."""

    header: Header
    duration: float
    """Seconds, as they are played."""
    markers: tuple[Place, ...]
    """The first `MOST_MARKERS`, in their order."""
    trouble: str
    """Why what comes after `duration` cannot be played; empty if nothing does."""


def look_through(file: BinaryIO, idle: float = inf) -> Contents:
    """Read a file once from its beginning. That takes a while for a large one.

    Args:
        file: can be sought in.
        idle: seconds after which a pause in the recording is cut short.

    Raises:
        CastError: it is no recording, or too large.
    """
    if file.seek(0, 2) > MOST_BYTES:
        raise CastError(
            f"the file has more than {MOST_BYTES // 1024 // 1024} MiB", "`--print` prints it without playing."
        )
    file.seek(0)
    reader = Reader(file, may_grow=True)
    markers: list[Place] = []
    duration, trouble = 0.0, ""
    try:
        for duration, event in Paced(reader, idle):
            if event.code == MARKER and len(markers) < MOST_MARKERS:
                markers.append(Place(duration, wire.plain(event.data)))
    except CastError as error:
        trouble = error.message
    return Contents(reader.header, duration, tuple(markers), trouble)


class PacedMark(NamedTuple):
    """A place between two events."""

    reader: Mark
    at: float
    last: float


class Paced:
    """Events with the seconds at which they are played: no pause between two is longer than `idle`."""

    def __init__(self, reader: Reader, idle: float) -> None:
        """From where the reader is."""
        self._reader = reader
        self._idle = idle
        self._events = iter(reader)
        self._at = self._last = 0.0

    @property
    def mark(self) -> PacedMark:
        """Where it is: what was given so far is before it."""
        return PacedMark(self._reader.mark, self._at, self._last)

    def go_to(self, mark: PacedMark) -> None:
        """Go on from there."""
        self._reader.go_to(mark.reader)
        self._at, self._last = mark.at, mark.last
        self._events = iter(self._reader)

    def __iter__(self) -> Iterator[tuple[float, Event]]:
        """Itself."""
        return self

    def __next__(self) -> tuple[float, Event]:
        """The next one.

        Raises:
            CastError: a line that is none of the format.
        """
        event = next(self._events)
        self._at += min(event.time - self._last, self._idle)
        self._last = event.time
        return self._at, event


class _Kept(NamedTuple):
    """A place and the terminal there."""

    offset: int
    """Of the file, in bytes."""
    reached: float
    """Seconds: what was printed last. More of the same moment may follow."""
    state: State
    mark: PacedMark
    next: tuple[float, Event] | None


class Player:
    """One recording on one engine. Somebody calls `step` about every frame."""

    def __init__(
        self,
        file: BinaryIO,
        contents: Contents,
        engine: Engine,
        *,
        idle: float = inf,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At the beginning, playing.

        Args:
            file: what `contents` was read from.
            contents: by `look_through`, with the same `idle`.
            engine: this player's alone; it gets the recording's size.
            idle: seconds after which a pause in the recording is cut short.
            speed: from `SPEEDS`.
            clock: seconds that never go back.
        """
        self._file = file
        self.contents = contents
        self.engine = engine
        self.speed = speed
        self._clock = clock
        self.paused = False
        self.trouble = contents.trouble
        """Why it does not go on after its end, or ended early; empty if it is whole."""
        self._marker_times = [place.time for place in contents.markers]
        self._target = 0.0
        """The place of the recording that was played, or is sought, when the clock said `_since`."""
        self._since = clock()
        self._left = b""
        """What is not printed yet of an output."""
        self._reached = 0.0
        self.seeking = True
        """Whether what is shown is still before, or behind, `position`."""
        self._every = KEPT_EVERY
        file.seek(0)
        self._events = Paced(Reader(file, may_grow=True), idle)
        engine.reset()
        engine.resize(contents.header.columns, contents.header.rows)
        self._next = self._read()
        self._kept = [self._keep()]
        """In the order of the file; the first is the beginning."""

    # --- where it is -----------------------------------------------------------------------------

    @property
    def position(self) -> float:
        """Seconds since the beginning: what is shown, or will be once a seek is done."""
        if self.paused or self.seeking:
            return self._target
        played = self._target + (self._clock() - self._since) * self.speed
        return min(max(played, 0.0), self.contents.duration)

    @property
    def ended(self) -> bool:
        """Whether all of it was played."""
        return not self.seeking and self.position >= self.contents.duration

    @property
    def reached(self) -> float:
        """Seconds since the beginning of what was printed last."""
        return self._reached

    @property
    def marker(self) -> Place | None:
        """The last marker that was passed."""
        at = bisect_right(self._marker_times, self.position)
        return self.contents.markers[at - 1] if at else None

    # --- what somebody wants ---------------------------------------------------------------------

    def pause(self, paused: bool) -> None:
        """Stand still, or go on; at the end going on begins anew."""
        if not paused and self.ended:
            self.seek(0.0)
        self._hold(self.position)
        self.paused = paused

    def change_speed(self, step: int) -> None:
        """So many speeds of `SPEEDS` faster, or slower with a negative number."""
        self._hold(self.position)
        at = bisect_left(SPEEDS, self.speed)
        self.speed = SPEEDS[min(max(at + step, 0), len(SPEEDS) - 1)]

    def seek(self, position: float) -> None:
        """Go to a place, in seconds since the beginning; `step` gets there."""
        target = min(max(position, 0.0), self.contents.duration)
        self._hold(target)
        self.seeking = True
        nearest = self._kept[max(bisect_right(self._kept, target, key=attrgetter("reached")) - 1, 0)]
        if target < self._reached or nearest.offset > self._events.mark.reader.offset:
            self._go_to(nearest)

    def skip(self, seconds: float) -> None:
        """Go so far on, or back."""
        self.seek(self.position + seconds)

    def skip_marker(self, step: int) -> bool:
        """Go to the next marker, or with -1 to the one before; False if there is none."""
        now, times = self.position, self._marker_times
        at = bisect_right(times, now) if step > 0 else bisect_left(times, now - _NEAR) - 1
        if 0 <= at < len(times):
            self.seek(times[at])
            return True
        return False

    # --- printing --------------------------------------------------------------------------------

    def step(self, budget: float = TURN_SECONDS) -> bool:
        """Print what is due, for about so many seconds; whether anything was printed.

        What cannot be printed in time slows the recording down: nothing is left out.
        """
        target, until = self.position, time.perf_counter() + budget
        printed = False
        while self._due(target):
            printed = True
            self._print()
            if time.perf_counter() >= until:
                if not self.seeking and self._due(target):
                    self._hold(min(self._reached, target))
                return True
        if self.seeking:
            self.seeking = False
            self._hold(target)
        return printed

    def _hold(self, target: float) -> None:
        self._target, self._since = target, self._clock()

    def _read(self) -> tuple[float, Event] | None:
        try:
            return next(self._events, None)
        except CastError as error:
            self.trouble = self.trouble or error.message
            return None

    def _keep(self) -> _Kept:
        mark = self._events.mark
        return _Kept(mark.reader.offset, self._reached, self.engine.state(), mark, self._next)

    def _go_to(self, kept: _Kept) -> None:
        self.engine.return_to(kept.state)
        self._events.go_to(kept.mark)
        self._left, self._reached, self._next = b"", kept.reached, kept.next

    def _keep_some(self) -> None:
        """Keep the terminal if the place kept last is far enough."""
        offset = self._events.mark.reader.offset
        at = bisect_right(self._kept, offset, key=attrgetter("offset"))
        if offset - self._kept[at - 1].offset < self._every:
            return
        self._kept.insert(at, self._keep())
        if len(self._kept) > MOST_KEPT or sum(kept.state.cost for kept in self._kept) > MOST_KEPT_COST:
            del self._kept[1::2]
            self._every *= 2

    def _due(self, target: float) -> bool:
        return bool(self._left) or (self._next is not None and self._next[0] <= target)

    def _print(self) -> None:
        """A slice of an output, or one other event."""
        if not self._left and self._next is not None:
            self._keep_some()
            at, event = self._next
            self._reached = at
            if event.code == OUTPUT:
                self._left = event.data.encode("utf-8", "replace")
            elif event.code == RESIZE and (size := read_size(event.data)) is not None:
                self.engine.resize(*size)
            self._next = self._read()
        if self._left:
            # The parts of an output of 1 MiB are copied 512 times at most: a tenth of what printing takes.
            self.engine.feed(self._left[:SLICE])
            self._left = self._left[SLICE:]
            self.engine.take_answers()
