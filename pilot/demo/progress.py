"""Tells a person which part is being built, and how long each took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PATIENCE_SECONDS = 1.5
"""A part that takes longer is named before it is done."""


class Progress:
    """Lines on stderr: a part when it is done, and those that take long when that shows."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._started = time.monotonic()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """The work inside is building the part of this name. May be used from several threads at once."""
        begin = time.monotonic()
        late = threading.Timer(PATIENCE_SECONDS, self._line, (f"  ....    {name} …",))
        late.daemon = True
        late.start()
        try:
            yield
        except BaseException:
            late.cancel()
            self._line(f"  failed  {name}")
            raise
        late.cancel()
        self._line(f"  {time.monotonic() - begin:4.1f} s  {name}")

    def say(self, text: str) -> None:
        """A line of its own."""
        self._line(text)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def _line(self, text: str) -> None:
        with self._lock:
            print(text, file=self._stream, flush=True)
