"""The people at a console, and what they say, in the whole app."""

from __future__ import annotations

from pathlib import Path

from pilot import wire
from pilot.screens.people import PeopleScreen
from pilot.screens.told import ToldScreen
from tests.client.stand_in import NOW
from tests.screens.console_app import AtAConsole, at_a_console
from tests.support.waiting import until

ADA = wire.Person(1, "ada", True, NOW - 7300, NOW - 1, True)
BOB = wire.Person(2, "bob", False, NOW - 200, NOW - 190, True)
CAROL = wire.Person(3, "carol", False, NOW - 60, 0.0, False)


async def test_the_status_line_names_them(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, size=(120, 30)) as app:
        await app.sees("you write")
        app.guest.meets(ADA, BOB, CAROL)
        await app.sees("you write, bob and carol watch")
        await app.keys.resize_terminal(50, 20)
        await app.sees("you write, 2 watching")


async def overlay(app: AtAConsole) -> None:
    app.guest.meets(ADA, BOB, CAROL)
    await app.release("w")
    await app.shows(PeopleScreen)
    await app.sees("ada (you)")


async def test_the_list_says_who_and_since_when(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await overlay(app)
        await app.sees("here 2 h")
        await app.sees("idle 3 min")
        await app.sees("may only watch")
        await app.sees("typed nothing yet")
        app.guest.meets(ADA, BOB)
        await until(lambda: "carol" not in app.text(), what="carol has left")
        await app.press("escape")
        await until(lambda: app.app.screen is app.console, what="the console")
        assert not app.pane.typing, "what follows a dialog is not for the guest"


async def test_the_keyboard_is_handed_to_the_one_under_the_cursor(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await overlay(app)
        await app.sees("h hand over")
        await app.press("h")
        await until(lambda: app.guest.releases == [2], what="handed to bob")
        await app.sees("t take it")
        await app.press("h", "j")
        await until(lambda: app.guest.joins == 1, what="joined")
        await until(lambda: app.pane.session.writing, what="writing")
        await app.press("down", "h")
        await app.keys.pause()
        assert app.guest.releases == [2], "who may only watch is given nothing"
        await app.press("g")
        await until(lambda: app.guest.releases == [2, 0], what="given back")
        await until(lambda: not app.pane.session.writing, what="watching")
        await app.press("t")
        await until(lambda: app.guest.takes == 1, what="taken")


async def test_keys_in_the_tab_share_and_give_back(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("g")
        await until(lambda: app.guest.releases == [0], what="given back")
        await app.sees("you watch")
        await app.press("j")
        await until(lambda: app.pane.typing and app.pane.session.writing, what="typing, too")
        assert app.guest.joins == 1
        await app.press("x")
        await app.typed(b"x")


async def test_who_may_only_watch_is_offered_nothing_else(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        app.guest.says("you watch now", False)
        app.guest.meets(wire.Person(1, "ada", False, NOW, 0.0, False), BOB)
        await app.sees("you watch")
        await app.release("t", "j", "w")
        await app.shows(PeopleScreen)
        await app.press("t", "j", "h")
        await app.keys.pause()
        assert (app.guest.takes, app.guest.joins, app.guest.releases) == (0, 0, [])


async def test_what_is_said_goes_out_and_what_others_say_stands_a_while(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("m")
        await app.write("who reset it?")
        await app.press("enter")
        await until(lambda: app.guest.chats == ["who reset it?"], what="what was said")
        assert app.guest.typed == b""
        app.guest.channel.send(wire.Notice("chat", "bob: it was me\x1b[2J"))
        await app.sees("» bob: it was me")
        app.guest.channel.send(wire.Notice("joined", "carol has joined and watches"))
        await app.sees("carol has joined")
        await app.press("h")
        await app.shows(ToldScreen)
        await app.sees("» bob: it was me")
        await app.sees("⌁ carol has joined")
        assert "\x1b" not in app.text()
        await app.press("m")
        await app.write("ok")
        await app.press("enter")
        await until(lambda: app.guest.chats[1:] == ["ok"], what="the answer")
        await app.press("m", "enter", "m", "escape")
        await app.keys.pause()
        assert len(app.guest.chats) == 2, "an empty line says nothing"
