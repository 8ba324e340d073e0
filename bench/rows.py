"""The table of nodes: filled, sorted, filtered, and keys while rows change; beside Textual's DataTable."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from functools import partial

from bench.cursor import DOWN, await_other_row
from bench.keystrokes import Pty
from bench.result import Row, below, median, percentile
from bench.rows_app import COLUMNS, RowsApp, StockApp, VirtualApp, nodes
from bench.workshop import Workshop
from pilot.filtering import Filter, parse
from pilot.records import Node
from pilot.render.node_search import NODE_FIELDS, NodeHaystacks

MANY = 50_000
SOME = 10_000
CHANGES = 200
KEYS = 120
STOCK_KEYS = 30
"""DataTable takes seconds for a key while so many rows change."""
ROUNDS = 5
PAUSE = 0.03
"""Seconds between a frame and the next key, about as fast as a held key repeats."""
READY_SECONDS = 60.0
IDLE_SECONDS = 4.0


async def measure(workshop: Workshop) -> list[Row]:
    """Headless for what a call costs up to its frame; on a real terminal for keys."""
    rows = await _filled()
    rows += await _arranged()
    rows += await asyncio.to_thread(_keys, workshop)
    return rows


async def _filled() -> list[Row]:
    rows = []
    for count in (SOME, MANY):
        ours, theirs = await _fill(VirtualApp, count), await _fill(StockApp, count)
        what = f"a table filled with {count:,} nodes, to its frame"
        rows.append(
            below(what, ours, "ms", 1000, "Textual's DataTable", theirs)
            if count == SOME
            else Row(what, ours, "ms", "Textual's DataTable", theirs)
        )
    return rows


async def _fill(kind: type[RowsApp], count: int) -> float:
    app = kind([], 0)
    app.rows = nodes(1)
    async with app.run_test(size=(160, 48)):
        app.rows = nodes(count)
        if isinstance(app, StockApp):
            app.table.clear(columns=True)
        return await _to_frame(app, app.fill)


async def _arranged() -> list[Row]:
    """Sorting and filtering, each to its frame; the row names the worst of several."""
    app = VirtualApp(nodes(MANY), 0)
    async with app.run_test(size=(160, 48)):
        sorts = {
            column.key: median(
                [await _to_frame(app, partial(app.table.sort_by, column.key, True)) for _ in range(ROUNDS)]
            )
            for column in COLUMNS
        }
        first, again = await _filters(app)
        slowest = max(sorts, key=lambda key: sorts[key])
        theirs = await _stock_sort()
        return [
            below(
                f"{MANY:,} nodes sorted, to the frame (slowest column: {slowest})",
                sorts[slowest],
                "ms",
                100,
                "DataTable.sort",
                theirs,
            ),
            below(f"{MANY:,} nodes filtered, to the frame (slowest of 5)", again, "ms", 100),
            below("the same, nothing of the nodes looked at before", first, "ms", 100),
        ]


async def _filters(app: VirtualApp) -> tuple[float, float]:
    first, again = [], []
    for text in (
        "compute.*7$",
        "state:on|hung host:0-12",
        "!vc1",
        "-f cmp99",
        "-l state=on,host!=vm-container-0-1*",
    ):
        haystacks = NodeHaystacks()
        times = []
        for _ in range(ROUNDS):
            times.append(
                await _to_frame(app, partial(app.table.filter, _passes(parse(text, NODE_FIELDS), haystacks)))
            )
        first.append(times[0])
        again.append(median(times[1:]))
    app.table.filter(None)
    return max(first), max(again)


async def _stock_sort() -> float:
    app = StockApp(nodes(MANY), 0)
    async with app.run_test(size=(160, 48)):
        return median([await _to_frame(app, partial(app.table.sort, "host", reverse=True)) for _ in range(2)])


def _passes(filter_: Filter, haystacks: NodeHaystacks) -> Callable[[Node], bool]:
    return lambda node: filter_.matches(haystacks.of(node))


async def _to_frame(app: RowsApp, act: Callable[[], object]) -> float:
    """Milliseconds until the frame that shows what was done has been drawn."""
    drawn = asyncio.Event()
    begin = time.perf_counter()
    act()
    app.screen.call_after_refresh(drawn.set)
    async with asyncio.timeout(READY_SECONDS):
        await drawn.wait()
    return (time.perf_counter() - begin) * 1000


def _keys(workshop: Workshop) -> list[Row]:
    ours = _key_to_frame("virtual", SOME, "name")
    moving = _key_to_frame("virtual", SOME, "cpu")
    many = _key_to_frame("virtual", MANY, "name")
    theirs = _key_to_frame("stock", SOME, "name")
    workshop.notes.append(
        f"Key to frame, medians: {median(ours):.1f} ms by name, {median(moving):.1f} ms by a column "
        f"that changes, {median(many):.1f} ms with {MANY:,} nodes, DataTable {median(theirs):.1f} ms. A "
        f"table of {SOME:,} nodes at rest, ages ticking, takes {_idle():.1f} % of a processor."
    )
    what = f"key to frame on a terminal, {SOME:,} nodes, {CHANGES} changes/s: p95"
    return [
        below(what, percentile(ours, 95), "ms", 50, "Textual's DataTable", percentile(theirs, 95)),
        below("the same, sorted by a column that changes", percentile(moving, 95), "ms", 50),
        below(f"the same, {MANY:,} nodes", percentile(many, 95), "ms", 50),
    ]


def _key_to_frame(kind: str, count: int, sort: str) -> list[float]:
    """Milliseconds from a key until the bytes that show the cursor on another row have arrived."""
    terminal = _start(kind, count, CHANGES, sort)
    try:
        times, name = [], b""
        for number in range(1, (KEYS if kind == "virtual" else STOCK_KEYS) + 1):
            _drain(terminal)
            begin = time.perf_counter()
            terminal.type(DOWN)
            if kind == "virtual":
                name = await_other_row(terminal, name, READY_SECONDS)
            else:
                assert terminal.await_text(f"compute-0-{number} ".encode(), READY_SECONDS)
            times.append((time.perf_counter() - begin) * 1000)
            time.sleep(PAUSE)
        return times
    finally:
        terminal.end(b"\x11")


def _drain(terminal: Pty) -> None:
    terminal.settle(0.0)
    terminal.seen.clear()


def _start(kind: str, count: int, changes: int, sort: str) -> Pty:
    command = [sys.executable, "-m", "bench.rows_app", kind, str(count), str(changes), sort]
    terminal = Pty(command, {**os.environ, "COLORTERM": "truecolor"})
    assert terminal.await_text(b"compute-0-", READY_SECONDS), terminal.last
    # Rows change all the time: it is never quiet.
    terminal.listen(1.0)
    terminal.seen.clear()
    return terminal


def _idle() -> float:
    """Percent of a processor that an app takes in which only ages change."""
    terminal = _start("virtual", SOME, 0, "name")
    try:
        before = terminal.processor_seconds()
        terminal.listen(IDLE_SECONDS)
        return (terminal.processor_seconds() - before) / IDLE_SECONDS * 100
    finally:
        terminal.end(b"\x11")
