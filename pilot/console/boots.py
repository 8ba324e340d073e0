"""Where a node was turned on, in what its console printed: airboss marks it with a line of its own."""

from __future__ import annotations

import re
from typing import NamedTuple

from pilot.console.engine import Engine

_MARKER = re.compile(r"\[pilot (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) .{1,200}: turned on\]")
_BEGIN = "[pilot "
_ROWS = 8
"""Rows that a marker is wrapped to at most; what is wrapped to more is none."""


class Boot(NamedTuple):
    """A place where the node was turned on."""

    line: int
    """The number of the marker's line plus the engine's `dropped`."""
    time: str
    """As the marker says it: UTC."""


def boot_above(engine: Engine, line: int | None) -> Boot | None:
    """The newest one above a line (its number plus `dropped`), or above the end if that is None."""
    end = engine.history + engine.rows
    below = end if line is None else max(0, min(line - engine.dropped, end))
    for number in range(below - 1, -1, -1):
        text = engine.text(number)
        if not text.startswith(_BEGIN):
            continue
        rows = number
        while engine.wrapped(rows) and rows - number < _ROWS:
            rows += 1
            text += engine.text(rows)
        if match := _MARKER.fullmatch(text.rstrip()):
            return Boot(number + engine.dropped, match[1])
    return None
