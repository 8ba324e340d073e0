"""How fast the terminal engine of console tabs is, on what guests print.

Beside it: the emulator that it is built on, by itself: no allow-list before it, no lines kept.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable

from bench.result import Row, at_least, below, median
from bench.workshop import Workshop

ROUNDS = 5
CHUNK = 4096
"""Bytes fed at once."""
SEARCHED = 10_000
"""Lines of scrollback that are searched."""
LINE = 115_200 / 10
"""Bytes a second of the fastest usual serial line."""


async def measure(workshop: Workshop) -> list[Row]:
    """A boot log, coloured text and jumps of the cursor, in turns."""
    from bittty.devices.board import Board

    from pilot.console.bittty_engine import SCROLLBACK_LINES, BitttyEngine

    rows = list[Row]()
    for what, data, least in (
        ("boot log", _boot_log(), 4.0),
        ("coloured words", _colours(), 2.0),
        ("cursor jumps", _jumps(), 2.0),
    ):
        ours, bare = list[float](), list[float]()
        for _ in range(ROUNDS):
            ours.append(_rate(BitttyEngine().feed, data))
            bare.append(_rate(Board(width=80, height=24).feed_host_data, data))
        rows.append(
            at_least(
                f"terminal engine: {what}", median(ours), "MB/s", least, "bittty by itself", median(bare)
            )
        )
    rows.append(below(f"terminal engine: {SEARCHED:,} lines searched", _searched(), "ms", 50))
    workshop.notes.append(
        f"Terminal engine: 80x24, {CHUNK // 1024} KiB at a time, {SCROLLBACK_LINES:,} lines of scrollback. "
        f"A serial line of 115,200 Bd carries {LINE / 1e6:.3f} MB/s."
    )
    return rows


def _searched() -> float:
    """Milliseconds until all that fits is found in what has scrolled off a console."""
    from pilot.console.bittty_engine import BitttyEngine
    from pilot.console.search import Search

    shown = BitttyEngine(scrollback=SEARCHED)
    shown.feed(b"".join(b"pci device %d: error at 0x%x\r\n" % (n, n) for n in range(SEARCHED)))
    times = list[float]()
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        found = Search("error at 0x9").all(shown)
        times.append((time.perf_counter() - begin) * 1000)
        assert len(found) > 100
    return median(times)


def _rate(feed: Callable[[bytes], object], data: bytes) -> float:
    """Megabytes a second of the processor's."""
    gc.collect()
    begin = time.process_time()
    for start in range(0, len(data), CHUNK):
        feed(data[start : start + CHUNK])
    return len(data) / (time.process_time() - begin) / 1e6


def _boot_log() -> bytes:
    chance = random.Random(1)
    return b"".join(
        b"[%12.6f] pci 0000:00:%02x.0: BAR %d: assigned [mem 0x%08x-0x%08x 64bit pref]\r\n"
        % (number / 100, number % 32, number % 6, chance.getrandbits(32), chance.getrandbits(32))
        for number in range(20_000)
    )


def _colours() -> bytes:
    chance = random.Random(2)
    return b"".join(
        b"\x1b[%d;%dmword%d\x1b[0m " % (chance.randrange(2), chance.randrange(30, 38), number)
        + (b"\r\n" if number % 8 == 7 else b"")
        for number in range(60_000)
    )


def _jumps() -> bytes:
    chance = random.Random(3)
    return b"".join(
        b"\x1b[%d;%dHxy%d" % (chance.randrange(1, 25), chance.randrange(1, 81), number)
        for number in range(90_000)
    )
