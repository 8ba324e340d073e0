"""Mouse events as guests read them."""

from __future__ import annotations

import pytest

from pilot.console.engine import Modes, MouseMode
from pilot.console.mouse import WHEEL_DOWN, WHEEL_UP, Action, MouseEvent, encode, focus

CLICK = Modes(mouse="click")
SGR = Modes(mouse="motion", mouse_sgr=True)


@pytest.mark.parametrize(
    ("event", "old", "sgr"),
    [
        (MouseEvent("press", 1, 0, 0), b"\x1b[M !!", b"\x1b[<0;1;1M"),
        (MouseEvent("press", 3, 9, 4), b'\x1b[M"*%', b"\x1b[<2;10;5M"),
        (MouseEvent("release", 1, 9, 4), b"\x1b[M#*%", b"\x1b[<0;10;5m"),
        (MouseEvent("press", WHEEL_UP, 0, 0), b"\x1b[M`!!", b"\x1b[<64;1;1M"),
        (MouseEvent("press", WHEEL_DOWN, 0, 0), b"\x1b[Ma!!", b"\x1b[<65;1;1M"),
        (MouseEvent("press", 2, 0, 0, shift=True, alt=True, ctrl=True), b"\x1b[M=!!", b"\x1b[<29;1;1M"),
        (MouseEvent("move", 1, 1, 1), b'\x1b[M@""', b"\x1b[<32;2;2M"),
        (MouseEvent("move", 0, 1, 1), b'\x1b[MC""', b"\x1b[<35;2;2M"),
        (MouseEvent("press", 1, 222, 222), b"\x1b[M \xff\xff", b"\x1b[<0;223;223M"),
        (MouseEvent("press", 1, 223, 0), None, b"\x1b[<0;224;1M"),
    ],
)
def test_both_forms(event: MouseEvent, old: bytes | None, sgr: bytes) -> None:
    assert encode(event, Modes(mouse="motion")) == old
    assert encode(event, SGR) == sgr


@pytest.mark.parametrize(
    ("action", "button", "asked"),
    [
        ("press", 1, ("click", "drag", "motion")),
        ("release", 1, ("click", "drag", "motion")),
        ("move", 1, ("drag", "motion")),
        ("move", 0, ("motion",)),
        ("press", WHEEL_UP, ("click", "drag", "motion")),
        ("release", WHEEL_UP, ()),
        ("press", 0, ()),
        ("press", 8, ()),
    ],
)
def test_only_what_was_asked_for(action: Action, button: int, asked: tuple[str, ...]) -> None:
    event = MouseEvent(action, button, 3, 3)
    modes: tuple[MouseMode, ...] = ("click", "drag", "motion")
    sent = {mode for mode in modes if encode(event, Modes(mouse=mode))}
    assert sent == set(asked)
    assert encode(event, Modes()) is None


def test_outside_of_the_screen_there_is_nothing() -> None:
    assert encode(MouseEvent("press", 1, -1, 0), SGR) is None
    assert encode(MouseEvent("press", 1, 0, -1), CLICK) is None


def test_focus() -> None:
    assert focus(True, Modes(focus_events=True)) == b"\x1b[I"
    assert focus(False, Modes(focus_events=True)) == b"\x1b[O"
    assert focus(True, Modes()) is None
