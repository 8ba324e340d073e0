"""A console that is only held while somebody is at it, as EC2's must be: one session for everybody."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from pilot.agent.consoles import story
from pilot.agent.consoles.console import Console
from pilot.agent.consoles.hub import ConsoleHub
from pilot.backends.provider import Provider, Serial
from pilot.errors import BusyError
from pilot.records import Node
from tests.support.waiting import until

REMOTE = Node("ec2:i-1", "remote-0", "vc1", "us-east-1", "i-1", "on", 1.0, serial=True, provider="ec2")


class Line:
    """A serial line that one may hold, and the provider of it."""

    def __init__(self) -> None:
        self.held = 0
        self.opened = 0
        self.typed = b""
        self.output: Callable[[bytes], None] | None = None
        self.busy = False

    async def open_console(
        self, _node_id: str, output: Callable[[bytes], None], _lost: Callable[[str], None]
    ) -> Serial:
        if self.busy:
            raise BusyError("EC2 has another session of it open")
        assert not self.held, "there is one session for everybody"
        self.held += 1
        self.opened += 1
        self.output = output
        return self

    async def write(self, data: bytes) -> None:
        self.typed += data

    async def close(self) -> None:
        self.held -= 1


class Place:
    def __init__(self, line: Line) -> None:
        self.line = line
        self.looked: list[str] = []

        def provider(_node_id: str) -> Provider:
            return line  # type: ignore[return-value]

        self.hub = ConsoleHub(
            provider, lambda: 1.0, lambda _id: "remote-0", lambda *_: None, random.Random(1)
        )
        self.hub.looked_at = self.looked.append
        self.hub.node_changed(REMOTE)

    @property
    def console(self) -> Console:
        return self.hub._consoles[REMOTE.id]

    def printed(self) -> bytes:
        ring = self.console.ring
        return ring.read(ring.start, 1 << 20)


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(story, "LINGER", 0.2)
    place = Place(Line())
    yield place
    await place.hub.stop()


async def test_it_is_held_for_those_who_come_and_let_go_behind_the_last(place: Place) -> None:
    await asyncio.sleep(0)
    assert place.line.opened == 0
    with await place.hub.attach(REMOTE.id, "ada", "write", True) as ada:
        await until(lambda: place.line.held, 10, "held")
        assert place.looked == [REMOTE.id]
        with await place.hub.attach(REMOTE.id, "eve", "watch", False):
            await ada.write(b"hello")
            await until(lambda: place.line.typed == b"hello", 10, "typed")
            assert place.line.opened == 1
    assert place.line.held, "not at once: people come back"
    await until(lambda: not place.line.held, 10, "let go")
    await until(lambda: b"nobody is at the console: let go" in place.printed(), 10, "said")
    with await place.hub.attach(REMOTE.id, "ada", "write", True):
        await until(lambda: place.line.held, 10, "held again")
        assert place.line.opened == 2


async def test_who_comes_back_in_time_finds_it_held(place: Place) -> None:
    with await place.hub.attach(REMOTE.id, "ada", "write", True):
        await until(lambda: place.line.held, 10, "held")
    with await place.hub.attach(REMOTE.id, "ada", "write", True):
        assert place.console._story._going is None
        assert place.line.held
        assert place.line.opened == 1


async def test_it_is_held_while_it_is_recorded(place: Place) -> None:
    recorded: list[tuple[str, bytes]] = []
    place.hub.record(REMOTE.id, lambda code, data: recorded.append((code, data)))
    await until(lambda: place.line.held, 10, "held")
    assert place.line.output is not None
    place.line.output(b"boot\r\n")
    assert ("o", b"boot\r\n") in recorded
    place.hub.record(REMOTE.id, None)
    await until(lambda: not place.line.held, 10, "let go")


async def test_what_was_fetched_is_there_for_those_who_come(place: Place) -> None:
    place.hub.printed(REMOTE.id, b"login: ", gap=False)
    place.hub.printed(REMOTE.id, b"later\r\n", gap=True)
    text = place.printed()
    assert text.startswith(b"login: ")
    assert b"something is missing here" in text
    assert text.endswith(b"later\r\n")
    assert not place.line.opened
    place.hub.printed("nobody", b"x", gap=False)


async def test_nobody_is_left_who_tries_in_vain(place: Place) -> None:
    place.line.busy = True
    with await place.hub.attach(REMOTE.id, "ada", "write", True):
        await until(lambda: place.console._trouble.told, 20, "ada is told why")
    await until(lambda: not place.console._holder._wanted, 10, "given up")
    place.line.busy = False
    await until(lambda: place.console._holder._task is None, 20, "no more tries")
    assert not place.line.opened


async def test_off_and_on_while_somebody_is_there(place: Place) -> None:
    with await place.hub.attach(REMOTE.id, "ada", "write", True):
        await until(lambda: place.line.held, 10, "held")
        place.hub.node_changed(msgspec.structs.replace(REMOTE, state="off"))
        await until(lambda: not place.line.held, 10, "let go")
        place.hub.node_changed(REMOTE)
        await until(lambda: place.line.held, 10, "held again")
    await until(lambda: not place.line.held, 10, "let go")
