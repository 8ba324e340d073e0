"""A console session over real SSH: what it shows, what it tells, and how it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pilot import wire
from pilot.console.bittty_engine import BitttyEngine
from pilot.live.console import ConsoleSession
from tests.client.conftest import Connect, airboss, connect, user  # noqa: F401 - fixtures
from tests.client.stand_in import NOW, StandIn
from tests.live.console_guest import NODE, Guest, Links
from tests.support.waiting import until


@pytest.fixture
def guest(airboss: StandIn) -> Guest:  # noqa: F811
    return Guest(airboss)


@pytest.fixture
async def session(guest: Guest, connect: Connect) -> AsyncIterator[ConsoleSession]:  # noqa: F811
    """A session that is not opened yet: `asyncio.create_task(session.run())` is done by `opened`."""
    made = ConsoleSession("id", NODE, Links(connect).open, BitttyEngine(80, 24))
    running = asyncio.create_task(made.run())
    yield made
    made.close()
    async with asyncio.timeout(5):
        await running


def screen(session: ConsoleSession) -> str:
    """All that the engine holds."""
    engine = session.engine
    lines = [engine.text(line) for line in range(engine.history + engine.rows)]
    return "\n".join(lines).rstrip()


async def shows(session: ConsoleSession, text: str) -> str:
    await until(lambda: text in screen(session), what=f"{text!r}")
    return screen(session)


async def live(session: ConsoleSession) -> None:
    await until(lambda: session.state == "live", what=f"live: {session.why}")


def told(session: ConsoleSession) -> list[str]:
    return [notice.text for notice in session.notices]


async def test_shows_what_was_printed_and_types(session: ConsoleSession, guest: Guest) -> None:
    guest.printed = b"Debian GNU/Linux 12 compute-0-0 ttyS0\r\n\r\ncompute-0-0 login: "
    await live(session)
    await shows(session, "compute-0-0 login:")
    assert session.writing
    assert guest.sizes == [(80, 24)]
    assert session.type(b"root\r")
    await until(lambda: guest.typed == b"root\r", what="what was typed")
    session.resize(132, 43)
    await until(lambda: guest.sizes[-1] == (132, 43), what="the size")
    assert session.stty_command() == b"stty rows 43 cols 132\r"


async def test_what_is_typed_before_it_is_open_arrives_first_and_once(
    session: ConsoleSession, guest: Guest
) -> None:
    assert session.type(b"ro")
    assert session.type(b"ot\r")
    assert not session.type(b"x" * 2000), "not without a bound"
    await live(session)
    assert session.type(b"next")
    await until(lambda: guest.typed == b"root\rnext", what="what was typed")
    guest.says("it is gone", final=True)
    await until(lambda: session.state == "lost", what="the loss")
    assert not session.type(b"lost")
    await live(session)
    assert session.type(b"!")
    await until(lambda: guest.typed == b"root\rnext!", what="nothing of what was typed meanwhile")


async def test_what_was_typed_for_another_is_not_sent_and_that_is_said(
    guest: Guest,
    connect: Connect,  # noqa: F811
) -> None:
    now = 0.0

    async def told_after(session: ConsoleSession, seconds: float) -> str:
        nonlocal now
        assert session.type(b"secret\r")
        now += seconds
        running = asyncio.create_task(session.run())
        await until(lambda: session.state in ("live", "ended"), what="an answer")
        await until(lambda: session.notices, what="words")
        session.close()
        async with asyncio.timeout(5):
            await running
        return session.notices[-1].text

    def made() -> ConsoleSession:
        return ConsoleSession("id", NODE, Links(connect).open, BitttyEngine(80, 24), clock=lambda: now)

    guest.writing = False
    assert await told_after(made(), 0) == "what you typed before was not sent: you watch"
    guest.writing = True
    assert await told_after(made(), 60) == "what you typed before was not sent: it took too long to open"
    guest.refusal = wire.Fault("refused", "not yours", "")
    assert await told_after(made(), 0) == "what you typed before was not sent: it is not open"
    assert guest.typed == b""


async def test_questions_of_the_past_are_not_answered_and_those_of_now_are(
    session: ConsoleSession, guest: Guest
) -> None:
    guest.printed = b"before\x1b[6n\x1b[c"
    await live(session)
    guest.prints(b"\x1b[3;5Hnow\x1b[6n")
    await until(lambda: b"R" in guest.typed, what="the answer")
    assert guest.typed == b"\x1b[3;8R"


async def test_who_watches_answers_nothing_and_types_nothing(session: ConsoleSession, guest: Guest) -> None:
    guest.writing = False
    await live(session)
    guest.prints(b"\x1b[6nready")
    await shows(session, "ready")
    assert not session.writing
    assert not session.type(b"x")
    session.take()
    await until(lambda: session.writing, what="the keyboard")
    assert session.type(b"y")
    await until(lambda: guest.typed == b"y", what="what was typed")
    assert "the keyboard is yours now" in told(session)


async def test_the_keyboard_is_given_back_shared_and_taken(session: ConsoleSession, guest: Guest) -> None:
    await live(session)
    session.release(7)
    await until(lambda: not session.writing, what="watching")
    assert guest.releases == [7]
    session.join()
    await until(lambda: session.writing, what="writing, too")
    assert guest.joins == 1
    session.release()
    await until(lambda: guest.releases == [7, 0], what="given back")
    assert session.chat("  look at\x1b[2J line 7  ")
    await until(lambda: bool(guest.chats), what="what was said")
    assert guest.chats == ["look at\ufffd[2J line 7"]
    assert guest.modes == ["write"], "nothing is opened anew for that"
    assert not session.chat("  "), "nothing is said"


@pytest.mark.parametrize(("act", "mode"), [("join", "join"), ("release", "watch"), ("take", "write")])
async def test_it_comes_back_as_it_was(
    session: ConsoleSession,
    guest: Guest,
    airboss: StandIn,  # noqa: F811
    act: str,
    mode: str,
) -> None:
    await live(session)
    getattr(session, act)()
    await until(lambda: bool(guest.joins or guest.releases or guest.takes), what="it is asked")
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    await airboss.start(airboss.port)
    await live(session)
    assert guest.modes == ["write", mode]


async def test_who_is_sent_away_does_not_come_back_beside_the_other(
    session: ConsoleSession, guest: Guest
) -> None:
    await live(session)
    session.join()
    await until(lambda: guest.joins == 1, what="joined")
    guest.says("bob has taken the keyboard; you watch now", False)
    await until(lambda: not session.writing, what="watching")
    assert session.mode == "write"
    session.release()
    await until(lambda: guest.releases == [0], what="given back")
    guest.says("bob has handed the keyboard to you: you type now", True)
    await until(lambda: session.writing, what="writing")
    assert session.mode == "write"


async def test_a_limit_of_the_site_ends_it_until_it_is_wanted_again(
    session: ConsoleSession, guest: Guest
) -> None:
    await live(session)
    guest.channel.send(wire.Notice("limit", "this console ends in 60 s unless you type"))
    guest.channel.send(wire.Notice("limit", "you did nothing here for 10 min", False, True))
    await until(lambda: session.state == "ended", what="the end")
    assert session.why == "you did nothing here for 10 min"
    assert told(session)[-2:] == ["this console ends in 60 s unless you type", session.why]
    assert guest.modes == ["write"], "it is not opened again by itself"
    session.retry()
    await live(session)


async def test_people_are_known_while_it_is_live(
    session: ConsoleSession,
    guest: Guest,
    airboss: StandIn,  # noqa: F811
) -> None:
    await live(session)
    ada = wire.Person(1, "ada", True, NOW - 60, NOW, True)
    bob = wire.Person(2, "bob", False, NOW - 50, 0.0, False)
    guest.meets(ada, bob)
    await until(lambda: session.people is not None, what="the people")
    people = session.people
    assert people is not None
    assert (people.me, people.others) == (ada, (bob,))
    assert people.idle(bob, people.heard + 10) == 60
    assert people.attached(ada, people.heard + 10) == 70
    guest.meets(ada)
    await until(lambda: session.people is not None and not session.people.others, what="bob has left")
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    assert session.people is None


async def test_notices_are_told_once_and_never_in_the_guest_s_screen(
    session: ConsoleSession, guest: Guest
) -> None:
    await live(session)
    guest.prints(b"\r\n\x1b[2m[pilot 2026-01-01T00:00:00Z compute-0-0: turned off]\x1b[m\r\n")
    guest.says("compute-0-0: turned off")
    guest.says("bob has joined\x1b[2J and watches")
    await until(lambda: any("bob" in text for text in told(session)), what="the notice")
    assert "compute-0-0: turned off" not in told(session)
    assert "bob" not in screen(session)
    assert "\x1b" not in "".join(told(session))


async def test_it_comes_back_after_a_loss_and_repeats_nothing(
    session: ConsoleSession,
    guest: Guest,
    airboss: StandIn,  # noqa: F811
) -> None:
    lines = b"".join(b"line %d of a boot that scrolls the screen\r\n" % number for number in range(100))
    guest.printed = lines
    await live(session)
    await shows(session, "line 99 of")
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    assert session.why
    assert not session.type(b"x")
    guest.printed += b"printed meanwhile\r\n"
    await airboss.start(airboss.port)
    await live(session)
    shown = await shows(session, "printed meanwhile")
    assert shown.count("line 99 of") == 1
    assert shown.index("line 99 of") < shown.index("printed meanwhile")
    assert "line 0 of" in shown, "the scrollback is kept"
    assert told(session)[-1] == "connected again"
    assert session.type(b"z")
    await until(lambda: guest.typed == b"z", what="what was typed")


async def test_what_was_missed_is_said(session: ConsoleSession, guest: Guest, airboss: StandIn) -> None:  # noqa: F811
    guest.printed = b"the old record, long enough to be recognised\x1b[?1049h\x1b[31m"
    await live(session)
    await shows(session, "")
    await until(lambda: session.engine.modes.alternate_screen, what="the alternate screen")
    await airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    guest.printed = b"\x1b[H\x1b[2J\x1b[999;1Hthe ring begins later\r\n"
    await airboss.start(airboss.port)
    shown = await shows(session, "the ring begins later")
    assert not session.engine.modes.alternate_screen, "a record that was cut begins for a terminal at rest"
    assert "the old record" in shown
    await until(lambda: any("missed" in text for text in told(session)), what="it is said")


async def test_a_final_word_is_tried_again_and_a_refusal_ends_it(
    session: ConsoleSession, guest: Guest
) -> None:
    await live(session)
    guest.refusal = wire.Fault("refused", "your key is not entitled to vc1 any more", "Ask the site's admin.")
    guest.says("your key is not entitled to vc1 any more", False, final=True)
    await until(lambda: session.state == "ended", what="the end")
    assert session.why == "your key is not entitled to vc1 any more"
    assert session.error is not None
    assert guest.modes == ["write", "write"]
    guest.refusal = None
    session.retry()
    await live(session)
    assert session.error is None


async def test_an_airboss_that_restarts_ends_nothing(session: ConsoleSession, guest: Guest) -> None:
    await live(session)
    guest.says("airboss stops", False, final=True)
    await until(lambda: len(guest.modes) == 2, what="it is opened anew")
    await live(session)
    assert told(session) == ["airboss stops", "airboss stops; trying again", "connected again"]


async def test_refused_at_once(session: ConsoleSession, guest: Guest) -> None:
    guest.refusal = wire.Fault("node", "not a node of vc1, or not yours", "`pilot nodes` lists yours.")
    await until(lambda: session.state == "ended", what="the end")
    assert told(session) == ["not a node of vc1, or not yours `pilot nodes` lists yours."]


async def test_closing_while_it_tries(
    guest: Guest,
    connect: Connect,  # noqa: F811
    airboss: StandIn,  # noqa: F811
) -> None:
    await airboss.stop()
    links = Links(connect)
    session = ConsoleSession("id", NODE, links.open, BitttyEngine(80, 24))
    running = asyncio.create_task(session.run())
    await until(lambda: links.attempts > 1, what="attempts")
    assert session.state == "opening"
    session.close()
    async with asyncio.timeout(2):
        await running


async def test_a_flood_leaves_the_loop_to_others(
    session: ConsoleSession, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await live(session)
    at_once, most, ended = 0, 0, False
    feed = session.engine.feed

    def counted(data: bytes) -> None:
        nonlocal at_once, most
        at_once += len(data)
        most = max(most, at_once)
        feed(data)

    async def other() -> None:
        nonlocal at_once
        while not ended:
            at_once = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(session.engine, "feed", counted)
    watching = asyncio.create_task(other())
    flood = b"0123456789 a line of a flood that a guest prints\r\n" * 20_000
    guest.prints(flood + b"the end")
    await until(lambda: "the end" in session.engine.text(session.engine.history + 23), 60, "the end")
    ended = True
    await watching
    assert most < len(flood) / 8, "so much is parsed before others have their turn"


async def test_a_paste_is_paced_and_can_be_given_up(session: ConsoleSession, guest: Guest) -> None:
    await live(session)
    assert session.paste("echo one\necho two\n")
    await until(lambda: guest.typed == b"echo one\recho two\r", what=f"the paste, {guest.typed!r}")
    await until(lambda: not session.pasting.going, what="its end")
    assert session.paste("x" * 100_000)
    await until(lambda: len(guest.typed) > 100, what="the beginning")
    assert session.pasting.cancel()
    assert not session.pasting.going
    typed = len(guest.typed)
    assert typed < 50_000


async def test_a_bracketed_paste_is_closed_when_it_is_given_up(session: ConsoleSession, guest: Guest) -> None:
    guest.printed = b"\x1b[?2004h"
    await live(session)
    await until(lambda: session.engine.modes.bracketed_paste, what="the mode")
    assert session.paste("x" * 100_000)
    await until(lambda: len(guest.typed) > 100, what="the beginning")
    assert guest.typed.startswith(b"\x1b[200~x")
    session.pasting.cancel()
    await until(lambda: guest.typed.endswith(b"x\x1b[201~"), what="the end mark")
