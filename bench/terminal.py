"""A guest that floods its console: over SSH, through engine and widget, to a terminal of 200 by 50."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

from bench.keystrokes import Pty
from bench.result import Row, at_least, below, percentile
from bench.workshop import ROOT, Workshop

MEGABYTES = 12
LONG = 80
"""Megabytes that last for as long as keys are typed."""
KEYS = 60
PAUSE = 0.05
"""Seconds between two keys."""
READY_SECONDS = 30.0
FLOOD_SECONDS = 120.0
ROWS, COLUMNS = 50, 200


async def measure(workshop: Workshop) -> list[Row]:
    """Floods first, then keys of the app's own while a flood lasts."""
    plain, coloured, times = await asyncio.to_thread(_measure, workshop)
    workshop.notes.append(
        f"Floods of {MEGABYTES} MB through the whole app at {COLUMNS}x{ROWS}; "
        f"the app's other keys during one: median {percentile(times, 50):.0f} ms."
    )
    return [
        at_least("a boot log through the app's console", plain, "MB/s", 4),
        Row("the same in colours", coloured, "MB/s"),
        below("the app's other keys while a guest floods, p95", percentile(times, 95), "ms", 100),
    ]


def _measure(workshop: Workshop) -> tuple[float, float, list[float]]:
    folder = workshop.fresh("u")
    guest = subprocess.Popen(
        [sys.executable, "-m", "bench.flood_guest", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert guest.stdin is not None
    assert guest.stdout is not None
    try:
        config = folder / "config"
        command = [
            *(sys.executable, "-m", "bench.flood_app", guest.stdout.readline().strip()),
            *(str(config / "id_ed25519"), str(config / "known_hosts")),
        ]
        terminal = Pty(command, {**os.environ, "COLORTERM": "truecolor"}, ROWS, COLUMNS)
        try:
            if not terminal.await_text(b"key 0.", READY_SECONDS):
                raise RuntimeError(f"the app did not start: {terminal.last!r}")
            _said(guest, "open")
            plain = _flood(guest, terminal, False)
            coloured = _flood(guest, terminal, True)
            _begin(guest, LONG, False, "never-seen")
            return plain, coloured, [_key(terminal, number) for number in range(1, KEYS + 1)]
        finally:
            terminal.end(b"\x11")
    finally:
        guest.kill()
        guest.communicate()


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


def _key(terminal: Pty, number: int) -> float:
    """Milliseconds from a key to what it changes on the screen."""
    begin = time.perf_counter()
    terminal.type(b"x")
    if not terminal.await_text(b"key %d." % number, 10):
        raise RuntimeError(f"a key was not taken: {terminal.last!r}")
    took = (time.perf_counter() - begin) * 1000
    pause = time.perf_counter() + PAUSE
    while (left := pause - time.perf_counter()) > 0:
        terminal.await_text(b"\0", left)  # read on: a terminal that does not read holds the app up
    return took
