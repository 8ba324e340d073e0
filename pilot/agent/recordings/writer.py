"""Writes all recordings: one thread behind a queue that has a bound.

Who prints is never held up: a recording that the disk does not keep up with ends, with words.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pilot.agent.recordings.file import SEAL_BYTES, RecordingFile
from pilot.asciicast import OUTPUT, Header
from pilot.recording_seals import Seal

MOST = 16 * 1024 * 1024
MOST_OF_ONE = 4 * 1024 * 1024
"""Bytes that wait for the disk, of all recordings and of one."""
LEAST_OF_ONE = 128 * 1024
"""Bytes of one that may wait even if all together are too many: a flood ends its own recording, no other."""
_ITEM = 200
"""Bytes that something that waits takes besides what was printed."""
_PULSE = 1.0

_log = logging.getLogger(__name__)


class Told(Protocol):
    """Who is told, in the writer's thread."""

    def sealed(self, id: str, seal: Seal) -> None:
        """A part is on the disk; its seal belongs in the journal."""

    def ended(self, id: str, why: str, size: int) -> None:
        """Nothing more is written to it; its last seal, if the disk took it, was told before."""


class _One:
    """A recording that goes on."""

    def __init__(self, id: str, file: RecordingFile) -> None:
        self.id = id
        self.file = file
        self.waiting = 0
        """Bytes in the queue; used under the lock."""
        self.full = False
        """Takes nothing more; used under the lock."""
        self.done = False
        """Closed; used in the thread."""


class RecordingWriter:
    """The thread, and the recordings that go on."""

    def __init__(self, told: Told, clock: Callable[[], float]) -> None:
        """It runs from now on. The clock is monotonic, in seconds; recordings' times are by it."""
        self._told = told
        self._clock = clock
        self._condition = threading.Condition()
        self._queue: deque[tuple[_One, Callable[[], str | None], int]] = deque()
        self._waiting = 0
        self._going: dict[str, tuple[_One, float]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    def begin(self, id: str, path: Path, header: Header, limit: int) -> None:
        """Begin a recording. Blocks for the disk: call it in a thread of your own.

        Raises:
            OSError: the file cannot be written.
        """
        one = _One(id, RecordingFile(path, header, limit))
        with self._condition:
            self._going[id] = one, self._clock()
            self._condition.notify()

    def printed(self, id: str, data: bytes, code: str = OUTPUT) -> None:
        """This was printed (or typed) now. Never waits; nothing happens if no such recording goes on."""
        self._put(id, len(data), lambda one, time: one.file.printed(time, data, code))

    def mark(self, id: str, code: str, words: str) -> None:
        """A marker, or a new size; as for `printed`."""
        self._put(id, len(words), lambda one, time: one.file.mark(time, code, words))

    def end(self, id: str, why: str) -> None:
        """End it once what came before is written."""
        with self._condition:
            going = self._going.get(id)
            if going is not None and not going[0].full:
                self._last(going[0], why)

    def close(self, seconds: float, why: str) -> bool:
        """End all, and the thread; whether that was done in time."""
        with self._condition:
            for one, _ in self._going.values():
                if not one.full:
                    self._last(one, why)
            self._stopping = True
            self._condition.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _put(self, id: str, length: int, write: Callable[[_One, float], bool]) -> None:
        size = length + _ITEM
        with self._condition:
            going = self._going.get(id)
            if going is None or going[0].full:
                return
            one, begun = going
            most = MOST_OF_ONE if self._waiting + size <= MOST else LEAST_OF_ONE
            if one.waiting + size > most:
                self._last(one, "the disk did not keep up")
                return
            time = self._clock() - begun
            self._add(one, lambda: None if write(one, time) else "it reached its limit", size)

    def _last(self, one: _One, why: str) -> None:
        one.full = True
        self._add(one, lambda: why, 0)

    def _add(self, one: _One, work: Callable[[], str | None], size: int) -> None:
        one.waiting += size
        self._waiting += size
        self._queue.append((one, work, size))
        self._condition.notify()

    def _run(self) -> None:
        beat = self._clock()
        while True:
            with self._condition:
                if not self._queue and not self._stopping:
                    self._condition.wait(_PULSE if self._going else None)
                item = self._queue.popleft() if self._queue else None
                if item is None and self._stopping:
                    return
                if item is not None:
                    item[0].waiting -= item[2]
                    self._waiting -= item[2]
                # Also while others print: a quiet one's part is due by time.
                pulse = self._clock() >= beat + _PULSE
                quiet = [one for one, _ in self._going.values()] if pulse else []
            if item is not None and not item[0].done:
                self._step(item[0], item[1])
            if pulse:
                beat = self._clock()
            for one in quiet:
                if not one.done:
                    self._step(one, lambda: None)

    def _step(self, one: _One, work: Callable[[], str | None]) -> None:
        with self._condition:
            begun = self._going[one.id][1]
        try:
            why = work()
            time = self._clock() - begun
            if why is None and one.file.due(time, one.waiting > SEAL_BYTES):
                seal = one.file.seal(time)
                self._tell(lambda: self._told.sealed(one.id, seal))
        except OSError as error:
            why = f"the disk did not take it: {error.strerror}"
        except Exception as bug:
            _log.exception("recording %s", one.id)
            why = f"airboss failed inside: {type(bug).__name__}"
        if why is None:
            return
        one.done = True
        last = one.file.close(self._clock() - begun)
        with self._condition:
            del self._going[one.id]
        if last is not None:
            self._tell(lambda: self._told.sealed(one.id, last))
        self._tell(lambda: self._told.ended(one.id, why, one.file.size))

    def _tell(self, what: Callable[[], None]) -> None:
        """One recording's trouble is not that of the others."""
        try:
            what()
        except Exception:
            _log.exception("telling of a recording")
