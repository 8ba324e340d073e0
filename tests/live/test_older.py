"""The lines before a console's replay: fetched once, put above, and never in the way of what is printed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pilot import wire
from pilot.console.bittty_engine import BitttyEngine
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.live.console import ConsoleSession
from pilot.live.older import FIRST_REPLAY, WHOLE_REPLAY
from tests.client.conftest import Connect, airboss, connect, user  # noqa: F401 - fixtures
from tests.client.stand_in import NOW, StandIn
from tests.live.console_guest import NODE, Guest
from tests.live.test_console import live, screen, shows
from tests.support.waiting import until


class Place:
    """A session whose console begins at an offset, and whose link can be lost."""

    def __init__(self, connect: Connect) -> None:  # noqa: F811
        self._connect = connect
        self._link: Link | None = None
        self.session = ConsoleSession(
            "id", NODE, self._open, BitttyEngine(80, 24, 12_000), log=self._log, older_lines=20_000
        )

    async def _open(self, mode: str, columns: int, rows: int) -> ConsoleStream:
        if self._link is None or self._link.closed:
            self._link = await self._connect()
        return await self._link.console(NODE, "vc1", mode, columns, rows, self.session.replay)

    def _log(self, before: int, last: int) -> AsyncIterator[wire.LogPage]:
        assert self._link is not None
        return self._link.log(NODE, "vc1", before=before, last=last)


@pytest.fixture
def guest(airboss: StandIn) -> Guest:  # noqa: F811
    """It has printed 15,000 lines; the last 50 are replayed."""
    guest = Guest(airboss)
    lines = [b"line %d of a long story\r\n" % number for number in range(15_000)]
    offset, older = 100, []
    for number, line in enumerate(lines[:-50]):
        older.append(wire.LogLine(offset, NOW + number, number / 10, line))
        offset += len(line)
    guest.older, guest.start = tuple(older), offset
    guest.printed = b"".join(lines[-50:])
    return guest


@pytest.fixture
async def session(guest: Guest, connect: Connect) -> AsyncIterator[ConsoleSession]:  # noqa: F811
    made = Place(connect).session
    running = asyncio.create_task(made.run())
    yield made
    made.close()
    async with asyncio.timeout(10):
        await running


def story(session: ConsoleSession) -> list[str]:
    return [line for line in screen(session).split("\n") if "story" in line]


async def whole(session: ConsoleSession) -> None:
    await until(lambda: session.engine.history > 11_000, 40, "the older lines")


async def test_the_screen_is_first_and_ten_thousand_lines_follow(
    session: ConsoleSession, guest: Guest
) -> None:
    guest.log_waits = asyncio.Event()
    await live(session)
    await shows(session, "line 14999")
    assert len(story(session)) == 50
    await until(lambda: session.loading, what="it is said that more comes")
    position = session.engine.dropped + session.engine.history
    guest.log_waits.set()
    await whole(session)
    await until(lambda: not session.loading, what="the end of it")
    shown = story(session)
    assert len(shown) > 11_000
    assert shown == [f"line {number} of a long story" for number in range(15_000 - len(shown), 15_000)]
    assert session.engine.dropped + session.engine.history == position
    assert guest.replays == [FIRST_REPLAY]
    assert [(asked["before"], asked["last"]) for asked in guest.logs] == [(guest.start, 20_000)]


async def test_a_comeback_repeats_nothing(
    session: ConsoleSession,
    guest: Guest,
    airboss: StandIn,  # noqa: F811
) -> None:
    await live(session)
    await whole(session)
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    # A ring of 1 MiB has more than what was shown first.
    guest.printed = b"".join(line.data for line in guest.older[-500:]) + guest.printed + b"meanwhile\r\n"
    guest.start = guest.older[-500].offset
    await airboss.start(airboss.port)
    await shows(session, "meanwhile")
    shown = story(session)
    assert len(set(shown)) == len(shown)
    assert guest.replays[1:] == [WHOLE_REPLAY]
    assert len(guest.logs) == 1


async def test_what_was_interrupted_is_fetched_once_it_is_back(
    session: ConsoleSession,
    guest: Guest,
    airboss: StandIn,  # noqa: F811
) -> None:
    guest.log_waits = asyncio.Event()
    await live(session)
    await until(lambda: len(guest.logs) == 1, what="it is asked for")
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    assert not session.loading
    guest.log_waits.set()
    await airboss.start(airboss.port)
    await whole(session)
    assert [asked["before"] for asked in guest.logs] == [guest.start, guest.start]


async def test_a_full_screen_program_is_not_disturbed(session: ConsoleSession, guest: Guest) -> None:
    guest.printed += b"$ top\r\n\x1b[?1049h\x1b[2J\x1b[Htop"
    await live(session)
    await until(lambda: len(guest.logs) == 1 and not session.loading, 40, "they are there")
    await until(lambda: session.engine.modes.alternate_screen, what="the program")
    assert (session.engine.history, session.engine.dropped) == (0, 0)
    guest.prints(b"\x1b[?1049l")
    await whole(session)
    assert "$ top" in screen(session)


async def test_a_log_that_is_refused_costs_nothing_else(session: ConsoleSession, guest: Guest) -> None:
    guest.log_fault = wire.Fault("busy", "too many logs are read", "Later.")
    await live(session)
    await shows(session, "line 14999")
    await until(lambda: bool(session.older.why), what="why")
    guest.prints(b"it goes on\r\n")
    await shows(session, "it goes on")
    assert not session.loading
    assert len(guest.logs) == 1


async def test_nothing_is_asked_for_where_there_is_nothing(session: ConsoleSession, guest: Guest) -> None:
    guest.older = ()
    await live(session)
    guest.prints(b"more\r\n")
    await shows(session, "more")
    assert not guest.logs
