"""Moving the cursor of a table in a terminal, and waiting until it is seen on another row."""

from __future__ import annotations

import re
import time

from bench.keystrokes import Pty

DOWN = b"\x1b[B"
UP = b"\x1b[A"
_UNDER_BAR = re.compile(rb"\xe2\x96\x8c[^\n]{0,250}?((?:compute|vm-container)-0-\d+)\b")


def await_other_row(terminal: Pty, name: bytes, seconds: float) -> bytes:
    """Read until the cursor's bar stands at another row than that of this name; gives that row's name.

    Raises:
        AssertionError: it did not in time.
    """
    seen = b""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        terminal.settle(0.0005)
        seen += bytes(terminal.seen)
        terminal.seen.clear()
        for found in _UNDER_BAR.finditer(seen):
            if found[1] != name:
                return found[1]
    raise AssertionError(f"the cursor does not move: {terminal.last!r}")
