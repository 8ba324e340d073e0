"""Opening the console of a VM that has printed more than 1 MiB: how soon the right screen is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from bench.keystrokes import Pty, over_a_link
from bench.result import Row, below, median
from bench.workshop import CLUSTER, Bench, Workshop, console_script, node_plans
from pilot import wire
from pilot.console.bittty_engine import BitttyEngine
from pilot.demo import domains
from pilot.demo import guest as guest_module
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.live.console import ConsoleSession
from tests.support.vms import SerialLine, Vm

ROUNDS = 8
LINES = 24_000
"""Of 60 characters: 1.4 MB."""
LINE = "a line of what this guest has printed, with its number"
HISTORY = 10_000
SECONDS = 120.0
ROWS, COLUMNS = 50, 132
LEAVE = b"\x1d"


async def measure(workshop: Workshop) -> list[Row]:
    """In the app from the key to the frame; then by themselves the older lines; `pilot console` beside it."""
    guest = domains.share(await asyncio.to_thread(guest_module.build), workshop.folder / "guest")
    (plan,) = node_plans(1)
    async with workshop.host([], guest) as host:
        vm = await asyncio.to_thread(Vm, host, guest, plan)
        try:
            vm.start()
            async with SerialLine(vm.serial_path()) as line:
                await line.log_in(60)
            async with workshop.site({host.name: host.uri}, 1) as site:
                await _print(site, plan.name)
                shown = await asyncio.to_thread(_in_the_app, site)
                outside = await asyncio.to_thread(_outside, site, plan.name)
                whole, first, older = await _lines(site, plan.name)
        finally:
            vm.close()
    workshop.notes.append(
        f"Attach: the guest has printed {LINES * 60 / 1e6:.1f} MB. In the app: from the key `c` to the frame "
        f"of {COLUMNS}x{ROWS} with the last line, connection and engine being there; `pilot console`: from "
        f"the start of the process. Over a link: until all bytes have come, which nothing parses."
    )
    return [
        below("attach, 1 MiB of history: right screen", median(shown), "ms", 100, "`pilot console`", outside),
        Row("the same in a session without a tab", median(first), "ms", "1 MiB over a link", median(whole)),
        Row(f"the same: {HISTORY:,} lines of scrollback", median(older), "ms"),
    ]


async def _print(site: Bench, node: str) -> None:
    """Let the guest print, through airboss, which keeps it."""
    async with await site.ada.link() as link:
        async with over_a_link(link, node):
            pass  # airboss holds the console now, and the guest takes keys
        stream = await link.console(node, CLUSTER)
        stream.type(f"\rseq 1 {LINES} | sed 's/$/ {LINE}/'\r".encode())
        stream.type(b"echo all-$((1+1))-said\r")
        seen = b""
        async with asyncio.timeout(SECONDS):
            async for frame in stream:
                if isinstance(frame, wire.Output):
                    seen = (seen + frame.data)[-1000:]
                    if b"all-2-said" in seen:
                        break
        stream.close()


def _in_the_app(site: Bench) -> list[float]:
    """Milliseconds from the key to the screen, again and again in one app; the first time warms it up."""
    environment = {**site.ada.environment, "COLORTERM": "truecolor"}
    terminal = Pty(console_script("pilot"), environment, ROWS, COLUMNS)
    times = []
    try:
        _await(terminal, b"compute-0-0")
        terminal.listen(1.0)
        for _ in range(ROUNDS + 1):
            begin = time.perf_counter()
            terminal.type(b"c")
            _await(terminal, b"all-2-said")
            times.append((time.perf_counter() - begin) * 1000)
            terminal.listen(2.0)
            terminal.type(LEAVE + b"q")
            _await(terminal, b"1 node")
            terminal.listen(1.0)
    finally:
        terminal.end(b"\x11")
    return times[1:]


def _outside(site: Bench, node: str) -> float:
    """The same for `pilot console`, which shows all that airboss has; from the start of the process."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        terminal = Pty(
            [*console_script("pilot"), "console", node, "--watch"], site.ada.environment, ROWS, COLUMNS
        )
        try:
            _await(terminal, b"all-2-said")
            times.append((time.perf_counter() - begin) * 1000)
        finally:
            terminal.end(LEAVE)
    return median(times)


def _await(terminal: Pty, text: bytes) -> None:
    if not terminal.await_text(text, SECONDS):
        raise RuntimeError(f"no {text!r} came: {terminal.last!r}")


async def _lines(site: Bench, node: str) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds until 1 MiB has come over a link; until a session's screen is right; until it has HISTORY
    lines."""
    async with await site.ada.link() as link:
        whole = [await _whole(link, node) for _ in range(ROUNDS)]
        opened = [await _opened(link, node) for _ in range(ROUNDS)]
    return whole, [first for first, _ in opened], [older for _, older in opened]


async def _whole(link: Link, node: str) -> float:
    begin = time.perf_counter()
    stream = await link.console(node, CLUSTER, "watch")
    left = stream.attached.replay
    async with asyncio.timeout(SECONDS):
        async for frame in stream:
            left -= len(frame.data) if isinstance(frame, wire.Output) else 0
            if left <= 0:
                break
    stream.close()
    return (time.perf_counter() - begin) * 1000


async def _opened(link: Link, node: str) -> tuple[float, float]:
    first = 0.0

    def log(before: int, last: int) -> AsyncIterator[wire.LogPage]:
        return link.log(node, CLUSTER, before=before, last=last)

    async def open_console(mode: str, columns: int, rows: int) -> ConsoleStream:
        return await link.console(node, CLUSTER, mode, columns, rows, session.replay)

    def look() -> None:
        nonlocal first
        engine = session.engine
        if not first and any("all-2-said" in engine.text(engine.history + row) for row in range(ROWS)):
            first = (time.perf_counter() - begin) * 1000
        if session.engine.history >= HISTORY - ROWS:
            there.set()

    there = asyncio.Event()
    begin = time.perf_counter()
    session = ConsoleSession(node, node, open_console, BitttyEngine(COLUMNS, ROWS), mode="watch", log=log)
    session.printed.listen(look)
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(SECONDS):
        await there.wait()
    took = (time.perf_counter() - begin) * 1000
    session.close()
    await running
    return first, took
