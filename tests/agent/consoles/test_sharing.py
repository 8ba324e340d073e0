"""People at one console: who is here, who types beside whom, who hands the keyboard to whom, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pilot.agent.consoles import company, keyboard
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Viewer
from pilot.wire import MAX_CHAT, Notice, Output, Presence
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import Lines, Machine, node
from tests.agent.consoles.recordings import boot_log
from tests.support.waiting import until

NewReader = Callable[[Viewer], Reader]


@pytest.fixture
async def machine(hub: ConsoleHub, lines: Lines) -> Machine:
    """A node that is on."""
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    return lines["a"]


@pytest.fixture
async def ann(hub: ConsoleHub, machine: Machine, reader: NewReader) -> Reader:
    return reader(await hub.attach("a", "ann", "write", may_write=True))


@pytest.fixture
async def bob(hub: ConsoleHub, ann: Reader, reader: NewReader) -> Reader:
    return reader(await hub.attach("a", "bob", "write", may_write=True))


@pytest.fixture
async def eve(hub: ConsoleHub, bob: Reader, reader: NewReader) -> Reader:
    """She may only watch."""
    return reader(await hub.attach("a", "eve", "write", may_write=False))


async def test_everybody_is_told_who_is_here(hub: ConsoleHub, ann: Reader, bob: Reader, eve: Reader) -> None:
    told = await ann.company("ann!", "bob", "eve")
    assert len({person.id for person in told.people}) == 3
    assert [person.may_write for person in told.people] == [True, True, False]
    assert all((person.since, person.typed) == (1795450831.0, 0.0) for person in told.people)
    assert told.you == told.people[0].id
    assert (await eve.company("ann!", "bob", "eve")).you == told.people[2].id
    # One who comes is told before anything was printed.
    frames = await (await hub.attach("a", "new", "watch", may_write=False)).next_frames()
    assert isinstance(frames[0], Presence)
    bob.viewer.close()
    left = await ann.company("ann!", "eve", "new")
    assert left.people[0].id == told.people[0].id


async def test_a_key_typed_is_told_a_while_later(
    ann: Reader, eve: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eve.company("ann!", "bob", "eve")
    await eve.viewer.write(b"in vain")
    monkeypatch.setattr(company, "TYPED_EVERY", 0.1)
    await ann.viewer.write(b"x")
    typed = [0.0]

    def told() -> bool:
        typed[:] = [person.typed for person in eve.presences[-1].people]
        return typed[0] > 0

    await until(told, 20)
    assert typed == [1795450831.0, 0.0, 0.0]


async def test_who_joins_types_beside_the_others(
    hub: ConsoleHub,
    machine: Machine,
    ann: Reader,
    bob: Reader,
    eve: Reader,
    presence: dict[str, tuple[str, int]],
) -> None:
    bob.viewer.join()
    assert (await bob.told("you type too now, beside ann", "writer")).writing is True
    await ann.told("bob types too now", "writer")
    await eve.told("bob types too now", "writer")
    assert presence["a"] == ("ann, bob", 1)
    await ann.viewer.write(b"l")
    await bob.viewer.write(b"s\r")
    assert await machine.typed(3) == b"ls\r"
    bob.viewer.join()
    await bob.told("you type here already")
    eve.viewer.join()
    await eve.told("your role lets you watch")
    await eve.viewer.write(b"x")
    await eve.company("ann!", "bob!", "eve")
    # They leave one after the other: only the last one gives the keyboard on.
    ann.viewer.close()
    await eve.told("ann has left", "left")
    assert bob.viewer.writing
    bob.viewer.close()
    await eve.told("bob has left; the keyboard is free", "writer")
    assert presence["a"] == ("", 1)


async def test_a_taker_types_alone(hub: ConsoleHub, ann: Reader, bob: Reader, reader: NewReader) -> None:
    carl = reader(await hub.attach("a", "carl", "join", may_write=True))
    await ann.told("carl has joined and types too now", "joined")
    assert (carl.viewer.attached.writing, carl.viewer.attached.writer) == (True, "ann, carl")
    bob.viewer.take()
    assert (await ann.told("bob has taken the keyboard; you watch now", "taken")).writing is False
    assert (await carl.told("bob has taken the keyboard; you watch now", "taken")).writing is False
    await ann.company("ann", "bob!", "carl")
    bob.viewer.take()
    await bob.told("the keyboard is yours already")
    # One of two who type takes it for herself.
    carl.viewer.join()
    carl.viewer.take()
    assert (await bob.told("carl has taken the keyboard; you watch now")).writing is False
    await ann.told("carl has taken the keyboard from bob", "writer")


async def test_the_keyboard_is_given_back_or_handed_over(
    hub: ConsoleHub, machine: Machine, ann: Reader, bob: Reader, eve: Reader
) -> None:
    bob.viewer.release()
    await bob.told("you do not type here")
    people = {one.principal: one.id for one in (await ann.company("ann!", "bob", "eve")).people}
    ann.viewer.release(people["eve"])
    await ann.told("the role of eve is to watch this console")
    ann.viewer.release(4711)
    await ann.told("is not here any more")
    ann.viewer.release(people["ann"])
    await ann.told("the keyboard is yours already")
    ann.viewer.release(people["bob"])
    assert (await bob.told("ann has handed the keyboard to you", "writer")).writing is True
    assert (await ann.told("you have handed the keyboard to bob; you watch now", "writer")).writing is False
    await eve.told("ann has handed the keyboard to bob", "writer")
    await bob.viewer.write(b"b")
    assert await machine.typed(1) == b"b"
    # Who has given it back does not want it: it is free then.
    bob.viewer.release()
    assert (await bob.told("you have given the keyboard back; you watch now")).writing is False
    await eve.told("bob has given the keyboard back; the keyboard is free")
    await ann.company("ann", "bob", "eve")
    # Whoever has asked since gets it.
    bob.viewer.join()
    await bob.told("the keyboard is yours now")
    ann.viewer.take()
    ann.viewer.release()
    assert (await bob.told("ann has given the keyboard back; the keyboard is yours now")).writing is True


async def test_one_of_two_who_type_may_stop(ann: Reader, bob: Reader, eve: Reader) -> None:
    bob.viewer.join()
    ann.viewer.release()
    await bob.told("ann watches now", "writer")
    await eve.company("ann", "bob!", "eve")
    ann.viewer.join()
    bob.viewer.demote("your role is viewer now")
    assert (await bob.told("your role is viewer now", "taken")).writing is False
    await ann.told("bob watches now", "writer")
    last = await eve.company("ann!", "bob", "eve")
    assert not last.people[1].may_write
    bob.viewer.promote("your role is operator again")
    bob.viewer.promote("said once")
    await bob.told("your role is operator again", "writer")
    bob.viewer.join()
    assert (await eve.company("ann!", "bob!", "eve")).people[1].may_write
    assert not any("said once" in notice.text for notice in bob.notices)


async def test_what_is_said_reaches_all_and_no_guest(
    machine: Machine, ann: Reader, bob: Reader, eve: Reader
) -> None:
    eve.viewer.say("is \x1b[31mthat\n me?")
    for one in (ann, bob, eve):
        assert (await one.told("eve: is \N{REPLACEMENT CHARACTER}[31mthat", "chat")).writing is None
    bob.viewer.say("   ")
    bob.viewer.say("long" * MAX_CHAT)
    assert len((await ann.told("bob: long", "chat")).text) == len("bob: ") + MAX_CHAT
    for number in range(20):
        eve.viewer.say(f"line {number}")
    await eve.told("not said: more than 5 lines at once")
    ann.viewer.say("the end")
    await bob.told("ann: the end")
    said = [notice for notice in bob.notices if notice.what == "chat"]
    lines = [notice.text for notice in said if "line" in notice.text]
    assert lines == [f"eve: line {number}" for number in range(len(lines))]
    assert len(lines) in (4, 5)
    await ann.viewer.write(b"ls")
    assert await machine.typed(2) == b"ls"


async def test_who_types_cannot_be_changed_for_ever(ann: Reader, bob: Reader) -> None:
    for _ in range(100):
        bob.viewer.take()
        bob.viewer.release()
    await bob.told("the keyboard changes hands too often")
    assert sum(notice.what == "taken" for notice in ann.notices) <= keyboard.CHANGES_AT_ONCE


async def test_only_so_many_type_at_once(hub: ConsoleHub, ann: Reader) -> None:
    joined = [await hub.attach("a", f"p{n}", "join", may_write=True) for n in range(keyboard.MAX_WRITERS)]
    assert [viewer.writing for viewer in joined] == [True] * (keyboard.MAX_WRITERS - 1) + [False]
    joined[-1].join()
    frames = await joined[-1].next_frames()
    assert any(isinstance(frame, Notice) and "16 type here already" in frame.text for frame in frames)


async def test_the_replay_is_as_long_as_is_asked_for(hub: ConsoleHub, machine: Machine) -> None:
    log = boot_log(10_000)
    await machine.print(log + b"the end")
    ring = hub._consoles["a"].ring
    await until(lambda: ring.end > len(log), 20)
    short = await hub.attach("a", "ann", "watch", may_write=False, back=64 * 1024)
    whole = await hub.attach("a", "bob", "watch", may_write=False)
    assert whole.attached.start == ring.entry().offset
    assert whole.attached.replay > 10 * short.attached.replay
    assert abs(ring.end - short.attached.start - 64 * 1024) <= 32 * 1024
    assert short.attached.oldest == ring.start
    output = b""
    while len(output) < short.attached.replay:
        frames = await short.next_frames()
        output += b"".join(frame.data for frame in frames if isinstance(frame, Output))
    assert output.endswith(log[-50_000:][-20_000:] + b"the end")
    assert len(output) == short.attached.replay


async def test_who_does_not_read_is_told_the_newest_only(
    hub: ConsoleHub, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "CHANGES_EVERY", 0.0)
    asleep = await hub.attach("a", "asleep", "watch", may_write=False)
    for number in range(50):
        guest = await hub.attach("a", f"guest{number}", "watch", may_write=False)
        await asyncio.sleep(0)
        if number < 49:
            guest.close()
    frames = await asleep.next_frames()
    told = [frame for frame in frames if isinstance(frame, Presence)]
    assert [[person.principal for person in one.people] for one in told] == [["asleep", "guest49"]]


async def test_a_hundred_people_come_and_go_for_little(
    hub: ConsoleHub, machine: Machine, reader: NewReader
) -> None:
    """Some of them do not read; the others are told of all, and not once for each who comes."""
    asleep = [await hub.attach("a", f"asleep{n}", "watch", may_write=False) for n in range(10)]
    readers = [reader(await hub.attach("a", f"p{n}", "watch", may_write=True)) for n in range(90)]
    everybody = [one.principal for one in asleep] + [f"p{n}" for n in range(90)]
    for one in readers:
        await one.company(*everybody)
        assert len(one.presences) <= 20, "however many came meanwhile"
    readers[0].viewer.take()
    await readers[0].viewer.write(b"echo\r")
    assert await machine.typed(5) == b"echo\r"
    await machine.print(boot_log(2_000) + b"the end")
    for one in readers:
        await one.sees("the end")
    for one in readers[1:]:
        one.viewer.close()
    await readers[0].company(*(one.principal for one in asleep), "p0!")
    hub.node_gone("a")
    await until(readers[0].task.done, 20)
    assert len(await asleep[0].next_frames()) <= 70, "notices are bounded"


async def test_who_comes_and_goes_all_the_time_does_not_bury_what_others_are_told(
    hub: ConsoleHub, ann: Reader
) -> None:
    for _ in range(200):
        (await hub.attach("a", "eve", "watch", may_write=False)).close()
    (await hub.attach("a", "bob", "watch", may_write=False)).close()
    await ann.told("bob has left")
    about_eve = [notice for notice in ann.notices if "eve" in notice.text]
    assert len(about_eve) <= company.COMINGS_AT_ONCE + 5
    await hub.attach("a", "eve", "watch", may_write=False)
    await ann.company("ann!", "eve")
