"""Fixtures for consoles: a hub over sockets, and readers of viewers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest

from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Viewer
from pilot.wire import Notice, Output, Presence
from tests.agent.consoles.lines import Lines
from tests.support.waiting import until


class Reader:
    """Reads a viewer all the time, as a client does."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.output = bytearray()
        self.notices: list[Notice] = []
        self.presences: list[Presence] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.viewer:
            if isinstance(frame, Output):
                self.output += frame.data
            elif isinstance(frame, Presence):
                self.presences.append(frame)
            else:
                self.notices.append(frame)

    async def sees(self, text: str) -> None:
        """Await a text in the output."""
        await until(lambda: text.encode() in self.output, 20, f"{text!r} in {bytes(self.output[-2000:])!r}")

    async def told(self, text: str, what: str = "") -> Notice:
        """Await a notice."""

        def found() -> Notice | None:
            hits = [n for n in self.notices if text in n.text and what in ("", n.what)]
            return hits[0] if hits else None

        return await until(found, 20, f"{text!r} in {self.notices}")

    async def company(self, *people: str) -> Presence:
        """Await that these are said to be here: names, with a `!` behind those who type."""

        def found() -> bool:
            return bool(self.presences) and people == tuple(
                f"{one.principal}{'!' * one.writing}" for one in self.presences[-1].people
            )

        await until(found, 20, f"{people} in {self.presences[-3:]}")
        return self.presences[-1]


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    made = Lines()
    yield made
    await made.stop()


@pytest.fixture
def presence() -> dict[str, tuple[str, int]]:
    """What the hub has said last of who is at which console."""
    return {}


@pytest.fixture
async def hub(lines: Lines, presence: dict[str, tuple[str, int]]) -> AsyncIterator[ConsoleHub]:
    made = ConsoleHub(
        lambda _id: lines,
        clock=lambda: 1795450831.0,
        names=lambda node_id: f"compute-{node_id}",
        presence=lambda node_id, writer, watchers: presence.update({node_id: (writer, watchers)}),
        chance=random.Random(1),
    )
    yield made
    await made.stop()


@pytest.fixture
async def reader() -> AsyncIterator[Callable[[Viewer], Reader]]:
    readers: list[Reader] = []

    def make(viewer: Viewer) -> Reader:
        readers.append(Reader(viewer))
        return readers[-1]

    yield make
    for made in readers:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)
