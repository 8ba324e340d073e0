"""Glancing at a console: the last lines, then what follows; bounded, unseen, and only while one may."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from pilot.agent.consoles import tail as tail_module
from pilot.agent.consoles.hub import ConsoleHub, Tail
from pilot.agent.consoles.ring import Ring
from pilot.errors import UnreachableError
from pilot.wire import Notice, Output
from tests.agent.consoles.lines import Lines, Machine, longest_stall, node
from tests.agent.consoles.recordings import boot_log
from tests.support.waiting import until


class Glance:
    """Reads a tail all the time, and notes when each frame came."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.frames: list[Output | Notice] = []
        self.times: list[float] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.tail:
            self.frames.append(frame)
            self.times.append(asyncio.get_running_loop().time())

    @property
    def output(self) -> bytes:
        return b"".join(frame.data for frame in self.frames if isinstance(frame, Output))

    @property
    def notices(self) -> list[Notice]:
        return [frame for frame in self.frames if isinstance(frame, Notice)]

    async def sees(self, text: bytes) -> None:
        await until(lambda: text in self.output, 20, f"{text!r} in {self.output[-2000:]!r}")

    async def told(self, text: str) -> Notice:
        def found() -> Notice | None:
            return next((notice for notice in self.notices if text in notice.text), None)

        return await until(found, 20, f"{text!r} in {self.notices}")

    async def end(self) -> Notice:
        async with asyncio.timeout(20):
            await self.task
        assert isinstance(self.frames[-1], Notice)
        assert self.frames[-1].final
        return self.frames[-1]


@pytest.fixture
async def glance() -> AsyncIterator[Callable[[Tail], Glance]]:
    made: list[Glance] = []

    def make(tail: Tail) -> Glance:
        made.append(Glance(tail))
        return made[-1]

    yield make
    for one in made:
        one.tail.close()
        await asyncio.wait_for(one.task, 5)


Look = Callable[[Tail], Glance]


@pytest.fixture
async def machine(hub: ConsoleHub, lines: Lines) -> Machine:
    """A node that is on."""
    lines["a"].power_on()
    await hub.hold("a")
    hub.node_changed(node("on"))
    return lines["a"]


async def printed(hub: ConsoleHub, machine: Machine, data: bytes) -> None:
    """The guest prints, and airboss has heard it."""
    reader = await hub.attach("a", "reader", "watch", may_write=False)
    await machine.print(data)
    heard = b""
    async with asyncio.timeout(10):
        while not heard.endswith(data[-100:]):
            heard += b"".join(f.data for f in await reader.next_frames() if isinstance(f, Output))
    reader.close()


async def test_it_begins_with_the_last_whole_lines_and_goes_on(
    hub: ConsoleHub, machine: Machine, glance: Look, presence: dict[str, tuple[str, int]]
) -> None:
    log = boot_log(1000)
    await printed(hub, machine, log)
    presence.clear()
    look = glance(hub.tail("a"))
    await until(lambda: look.frames)
    first = look.output
    assert tail_module.FIRST - 500 < len(first) <= tail_module.FIRST
    assert log.endswith(first)
    assert log[: -len(first)].endswith(b"\n")
    await machine.print(b"compute-a login: ")
    await look.sees(b"compute-a login: ")
    assert log.endswith(look.output.removesuffix(b"compute-a login: "))
    assert presence == {}, "nobody is told"


async def test_a_short_past_is_shown_whole(hub: ConsoleHub, machine: Machine, glance: Look) -> None:
    await printed(hub, machine, b"Booting\xe2\x80\xa6\r\nLinux version 6.1")
    look = glance(hub.tail("a"))
    await look.sees(b"Booting\xe2\x80\xa6\r\nLinux version 6.1")
    assert b"turned on" in look.output


async def test_a_node_that_is_off_says_so_and_is_followed_when_it_comes_on(
    hub: ConsoleHub, lines: Lines, glance: Look
) -> None:
    hub.node_changed(node("off"))
    look = glance(hub.tail("a"))
    assert (await look.told("its console follows once it is on")).final is False
    lines["a"].power_on()
    await hub.hold("a")
    await lines["a"].print(b"the first byte")
    await look.sees(b"the first byte")
    assert b"turned on" in look.output


async def test_a_node_without_a_console_ends_it_with_a_reason(hub: ConsoleHub, glance: Look) -> None:
    hub.node_changed(node("on", serial=False))
    assert "compute-a has no serial console" in (await glance(hub.tail("a")).end()).text


async def test_a_console_that_cannot_be_held_is_said(hub: ConsoleHub, lines: Lines, glance: Look) -> None:
    lines["a"].power_on()
    lines["a"].held = True
    hub.node_changed(node("on"))
    look = glance(hub.tail("a"))
    await look.told("virsh console of root holds it; trying again")
    lines["a"].held = False
    await look.told("is held now")


