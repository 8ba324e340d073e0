"""Lines of airboss's own in what a console printed: what happened to the node, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pilot.agent.consoles.modes import BOTTOM, CANCEL
from pilot.agent.consoles.tracker import ModeTracker
from pilot.wire import plain

Form = Callable[[ModeTracker, str], bytes]
"""How a marker is set into what is on the screen: `closing` or `aside`."""


def words(name: str, text: str, time: float) -> str:
    """A marker's words, without what sets it on the screen."""
    return f"[pilot {stamp(time)} {plain(name)}: {plain(text)}]"


def stamp(time: float) -> str:
    """A moment, in seconds since the epoch, as markers have it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def closing(state: ModeTracker, marker: str) -> bytes:
    """A marker for a guest that prints no more: the terminal is put at rest, its screen is kept."""
    cancel = CANCEL if state.pending else b""
    return cancel + state.modes.leave() + b"\r\n" + _dim(marker) + b"\r\n"


def aside(state: ModeTracker, marker: str) -> bytes:
    """A marker while the guest goes on: the terminal's modes are afterwards as they were.

    In the alternate screen it covers the last line, where it spoils least.
    """
    modes = state.modes
    cancel = CANCEL if state.pending else b""
    if modes.alternate:
        return cancel + b"\x1b7" + modes.plain_pen() + BOTTOM + b"\x1b[2K" + _dim(marker) + b"\x1b8"
    return cancel + modes.plain_pen() + b"\r\n" + _dim(marker) + b"\r\n" + modes.pen()


def _dim(marker: str) -> bytes:
    return b"\x1b[2m" + marker.encode() + b"\x1b[m"
