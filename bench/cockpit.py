"""The full-screen app as people start it: first frame, live table, keys among 10,000 nodes, at rest."""

from __future__ import annotations

import asyncio
import time

from bench.changing import changing
from bench.cursor import DOWN, await_other_row
from bench.keystrokes import Pty
from bench.result import Row, below, median, percentile
from bench.workshop import Bench, Workshop, console_script
from pilot.demo.fleet import Fleet

FEW = 7
MANY = 10_000
STARTS = 7
CHANGES = 200
KEYS = 150
PAUSE = 0.03
"""Seconds between a frame and the next key, about as fast as a held key repeats."""
IDLE_SECONDS = 20.0
SETTLE_SECONDS = 3.0
READY_SECONDS = 60.0
ROWS, COLUMNS = 48, 160
LEAVE = b"\x11"


async def measure(workshop: Workshop) -> list[Row]:
    """A site of the demo's size first, then one of 10,000 nodes."""
    async with workshop.fleet(FEW) as few, workshop.site({few.host.name: few.uri}, FEW) as site:
        frames, tables = await asyncio.to_thread(_starts, site, FEW)
    async with workshop.fleet(MANY) as many, workshop.site({many.host.name: many.uri}, MANY) as site:
        _, full = await asyncio.to_thread(_starts, site, MANY)
        times = await asyncio.to_thread(_keys, site, many)
        idle = await asyncio.to_thread(_idle, site)
    workshop.notes.append(
        f"`pilot` on a terminal of {COLUMNS}x{ROWS}: each figure of a start is the median of {STARTS}, from "
        f"the start of the process, imports included. {MANY:,} nodes are there {median(full):.2f} s after "
        f"that. Key to frame with {CHANGES} changes/s made through libvirt: median {median(times):.1f} ms, "
        f"slowest {max(times):.0f} ms; airboss, libvirtd and the bench share the two cores with it."
    )
    return [
        below("`pilot` to its first frame", median(frames), "s", 0.6),
        below(f"`pilot` to a live table of {FEW} nodes", median(tables), "s", 1),
        below(f"{MANY:,} nodes: first frame, connection, full table", median(full) - median(frames), "s", 1),
        below(f"key to frame, {MANY:,} nodes, {CHANGES} changes/s: p95", percentile(times, 95), "ms", 50),
        below(f"processor that the app takes at rest, {MANY:,} nodes", idle, "%", 2),
    ]


def _start(site: Bench) -> Pty:
    environment = {**site.ada.environment, "COLORTERM": "truecolor"}
    return Pty(console_script("pilot"), environment, ROWS, COLUMNS)


def _starts(site: Bench, nodes: int) -> tuple[list[float], list[float]]:
    """Seconds to the first frame, and to the table with all nodes."""
    frames, tables = [], []
    for _ in range(STARTS + 1):
        begin = time.perf_counter()
        terminal = _start(site)
        try:
            assert terminal.await_text(b"Nodes", READY_SECONDS), terminal.last
            frames.append(time.perf_counter() - begin)
            assert terminal.await_text(b"%d nodes" % nodes, READY_SECONDS), terminal.last
            tables.append(time.perf_counter() - begin)
        finally:
            terminal.end(LEAVE)
    # The first one compiles modules and fills the page cache.
    return frames[1:], tables[1:]


def _keys(site: Bench, fleet: Fleet) -> list[float]:
    """Milliseconds from a key until the bytes that show the cursor on another row have arrived."""
    terminal = _start(site)
    try:
        assert terminal.await_text(b"%d nodes" % MANY, READY_SECONDS), terminal.last
        terminal.listen(0.5)
        times, name = [], b""
        with changing([fleet], CHANGES):
            time.sleep(1.0)
            for _ in range(KEYS):
                terminal.settle(0.0)
                terminal.seen.clear()
                begin = time.perf_counter()
                terminal.type(DOWN)
                name = await_other_row(terminal, name, READY_SECONDS)
                times.append((time.perf_counter() - begin) * 1000)
                time.sleep(PAUSE)
        return times
    finally:
        terminal.end(LEAVE)


def _idle(site: Bench) -> float:
    """Percent of a processor that the app takes when nothing happens."""
    terminal = _start(site)
    try:
        assert terminal.await_text(b"%d nodes" % MANY, READY_SECONDS), terminal.last
        terminal.listen(SETTLE_SECONDS)
        before = terminal.processor_seconds()
        terminal.listen(IDLE_SECONDS)
        return (terminal.processor_seconds() - before) / IDLE_SECONDS * 100
    finally:
        terminal.end(LEAVE)