async def test_a_guest_that_floods_costs_little_and_what_is_missing_is_said(
    hub: ConsoleHub, machine: Machine, glance: Look
) -> None:
    look = glance(hub.tail("a"))
    await until(lambda: look.frames)
    before = len(look.output)
    log = boot_log(60_000)
    with longest_stall() as worst:
        await machine.print(log)
        await machine.print(b"the end")
        await look.sees(b"the end")
    assert worst[0] < 0.5
    sent = len(look.output) - before
    skipped = sum(int(n.text.split()[0].replace(",", "")) for n in look.notices if n.what == "skipped")
    assert skipped > 0
    assert sent + skipped == len(log) + len(b"the end")
    outputs = [
        (frame.data, when)
        for frame, when in zip(look.frames, look.times, strict=True)
        if isinstance(frame, Output)
    ]
    assert all(len(data) <= tail_module.LARGEST for data, _ in outputs)
    gaps = [after - now for (_, now), (_, after) in itertools.pairwise(outputs)]
    assert min(gaps) > tail_module.EVERY * 0.8
    assert log[-4000:] + b"the end" in look.output, "the newest is what is kept"


async def test_one_that_is_not_read_holds_nothing_back(hub: ConsoleHub, machine: Machine) -> None:
    tail = hub.tail("a")
    frames = aiter(tail)
    await anext(frames)
    await printed(hub, machine, boot_log(20_000))
    for number in range(100):
        tail.tell(Notice("host", str(number)))
    rest = [await anext(frames) for _ in range(2)]
    assert [frame.what for frame in rest if isinstance(frame, Notice)] == ["skipped"]
    tail.close("the end")
    assert [frame async for frame in frames] == [Notice("host", str(number)) for number in range(92, 100)] + [
        Notice("closed", "the end", final=True)
    ]


async def test_a_node_that_moves_ends_it_and_shows_nothing_more(
    hub: ConsoleHub, machine: Machine, glance: Look
) -> None:
    await printed(hub, machine, b"the old owner's secret\r\n")
    late = hub.tail("a")
    look = glance(hub.tail("a"))
    await look.sees(b"secret")
    hub.node_changed(msgspec.structs.replace(node("on"), cluster="vc2"))
    assert (await look.end()).text == "compute-a is not of vc1 any more"
    assert [frame async for frame in late] == [
        Notice("closed", "compute-a is not of vc1 any more", final=True)
    ]
    anew = glance(hub.tail("a"))
    await machine.print(b"new")
    await anew.sees(b"new")
    assert b"secret" not in anew.output


async def test_who_has_not_read_sees_nothing_of_what_the_next_owners_print(
    hub: ConsoleHub, machine: Machine, glance: Look
) -> None:
    await machine.print(b"short\r\n")
    ring = hub._consoles["a"].ring
    await until(lambda: b"short" in ring.copy(), 20, "it is printed")
    tail = hub.tail("a")
    hub.node_changed(msgspec.structs.replace(node("on"), cluster="vc2"))
    await machine.print(b"not yours\r\n" * 1000)
    await until(lambda: hub._consoles["a"].ring.end > ring.end + 8000, 20, "the next owners' console goes on")
    late = glance(tail)
    assert (await late.end()).text == "compute-a is not of vc1 any more"
    assert late.output == b""


async def test_it_ends_with_the_node_and_with_airboss(
    hub: ConsoleHub, lines: Lines, machine: Machine, glance: Look
) -> None:
    await printed(hub, machine, b"the last words\r\n")
    look = glance(hub.tail("a"))
    hub.node_changed(node("off", "b"))
    other = glance(hub.tail("b"))
    hub.node_gone("a")
    assert (await look.end()).text == "compute-a is no more"
    assert b"the last words" in look.output
    await hub.stop()
    assert (await other.end()).text == "airboss stops"
    with pytest.raises(UnreachableError):
        hub.tail("b")


@pytest.mark.parametrize(
    ("printed", "begins"),
    [
        (b"x" * 9000 + b"\r\nlast line", b"last line"),
        (b"line\n" * 5000, b"line\n"),
        (b"\x1b[5;1Habc" * 3000, b"\x1b[5;1Habc"),
        (b"x" * 20_000, b"x"),
        (b"x" * 100_000 + b"\n\n\r\n", b"x"),
        (b"", b""),
    ],
)
def test_where_it_is_cut(printed: bytes, begins: bytes) -> None:
    ring = Ring(capacity=64 * 1024)
    ring.append(printed)
    offset = tail_module._cut(ring, max(ring.start, ring.end - tail_module.FIRST))
    rest = tail_module._read(ring, offset)
    assert ring.end - offset == len(rest) <= tail_module.FIRST
    assert re.match(re.escape(begins), rest)
    assert printed.endswith(rest)
