"""Typing at several consoles at once, in the whole app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec

from pilot import wire
from pilot.app_config import AppConfig
from pilot.screens.answers import AnswersScreen
from pilot.screens.broadcast import BroadcastScreen
from pilot.screens.console import ConsoleScreen
from pilot.widgets.confirm import ConfirmScreen
from tests.client.stand_in import NOW, Channel
from tests.live.console_guest import Guest
from tests.screens.console_app import AtAConsole, at_a_console
from tests.support.waiting import until

WAIT = 30.0
NAMES = ("compute-0-0", "compute-0-1", "compute-0-2")


class Together(AtAConsole):
    """The app, with a guest of its own behind each console."""

    guests: dict[str, Guest]

    @property
    def tab(self) -> BroadcastScreen:
        """The broadcast in front."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, BroadcastScreen), screen
        return screen

    async def at(self, count: int, of: int = 3) -> None:
        """Await that so many are typed at."""
        await until(lambda: f"typing to {count} of {of}" in self.text(), WAIT, f"typing to {count}")

    async def all_got(self, data: bytes, *names: str) -> None:
        """Await that these guests were sent this, at last."""
        for name in names or NAMES:
            guest = self.guests[name]
            await until(partial(_got, guest, data), WAIT, f"{data!r} at {name}")


def _got(guest: Guest, data: bytes) -> bool:
    return guest.typed.endswith(data)


async def ask(app: Together, *keys: str) -> None:
    """From the nodes to the question."""
    await app.press("1", *keys)
    await until(lambda: isinstance(app.app.screen, ConfirmScreen) and app.app.screen.ready, WAIT, "asked")


