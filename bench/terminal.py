"""A console in the app: a key's echo, and a guest that floods it. Over SSH, on a terminal of 200 by 50."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.keystrokes import Pty
from bench.result import Row, at_least, below, median, percentile
from bench.workshop import ROOT, Workshop, console_script

MEGABYTES = 12
LONG = 80
"""Megabytes that last for as long as keys are typed."""
LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"
"""Each is typed once: no flood prints any of them, and what is drawn again is none that is waited for."""
PAUSE = 0.05
"""Seconds between two keys."""
READY_SECONDS = 30.0
FLOOD_SECONDS = 120.0
FRAME_MS = 17
ROWS, COLUMNS = 50, 200


class Figures(msgspec.Struct, frozen=True):
    """What was measured: megabytes a second, and milliseconds of each key."""

    plain: float
    coloured: float
    keys: list[float]
    echo: list[float]
    echo_outside: list[float]
    """The same in `pilot console`, without the app."""


async def measure(workshop: Workshop) -> list[Row]:
    """Echoes first, then floods, then keys of the app's own while a flood lasts."""
    figures = await asyncio.to_thread(_measure, workshop)
    echo, outside = median(figures.echo), median(figures.echo_outside)
    workshop.notes.append(
        f"Console in the app: floods of {MEGABYTES} MB at {COLUMNS}x{ROWS}. "
        f"The app's other keys during one: median {median(figures.keys):.0f} ms. "
        f"Key echo: p95 {percentile(figures.echo, 95):.1f} ms, in `pilot console` "
        f"{percentile(figures.echo_outside, 95):.1f} ms; from a stand-in for airboss that echoes at once."
    )
    return [
        Row(
            "key echo in the app's console",
            echo,
            "ms",
            "`pilot console`",
            outside,
            f"<= + {FRAME_MS} ms",
            echo <= outside + FRAME_MS,
        ),
        at_least("a boot log through the app's console", figures.plain, "MB/s", 4),
        Row("the same in colours", figures.coloured, "MB/s"),
        below("the app's other keys while a guest floods, p95", percentile(figures.keys, 95), "ms", 100),
    ]


def _measure(workshop: Workshop) -> Figures:
    folder = workshop.fresh("u")
    guest = subprocess.Popen(
        [sys.executable, "-m", "bench.flood_guest", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        _said(guest, "ready")
        with _opened(folder, "console", "compute-0-0") as terminal:
            _said(guest, "open")
            terminal.settle(0.5)
            echo_outside = [_key(terminal, letter) for letter in LETTERS]
        with _opened(folder) as terminal:
            _await(terminal, "compute-0-0")
            terminal.type(b"c")
            _said(guest, "open")
            terminal.listen(1.0)
            echo = [_key(terminal, letter) for letter in LETTERS]
            plain = _flood(guest, terminal, False)
            coloured = _flood(guest, terminal, True)
            terminal.type(b"\x1d/")
            _await(terminal, "/")
            _begin(guest, LONG, False, "never-seen")
            keys = [_key(terminal, letter) for letter in LETTERS]
    finally:
        guest.kill()
        guest.communicate()
    return Figures(plain, coloured, keys, echo, echo_outside)


@contextmanager
def _opened(folder: Path, *words: str) -> Iterator[Pty]:
    """`pilot` on a terminal; ended by force if need be."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "HOME": str(folder),
        "PILOT_CONFIG": str(folder / "config"),
        "LANG": "C.UTF-8",
        "COLORTERM": "truecolor",
    }
    terminal = Pty([*console_script("pilot"), *words], environment, ROWS, COLUMNS)
    try:
        yield terminal
    finally:
        terminal.end(b"\x1d")


def _await(terminal: Pty, text: str) -> None:
    if not terminal.await_text(text.encode(), READY_SECONDS):
        raise RuntimeError(f"no {text!r} came: {terminal.last!r}")


def _said(guest: subprocess.Popen[str], word: str) -> None:
    assert guest.stdout is not None
    if (line := guest.stdout.readline().strip()) != word:
        raise RuntimeError(f"the guest said {line!r} where {word!r} was due")


def _begin(guest: subprocess.Popen[str], megabytes: int, colour: bool, last: str) -> None:
    assert guest.stdin is not None
    guest.stdin.write(f"{megabytes} {colour:d} {last}\n")
    guest.stdin.flush()
    _said(guest, "begun")


def _flood(guest: subprocess.Popen[str], terminal: Pty, colour: bool) -> float:
    """Megabytes a second, from the first byte to the last word on the screen."""
    last = f"the-flood-{'in-colours-' if colour else ''}is-over"
    _begin(guest, MEGABYTES, colour, last)
    begin = time.perf_counter()
    if not terminal.await_text(last.encode(), FLOOD_SECONDS):
        raise RuntimeError(f"the flood did not end: {terminal.last!r}")
    return MEGABYTES / (time.perf_counter() - begin)


def _key(terminal: Pty, letter: str) -> float:
    """Milliseconds from a key to its letter on the app's own line."""
    begin = time.perf_counter()
    terminal.type(letter.encode())
    if not terminal.await_text(letter.encode(), 10):
        raise RuntimeError(f"a key was not taken: {terminal.last!r}")
    took = (time.perf_counter() - begin) * 1000
    pause = time.perf_counter() + PAUSE
    while (left := pause - time.perf_counter()) > 0:
        terminal.await_text(b"\0", left)  # read on: a terminal that does not read holds the app up
    return took
