"""Many at one console: who types, who is told what, and that nobody slows anybody."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable

import msgspec
import pytest

from pilot.agent.consoles import company, typist
from pilot.agent.consoles import viewer as viewer_module
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.typist import MAX_PENDING
from pilot.agent.consoles.viewer import Frame, Viewer
from pilot.errors import BusyError
from pilot.wire import MAX_CONSOLE_CHUNK, Notice, Output
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import Lines, Machine, node
from tests.agent.consoles.recordings import boot_log

NewReader = Callable[[Viewer], Reader]


@pytest.fixture
async def machine(hub: ConsoleHub, lines: Lines) -> Machine:
    """A node that is on."""
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    return lines["a"]


async def test_the_first_writer_types_and_the_others_watch(
    hub: ConsoleHub, machine: Machine, reader: NewReader, presence: dict[str, tuple[str, int]]
) -> None:
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    bob = reader(await hub.attach("a", "bob", "write", may_write=True))
    eve = reader(await hub.attach("a", "eve", "write", may_write=False))
    assert ann.viewer.attached.writing
    assert ann.viewer.attached.name == "compute-a"
    assert (bob.viewer.attached.writing, bob.viewer.attached.writer, bob.viewer.attached.watchers) == (
        False,
        "ann",
        1,
    )
    assert presence == {"a": ("ann", 2)}
    await ann.told("bob has joined and watches", "joined")
    await bob.viewer.write(b"rm")
    await eve.viewer.write(b"rm")
    await ann.viewer.write(b"ls\r")
    assert await machine.typed(3) == b"ls\r"
    await bob.told("ann types here; take the keyboard to type yourself", "writer")
    await eve.told("your role lets you watch this console", "writer")
    eve.viewer.take()
    await bob.viewer.write(b"rm")
    await machine.print(b"file\r\n")
    await bob.sees("file")
    assert len(bob.notices) == 2, "said once in a while, not at every key"


async def test_a_takeover_is_announced_by_name(
    hub: ConsoleHub, machine: Machine, reader: NewReader, presence: dict[str, tuple[str, int]]
) -> None:
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    eve = reader(await hub.attach("a", "eve", "watch", may_write=False))
    bob = reader(await hub.attach("a", "bob", "take", may_write=True))
    assert bob.viewer.attached.writing
    loss = await ann.told("bob has taken the keyboard; you watch now", "taken")
    assert loss.writing is False
    await eve.told("bob has taken the keyboard from ann")
    await ann.viewer.write(b"x")
    ann.viewer.take()
    gain = await ann.told("the keyboard is yours now", "writer")
    assert gain.writing is True
    assert (await bob.told("ann has taken the keyboard", "taken")).writing is False
    await ann.viewer.write(b"y")
    assert await machine.typed(1) == b"y"
    assert presence["a"] == ("ann", 2)


async def test_the_keyboard_of_one_who_leaves_goes_to_who_asked_for_it(
    hub: ConsoleHub, machine: Machine, reader: NewReader, presence: dict[str, tuple[str, int]]
) -> None:
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    eve = reader(await hub.attach("a", "eve", "watch", may_write=True))
    bob = reader(await hub.attach("a", "bob", "write", may_write=True))
    ann.viewer.close()
    assert (await bob.told("ann has left; the keyboard is yours now", "writer")).writing is True
    await eve.told("ann has left; bob types now", "writer")
    bob.viewer.demote("you are a viewer now")
    assert (await bob.told("you are a viewer now", "taken")).writing is False
    await eve.told("bob watches now; the keyboard is free", "writer")
    await eve.viewer.write(b"x")
    await eve.told("the keyboard is free: take it to type")
    eve.viewer.take()
    await eve.viewer.write(b"z")
    assert await machine.typed(1) == b"z"
    bob.viewer.close("your key is revoked")
    await eve.told("bob has left", "left")
    async with asyncio.timeout(20):
        await bob.task
    assert bob.notices[-1] == Notice("closed", "your key is revoked", final=True)
    eve.viewer.close()
    assert presence["a"] == ("", 0)


async def test_too_many_viewers_are_refused(
    hub: ConsoleHub, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "MAX_VIEWERS", 2)
    for name in ("ann", "bob"):
        await hub.attach("a", name, "write", may_write=True)
    with pytest.raises(BusyError):
        await hub.attach("a", "eve", "write", may_write=True)


async def test_a_long_paste_arrives_in_order(hub: ConsoleHub, machine: Machine) -> None:
    ann = await hub.attach("a", "ann", "write", may_write=True)
    paste = os.urandom(MAX_PENDING)
    for at in range(0, len(paste), 1000):
        await ann.write(paste[at : at + 1000])
    assert await machine.typed(len(paste)) == paste


async def test_a_guest_that_does_not_read_bounds_what_is_typed(
    hub: ConsoleHub, machine: Machine, reader: NewReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typist, "DEADLINE", 0.3)
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    # Who types alone is held back; bytes are dropped where several writes meet.
    held = [asyncio.create_task(ann.viewer.write(b"x" * MAX_PENDING)) for _ in range(40)]
    await ann.told(f"the guest does not read: {MAX_PENDING:,} bytes typed were dropped", "writer")
    async with asyncio.timeout(10):
        await asyncio.gather(*held)
    for _ in range(40):
        await ann.viewer.write(b"x" * 4096)
        await asyncio.sleep(0)
    await ann.told("bytes typed were dropped: the guest took nothing for 0.3 s", "writer")


async def test_typing_at_a_node_that_is_off_says_so(hub: ConsoleHub, lines: Lines, reader: NewReader) -> None:
    hub.node_changed(node("off"))
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    await ann.viewer.write(b"x")
    await ann.told("compute-a does not run: there is nothing to type at")


async def test_a_viewer_that_never_reads_costs_the_others_nothing(
    hub: ConsoleHub, machine: Machine, reader: NewReader
) -> None:
    asleep = await hub.attach("a", "asleep", "watch", may_write=False)
    awake = reader(await hub.attach("a", "awake", "watch", may_write=False))
    log = boot_log(40_000)
    await machine.print(log)
    await machine.print(b"the end")
    await awake.sees("the end")
    assert awake.output.endswith(log + b"the end"), "who reads misses nothing"
    # The one who slept is told how much it missed, and gets a screen that is right.
    frames = await asleep.next_frames()
    skipped, reset = frames[-3:-1]
    assert isinstance(skipped, Notice)
    assert skipped.what == "skipped"
    assert isinstance(reset, Output)
    assert reset.data.startswith(b"\x18\x1b[?1049l")
    late = _output(frames)
    while b"the end" not in late:
        late += _output(await asleep.next_frames())
    behind = late[len(reset.data) :]
    assert awake.output.endswith(behind)
    missed = re.match(r"([0-9,]+) bytes skipped", skipped.text)
    assert missed is not None
    assert len(awake.output) == int(missed[1].replace(",", "")) + len(behind)
    assert len(behind) <= viewer_module.RESUME + MAX_CONSOLE_CHUNK


async def test_notices_of_one_who_does_not_read_are_bounded_and_keep_who_writes(
    hub: ConsoleHub, machine: Machine
) -> None:
    asleep = await hub.attach("a", "asleep", "write", may_write=True)
    (await hub.attach("a", "thief", "take", may_write=True)).close()
    thief = await hub.attach("a", "thief", "take", may_write=True)
    for number in range(300):
        (await hub.attach("a", f"guest{number}", "watch", may_write=False)).close()
    notices = [frame for frame in await asleep.next_frames() if isinstance(frame, Notice)]
    assert len(notices) <= viewer_module.MAX_NOTICES
    assert [n.writing for n in notices if n.writing is not None] == [False]
    assert thief.writing


def _output(frames: list[Frame]) -> bytes:
    return b"".join(frame.data for frame in frames if isinstance(frame, Output))


async def test_one_principal_cannot_keep_the_others_out(hub: ConsoleHub, machine: Machine) -> None:
    mine = [await hub.attach("a", "ann", "watch", may_write=False) for _ in range(company.MAX_OF_ONE)]
    with pytest.raises(BusyError, match="ann is attached to this console 16 times already"):
        await hub.attach("a", "ann", "watch", may_write=False)
    await hub.attach("a", "bob", "write", may_write=True)
    mine[0].close()
    await hub.attach("a", "ann", "watch", may_write=False)


async def test_attaching_is_never_half_done(
    hub: ConsoleHub, machine: Machine, presence: dict[str, tuple[str, int]]
) -> None:
    attaching = hub.attach("a", "ann", "write", may_write=True)
    with pytest.raises(StopIteration) as done:
        attaching.send(None)  # It ends without having waited once: there is no place to cancel it at.
    assert presence["a"] == ("ann", 0)
    with contextlib.suppress(RuntimeError), done.value.value as viewer:
        assert viewer.writing
        raise RuntimeError("the reader fails")
    assert presence["a"] == ("", 0)
    assert [frame.what for frame in await viewer.next_frames() if isinstance(frame, Notice)] == []


async def test_a_node_that_moves_takes_nothing_of_its_console_along(
    hub: ConsoleHub, machine: Machine, reader: NewReader, presence: dict[str, tuple[str, int]]
) -> None:
    ann = reader(await hub.attach("a", "ann", "write", may_write=True))
    eve = reader(await hub.attach("a", "eve", "watch", may_write=False))
    await machine.print(b"the old owner's secret\r\n")
    await ann.sees("secret")
    await eve.sees("secret")
    hub.node_changed(msgspec.structs.replace(node("on"), cluster="vc2"))
    async with asyncio.timeout(20):
        await ann.task
        await eve.task
    assert ann.notices[-1] == Notice("closed", "compute-a is not of vc1 any more", writing=False, final=True)
    assert eve.notices[-1] == Notice("closed", "compute-a is not of vc1 any more", final=True)
    assert presence["a"] == ("", 0)
    await ann.viewer.write(b"not typed")
    ann.viewer.take()
    bob = reader(await hub.attach("a", "bob", "write", may_write=True))
    assert bob.viewer.attached.writer == "bob"
    await bob.viewer.write(b"typed")
    assert await machine.typed(5) == b"typed"
    await machine.print(b"new")
    await bob.sees("new")
    assert b"secret" not in bob.output
    assert bob.output.startswith(b"\r\n\x1b[2m[pilot 2026-11-23T16:20:31Z compute-a: the console is kept")
    assert ann.output.endswith(b"secret\r\n")
    assert machine.opened == 1, "no byte is missed in between"
    hub.node_changed(msgspec.structs.replace(node("on"), cluster="vc2"))
    assert presence["a"] == ("bob", 0)