@asynccontextmanager
async def together(folder: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Together]:
    """The app with a broadcast to three nodes in front."""
    async with at_a_console(folder, size=size, settings=AppConfig()) as at:
        airboss = at.airboss
        guests = {name: Guest(airboss) for name in NAMES}
        ids = {record.id: record.name for record in airboss.nodes(())}

        async def serve(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
            target = str(next(iter(body.targets), ""))
            guest = guests.get(ids.get(target, target), at.guest)
            await guest.serve(channel, request, body)

        airboss.on_request = serve
        for name, guest in guests.items():
            guest.printed = f"{name} login: ".encode()
        at.__class__ = Together
        assert isinstance(at, Together)
        at.guests = guests
        await at.release("q")
        await until(lambda: at.app.current_mode == "nodes", WAIT, "the nodes")
        yield at


async def opened(app: Together) -> None:
    """Mark all, ask, and say yes."""
    await ask(app, "home", "space", "down", "space", "down", "space", "b")
    assert "Type at 3 consoles at once?" in app.text()
    await app.press("y")
    await until(lambda: app.app.current_mode == "broadcast-1", WAIT, "the tab")
    await app.at(3)


async def test_keys_and_pastes_go_to_all_and_who_differs_is_said(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        await opened(app)
        for name in NAMES:
            await app.sees(f"{name} login:")
        assert {guest.modes[-1] for guest in app.guests.values()} == {"write"}
        assert {guest.sizes[0] for guest in app.guests.values()} == {(80, 24)}
        await app.write("id")
        await app.all_got(b"id")
        # What arrows send is up to what each guest has asked for.
        app.guests["compute-0-1"].prints(b"\x1b[?1h")
        modes = app.tab.pane.broadcast.members[1].session.engine
        await until(lambda: modes.modes.application_cursor, WAIT, "the mode")
        await app.press("up")
        await app.all_got(b"\x1bOA", "compute-0-1")
        await app.all_got(b"\x1b[A", "compute-0-0", "compute-0-2")
        await app.press("enter")
        await app.all_got(b"\r")
        for name in NAMES:
            state = "bad" if name == "compute-0-1" else "good"
            app.guests[name].prints(f"id\r\n{name} is {state}\r\n".encode())
        await app.sees("≠ compute-0-1 answered differently")
        await app.release("d")
        await app.shows(AnswersScreen)
        await app.sees("+ ‹node› is bad")
        await app.press("escape", "i", "enter")
        await app.all_got(b"\r")
        await until(lambda: "answered differently" not in app.text(), WAIT, "another line")


async def test_who_takes_part_is_chosen(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        app.guests["compute-0-2"].writing = False
        await ask(app, "home", "space", "down", "space", "down", "space", "b")
        await app.press("y")
        await app.at(2)
        await app.write("x")
        await app.all_got(b"x", "compute-0-0", "compute-0-1")
        assert app.guests["compute-0-2"].typed == b""
        await app.sees("you watch")
        await app.release("end", "down", "right", "left", "space", "down", "J")
        broadcast = app.tab.pane.broadcast
        await until(lambda: any(not member.chosen for member in broadcast.members), WAIT, "left out")
        await app.sees("left out")
        await app.press("a")
        await until(lambda: all(member.chosen for member in broadcast.members), WAIT, "all again")
        app.tab.pane.tiles.move_to(2)
        await app.press("J", "i")
        await app.at(3)
        await app.write("y")
        await app.all_got(b"y")


async def test_a_console_that_one_has_open_oneself_is_typed_at_too(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        mine, others = app.guests["compute-0-1"], app.guests["compute-0-2"]
        mine.writing = others.writing = False
        await ask(app, "home", "space", "down", "space", "down", "space", "b")
        await app.press("y")
        await app.at(1)
        me = wire.Person(1, "ada@vc1", False, NOW, 0.0, True)
        mine.meets(me, wire.Person(2, "ada@vc1", True, NOW, NOW, True))
        await app.at(2)
        others.meets(me, wire.Person(2, "bob@vc1", True, NOW, NOW, True))
        await app.write("x")
        await app.all_got(b"x", "compute-0-0", "compute-0-1")
        assert (mine.joins, others.joins) == (1, 0)
        assert others.typed == b""


async def test_one_is_lost_and_comes_back_in_its_place_and_one_is_zoomed(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        await opened(app)
        lost = app.guests["compute-0-1"]
        lost.refusal = wire.Fault("backend", "its host is away", "")
        lost.says("the host does not answer", final=True)
        await app.at(2)
        await app.sees("its host is away")
        await app.write("a")
        await app.all_got(b"a", "compute-0-0", "compute-0-2")
        assert lost.typed == b""
        lost.refusal = None
        await app.at(3)
        await until(lambda: "its host is away" not in app.text(), WAIT, "it is there again")
        await app.write("b")
        await app.all_got(b"ab", "compute-0-0", "compute-0-2")
        await app.all_got(b"b", "compute-0-1")
        assert lost.typed == b"b", "what was typed while it was away is not typed later"
        await app.release()
        app.tab.pane.tiles.move_to(1)
        await app.press("enter")
        await until(lambda: isinstance(app.app.screen_stack[0], ConsoleScreen), WAIT, "its own tab")
        assert app.pane.node.name == "compute-0-1"
        await until(lambda: "join" in app.guests["compute-0-1"].modes, WAIT, "it types beside the tile")


async def test_who_is_off_is_not_typed_at_and_takes_part_again_once_it_is_on(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        await opened(app)
        one = next(record for record in app.airboss.nodes(()) if record.name == "compute-0-1")
        store = app.cockpit.desk.live.store
        store.apply(wire.Delta(store.version + 1, (msgspec.structs.replace(one, state="off"),)))
        await app.at(2)
        await app.write("a")
        await app.all_got(b"a", "compute-0-0", "compute-0-2")
        assert app.guests["compute-0-1"].typed == b""
        store.apply(wire.Delta(store.version + 1, (one,)))
        await app.at(3)
        await app.write("b")
        await app.all_got(b"b", *NAMES)


async def test_cancel_is_what_enter_does_and_one_node_is_no_broadcast(tmp_path: Path) -> None:
    async with together(tmp_path) as app:
        await ask(app, "home", "space", "down", "space", "b")
        await app.press("enter")
        await until(lambda: not isinstance(app.app.screen, ConfirmScreen), WAIT, "cancelled")
        assert not any(guest.modes for guest in app.guests.values())
        await app.press("escape")
        await app.go("broadcast compute-0-1")
        await app.sees("mark two nodes or more")
        await app.go("broadcast compute-0-[0-1]")
        await until(lambda: isinstance(app.app.screen, ConfirmScreen), WAIT, "asked")
        await app.sees("Type at 2 consoles at once?")
