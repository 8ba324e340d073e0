"""A console for stock ssh: what a client's terminal can do to airboss."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import msgspec
import pytest

from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.stock_console import StockConsole
from tests.agent.consoles.lines import Lines, node
from tests.support.waiting import until

SECONDS = 20.0


class Terminal:
    """A client's end, which may stop reading."""

    def __init__(self) -> None:
        self.typed: asyncio.Queue[bytes] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.shown = bytearray()

    async def keys(self) -> bytes:
        return await self.typed.get()

    async def room(self) -> None:
        await self.reads.wait()

    def write(self, data: bytes) -> None:
        self.shown += data


@pytest.fixture
async def terminal(hub: ConsoleHub, lines: Lines) -> AsyncIterator[Terminal]:
    """At a node's console, where `eve` may only watch."""
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    made = Terminal()
    with await hub.attach("a", "eve", "watch", may_write=False) as viewer:
        stay = asyncio.create_task(StockConsole(viewer, "compute-a", made).stay())
        await until(lambda: b"turned on" in made.shown, SECONDS, "it is shown")
        yield made
        made.reads.set()
        made.typed.put_nowait(b"\x1d")
        async with asyncio.timeout(SECONDS):
            await stay
    assert b"left compute-a" in made.shown


async def test_who_asks_for_words_and_does_not_read_them_gets_no_more(terminal: Terminal) -> None:
    terminal.reads.clear()
    before = len(terminal.shown)
    terminal.typed.put_nowait(b"\x1e?" * 30_000)
    await until(lambda: len(terminal.shown) > before, SECONDS, "an answer")
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(terminal.shown) < before + 1000


async def test_notices_of_others_wait_for_who_does_not_read(hub: ConsoleHub, terminal: Terminal) -> None:
    terminal.reads.clear()
    before = len(terminal.shown)
    for _ in range(1000):
        (await hub.attach("a", "ann", "write", may_write=True)).close()
        await asyncio.sleep(0)
    assert len(terminal.shown) < before + 1000


async def test_a_flood_of_commands_lets_others_run_in_between(terminal: Terminal) -> None:
    answers: list[int] = []

    async def others() -> None:
        while True:
            answers.append(terminal.shown.count(b"eve (you)"))
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    terminal.typed.put_nowait(b"\x1ew" * 500)
    await until(lambda: terminal.shown.count(b"eve (you)") == 500, SECONDS, "all answers")
    task.cancel()
    assert max(after - before for before, after in itertools.pairwise(answers)) < 10


async def test_it_is_left_at_once_by_one_who_does_not_read(terminal: Terminal) -> None:
    terminal.reads.clear()
    terminal.typed.put_nowait(b"in vain\x1d")
    await until(lambda: b"left compute-a" in terminal.shown, SECONDS, "it is left")


async def test_who_was_sent_away_is_not_told_who_comes_next(hub: ConsoleHub, terminal: Terminal) -> None:
    viewer = hub._consoles["a"].company.viewers[0]
    hub.node_changed(msgspec.structs.replace(node("on"), cluster="vc2"))
    await hub.attach("a", "the next owner", "write", may_write=True)
    assert viewer.people().people == ()
