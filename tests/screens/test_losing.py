"""The app while its link is lost, refused, or not there yet: what was looked at stays, and it is said why."""

from __future__ import annotations

import asyncssh
import msgspec
import pytest
from textual.widgets import Input

from pilot import wire
from pilot.app_config import AppConfig
from pilot.link.backoff import Backoff
from pilot.screens.questions import FirstUseScreen, PassphraseScreen, StoppedScreen
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, host_key, knows, opened
from tests.support.waiting import until

SIGNS = [
    "[bold]x[/bold]",
    "\x1b]0;evil\x07\x1b[2J\x9b1m",
    "\u202eevil\u202c",
    "x" * 300,
    "界" * 60,
    "\u0301" * 9,
]


def stale(pilot: Opened) -> bool:
    """Whether the row under the cursor is drawn as old."""
    table = pilot.nodes.table
    row = table.cursor_row
    return row is not None and table._stale is not None and table._stale(row)


async def test_a_killed_airboss_takes_nothing_from_the_screen(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    fleet.switch_on(10)
    async with opened(knows(ada, boss), size=(100, 16)) as pilot:
        await pilot.live(NODES)
        await pilot.find("compute-0-1")
        await pilot.press("down", "space")
        live = pilot.cockpit.desk.live
        live._backoff = Backoff(first=60, longest=60)
        assert pilot.under_cursor == "compute-0-10"
        await until(lambda: pilot.node("compute-0-10").state == "on")
        assert not stale(pilot)
        await boss.kill()
        await pilot.sees("✕ one")
        await pilot.sees("link lost")
        await pilot.sees("R tries now")
        assert stale(pilot)
        assert pilot.names() == ["compute-0-1", "compute-0-10", "compute-0-11"]
        assert pilot.marked() == {"compute-0-10"}
        before = pilot.line("flash")
        await until(lambda: pilot.line("flash") != before, what="a count down")
        await pilot.press("p", "x")
        await pilot.sees("no link")
        await pilot.press("escape")
        await pilot.go("on compute-0-1")
        await pilot.sees("On: there is no link to the site")
        await until(lambda: not pilot.cockpit.desk.activities.entries)
        fleet.switch_on(11)
        await boss.start()
        await pilot.press("R")
        await pilot.live()
        await until(lambda: pilot.node("compute-0-11").state == "on")
        await until(lambda: not stale(pilot), what="the host is there again")
        assert pilot.names() == ["compute-0-1", "compute-0-10", "compute-0-11"]
        assert pilot.marked() == {"compute-0-10"}
        assert pilot.under_cursor == "compute-0-10"
        assert pilot.nodes.filter_text == "compute-0-1"
        await pilot.sees("● one")


async def test_it_comes_back_by_itself(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await boss.kill()
        await pilot.sees("link lost")
        await boss.start()
        await pilot.live(NODES)


async def test_a_site_that_is_not_there_says_so(boss: Airboss, ada: Person) -> None:
    config = knows(ada, boss)
    await boss.stop()
    async with opened(config) as pilot:
        await pilot.sees("link lost")
        await pilot.sees("Nothing is known yet: there is no link to the site.")
        await pilot.press("3")
        await pilot.press("1", "c", "p", "question_mark", "escape")
        await pilot.go("cluster vc1")
        await boss.start()
        await pilot.press("R")
        await pilot.live(NODES)


async def test_another_host_key_stops_everything(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "space")
        await boss.kill()
        (boss.state / "host_key").unlink()
        (boss.state / "host_key.pub").unlink()
        await boss.start()
        await pilot.shows(StoppedScreen)
        await pilot.sees("HAS CHANGED")
        live = pilot.cockpit.desk.live
        assert live.state == "refused"
        assert live.next_attempt is None
        assert pilot.screen.focused is not None
        assert pilot.screen.focused.id == "stay"
        await pilot.press("enter")
        await until(lambda: pilot.screen is pilot.nodes)
        await pilot.sees("not connected")
        assert len(pilot.names()) == NODES, "what is known stays"
        assert pilot.marked() == {"compute-0-1"}
        assert stale(pilot)
        await pilot.press("R")
        await pilot.shows(StoppedScreen)
        await pilot.press("right", "right", "right", "enter")
        await until(lambda: pilot.app.return_value == 0)


async def test_first_contact_is_asked(boss: Airboss, ada: Person) -> None:
    config = knows(ada, boss, pin=False)
    async with opened(config) as pilot:
        await pilot.shows(FirstUseScreen)
        await pilot.sees("SHA256:")
        await pilot.write("perhaps")
        await pilot.press("enter")
        assert isinstance(pilot.screen, FirstUseScreen)
        await pilot.press("escape")
        await pilot.shows(StoppedScreen)
        assert not config.known_hosts.exists()
        await pilot.press("right", "enter")
        await pilot.shows(FirstUseScreen)
        await pilot.write("yes")
        await pilot.press("enter")
        await pilot.live(NODES)
        assert host_key(boss) in config.known_hosts.read_text()
        assert pilot.nodes.table.has_focus


async def test_a_locked_key_is_asked_for_its_passphrase(boss: Airboss, ada: Person) -> None:
    config = knows(ada, boss)
    key = asyncssh.read_private_key(ada.key)
    ada.key.write_bytes(key.export_private_key(passphrase="hunter2", rounds=16, ignore_few_rounds=True))
    async with opened(config) as pilot:
        await pilot.shows(PassphraseScreen)
        await pilot.sees(ada.key.name)
        await pilot.write("wrong")
        assert "wrong" not in pilot.text()
        await pilot.press("enter")
        await until(
            lambda: isinstance(pilot.screen, StoppedScreen | PassphraseScreen) and not asked_text(pilot)
        )
        if isinstance(pilot.screen, StoppedScreen):
            await pilot.press("right", "enter")
            await pilot.shows(PassphraseScreen)
        await pilot.write("hunter2")
        await pilot.press("enter")
        await pilot.live(NODES)
        await boss.kill()
        await boss.start()
        await pilot.live(NODES)
        assert not isinstance(pilot.screen, PassphraseScreen), "it is asked for once"


def asked_text(pilot: Opened) -> str:
    """What is typed in a dialog."""
    found = pilot.screen.query(Input)
    return found.first().value if found else ""


async def test_roles_change_while_one_looks(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.sees("vc1 · owner · ada")
        await boss.entitle(ada, "vc2", "viewer")
        await pilot.sees("all your clusters")
        await until(lambda: pilot.cockpit.desk.live.clusters() == ["vc1", "vc2"])
        await boss.admin("key", "remove", "vc1", "ada")
        await until(lambda: pilot.names() == [])
        await pilot.sees("vc2 · viewer · ada")


@pytest.mark.parametrize("sign", SIGNS, ids=["markup", "escapes", "rtl", "long", "wide", "combining"])
async def test_hostile_names_stay_text(boss: Airboss, ada: Person, sign: str) -> None:
    async with opened(knows(ada, boss), AppConfig(), size=(80, 40)) as pilot:
        await pilot.live(NODES)
        store = pilot.cockpit.desk.live.store
        first = pilot.node("compute-0-0")
        evil = msgspec.structs.replace(
            first, name=sign, host=sign, domain=sign, writer=sign, appliance=sign, watchers=2, serial=True
        )
        store.apply(wire.Delta(store.version + 1, (evil,)))
        await until(lambda: pilot.nodes.table.cursor_row == evil)
        await pilot.press("enter", "space", "y")
        await pilot.sees(lambda: "copied" in pilot.line("flash"))
        lines = pilot.text().splitlines()
        assert len(lines) == 40
        assert "compute-0-1" in pilot.text()
        for strip in pilot.screen._compositor.render_strips():
            assert strip.cell_length == 80
            for control in ("\x1b", "\x07", "\x9b", "\u202e", "\r", "\n"):
                assert control not in strip.text
        await pilot.press("p")
        await pilot.press("escape", "colon")
        await pilot.write("compu")
        await pilot.press("tab", "escape", "slash", "x", "escape")
        assert pilot.nodes.table.cursor_row == evil
