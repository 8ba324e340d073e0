"""Mouse events into what a terminal sends for them, by the xterm control sequences document (ctlseqs)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pilot.console.engine import Modes

Action = Literal["press", "release", "move"]

WHEEL_UP, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT = 4, 5, 6, 7
"""Wheels are buttons that are pressed and never released."""
_FARTHEST = 222
"""The last column or row, counted from 0, that the old form of one byte has a place for."""


class MouseEvent(NamedTuple):
    """What happened with the mouse over the guest's screen."""

    action: Action
    button: int
    """1 left, 2 middle, 3 right, 4 to 7 wheels; 0 for a move without a button held."""
    column: int
    """From 0."""
    row: int
    shift: bool = False
    alt: bool = False
    ctrl: bool = False


def encode(event: MouseEvent, modes: Modes) -> bytes | None:
    """What the guest gets for an event; None if it did not ask for such, or there is no form for it."""
    if not modes.mouse or event.column < 0 or event.row < 0 or not 0 <= event.button <= WHEEL_RIGHT:
        return None
    if event.action == "move":
        if modes.mouse == "click" or (modes.mouse == "drag" and not event.button):
            return None
    elif not event.button or (event.action == "release" and event.button >= WHEEL_UP):
        return None
    code = _code(event)
    if modes.mouse_sgr:
        final = "m" if event.action == "release" else "M"
        return f"\x1b[<{code};{event.column + 1};{event.row + 1}{final}".encode()
    if event.column > _FARTHEST or event.row > _FARTHEST:
        return None
    if event.action == "release":
        code |= 3  # The old form does not say which button it was.
    return b"\x1b[M" + bytes((32 + code, 33 + event.column, 33 + event.row))


def _code(event: MouseEvent) -> int:
    if event.button >= WHEEL_UP:
        code = 64 + event.button - WHEEL_UP
    else:
        code = event.button - 1 if event.button else 3
    code |= 4 * event.shift | 8 * event.alt | 16 * event.ctrl
    return code | 32 if event.action == "move" else code


def focus(gained: bool, modes: Modes) -> bytes | None:
    """What the guest gets when its console gains or loses the focus; None if it did not ask."""
    if not modes.focus_events:
        return None
    return b"\x1b[I" if gained else b"\x1b[O"
