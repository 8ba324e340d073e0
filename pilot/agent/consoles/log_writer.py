"""Writes the logs of all consoles: one thread, in batches, behind a queue that has a bound.

Who prints is never held up. What does not fit the queue, or cannot be written, is left out: the offsets then
show that it is missing. What is left out is not tried again, so that a disk that is full costs no memory.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from pilot.agent.consoles.log_files import Run

EVERY = 0.1
"""Seconds in which what comes is gathered."""
LONGEST = 2.0
"""Seconds it may become, so that writing takes a fifth of the time at most."""
PULSE = 10.0
"""Seconds after which it does what is regular, if nothing comes."""
MOST = 32 * 1024 * 1024
MOST_OF_ONE = 4 * 1024 * 1024
"""Bytes that wait, of all consoles and of one."""
LEAST_OF_ONE = 16 * 1024
"""Bytes of one that may wait even if all together are too many: who floods takes no room from others."""
_ITEM = 200
"""Bytes that something that waits takes besides what was printed."""


class Log(Protocol):
    """One console's log, as the writer's thread uses it."""

    waiting: int
    """Bytes of it that wait; used under the writer's lock."""

    def write(self, runs: list[Run]) -> None:
        """Take what was printed to the disk. Never raises."""


Work = Callable[[], None]

_log = logging.getLogger(__name__)


class Writer:
    """The thread. `put` is for one thread, what else there is for any."""

    def __init__(self, pulse: Work, later: Callable[[float, Work], object]) -> None:
        """It runs from now on.

        Args:
            pulse: called in it about every ten seconds.
            later: has something done so many seconds after `put` was called: then the thread wakes. Were it
                woken at once, who waits for a key's echo would wait for a change of threads.
        """
        self._pulse = pulse
        self._later = later
        self._pause = EVERY
        self._expected = False
        """The thread will be woken."""
        self._condition = threading.Condition()
        self._runs: list[tuple[Log, Run | Work]] = []
        self._waiting = 0
        self._hurry = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="console-log", daemon=True)
        self._thread.start()

    def put(self, log: Log, run: Run) -> bool:
        """Queue what was printed; whether there was room for it."""
        size = len(run.data) + _ITEM
        with self._condition:
            most = MOST_OF_ONE if self._waiting + size <= MOST else LEAST_OF_ONE
            if log.waiting + size > most:
                return False
            log.waiting += size
            self._waiting += size
            self._runs.append((log, run))
            expected, self._expected = self._expected, True
            if not self._hurry and (log.waiting > MOST_OF_ONE // 4 or self._waiting > MOST // 4):
                self._wake()
        if not expected:
            self._later(self._pause, self.wake)
        return True

    def do(self, log: Log, work: Work) -> None:
        """Have something done between what was printed before and what comes after. It must not raise."""
        with self._condition:
            self._runs.append((log, work))
            self._wake()

    def wake(self) -> None:
        """Write what waits, now."""
        with self._condition:
            self._wake()

    def _wake(self) -> None:
        self._hurry = True
        self._condition.notify()

    def flush(self, log: Log) -> Future[None]:
        """Done once all that was queued before has been written, or has failed."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # Who waits may give up; what is done in the thread does not.
        self.do(log, lambda: done.set_result(None))
        return done

    def close(self, seconds: float) -> bool:
        """Write what waits, and end; whether it did so in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        beat = time.monotonic()
        while True:
            with self._condition:
                if not (self._hurry or self._stopping):
                    self._condition.wait(max(beat + PULSE - time.monotonic(), 0.0))
                runs, self._runs, self._hurry, self._expected = self._runs, [], False, False
                stopping = self._stopping
            begun = time.monotonic()
            if runs:
                self._write(runs)
            took = time.monotonic() - begun
            self._pause = min(max(EVERY, 4 * took), LONGEST)
            if stopping and not self._runs:
                self._pulse()
                return
            if time.monotonic() >= beat + PULSE:
                beat = time.monotonic()
                self._pulse()

    def _write(self, items: list[tuple[Log, Run | Work]]) -> None:
        per_log: dict[Log, list[Run | Work]] = {}
        for log, item in items:
            per_log.setdefault(log, []).append(item)
        items.clear()
        for log, queued in per_log.items():
            runs: list[Run] = []
            size = 0
            for item in queued:
                if isinstance(item, Run):
                    runs.append(item)
                    size += len(item.data) + _ITEM
                    continue
                if runs:
                    _do(partial(log.write, runs))
                    runs = []
                _do(item)
            if runs:
                _do(partial(log.write, runs))
            with self._condition:
                log.waiting -= size
                self._waiting -= size


def _do(work: Work) -> None:
    """One console's trouble is not that of the others: the thread goes on, whatever happens."""
    try:
        work()
    except Exception:
        _log.exception("the log of a console")
