"""Plays a recording of a terminal: at its pace or another, from any place of it. Knows no screen and no loop.

A terminal's state cannot be copied: a seek back prints the recording again from its beginning, in slices,
while others have their turns. Nothing of the file is kept but where its markers are.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from math import inf
from typing import BinaryIO, NamedTuple

from pilot import wire
from pilot.asciicast import MARKER, OUTPUT, RESIZE, Event, Header, Reader, read_size
from pilot.console.engine import Engine
from pilot.errors import CastError

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
MOST_BYTES = 512 * 1024 * 1024
"""Of a file: what is looked through before it is played."""
MOST_MARKERS = 1000
SLICE = 2048
"""Bytes that are printed before the clock is looked at."""
TURN_SECONDS = 0.012
"""Printing before others have their turn."""
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
        for duration, event in paced(reader, idle):
            if event.code == MARKER and len(markers) < MOST_MARKERS:
                markers.append(Place(duration, wire.plain(event.data)))
    except CastError as error:
        trouble = error.message
    return Contents(reader.header, duration, tuple(markers), trouble)


def paced(reader: Reader, idle: float) -> Iterator[tuple[float, Event]]:
    """Events with the seconds at which they are played: no pause between two is longer than `idle`.

    Raises:
        CastError: a line that is none of the format.
    """
    at = last = 0.0
    for event in reader:
        at += min(event.time - last, idle)
        last = event.time
        yield at, event


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
        self._idle = idle
        self.speed = speed
        self._clock = clock
        self.paused = False
        self.trouble = contents.trouble
        """Why it does not go on after its end, or ended early; empty if it is whole."""
        self._target = 0.0
        """The place of the recording that was played, or is sought, when the clock said `_since`."""
        self._since = clock()
        self._begin()

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
        if target < self._reached:
            self._begin()

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

    def _begin(self) -> None:
        """An empty terminal, and the file from its first event on."""
        self._marker_times = [place.time for place in self.contents.markers]
        self._file.seek(0)
        header = self.contents.header
        self.engine.reset()
        self.engine.resize(header.columns, header.rows)
        self._reached = 0.0
        self._left = b""
        self._next: tuple[float, Event] | None = None
        self.seeking = True
        try:
            self._events: Iterator[tuple[float, Event]] = paced(Reader(self._file, may_grow=True), self._idle)
            self._next = next(self._events, None)
        except CastError as error:
            self._fail(error)

    def _due(self, target: float) -> bool:
        return bool(self._left) or (self._next is not None and self._next[0] <= target)

    def _print(self) -> None:
        """A slice of an output, or one other event."""
        if not self._left and self._next is not None:
            at, event = self._next
            self._reached = at
            if event.code == OUTPUT:
                self._left = event.data.encode("utf-8", "replace")
            elif event.code == RESIZE and (size := read_size(event.data)) is not None:
                self.engine.resize(*size)
            try:
                self._next = next(self._events, None)
            except CastError as error:
                self._fail(error)
        if self._left:
            # The parts of an output of 1 MiB are copied 512 times at most: a tenth of what printing takes.
            self.engine.feed(self._left[:SLICE])
            self._left = self._left[SLICE:]
            self.engine.take_answers()

    def _fail(self, error: CastError) -> None:
        self.trouble = self.trouble or error.message
        self._next = None
