"""From a key to what airboss did, in the whole app."""

from __future__ import annotations

import pytest
from textual.widgets import Button, Input

from pilot.app_config import AppConfig
from pilot.screens.power_menu import PowerMenu
from pilot.widgets.confirm import ConfirmScreen
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until


async def asked(pilot: Opened) -> ConfirmScreen:
    """The dialog, once it takes an answer."""
    await until(lambda: isinstance(pilot.screen, ConfirmScreen) and pilot.screen.ready, what="a dialog")
    assert isinstance(pilot.screen, ConfirmScreen)
    return pilot.screen


def state(pilot: Opened, number: int) -> str:
    return pilot.node(f"compute-0-{number}").state


async def test_two_keys_turn_a_node_on(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "p", "o")
        await pilot.sees(lambda: "● on" in pilot.row("compute-0-1"))
        assert state(pilot, 0) == "off"
        await pilot.sees("on compute-0-1")
        await pilot.press("9")
        await pilot.sees("1 asked")
        await pilot.sees("done")
        await pilot.press("]")
        await pilot.sees("power.on")


async def test_what_disrupts_is_asked_with_cancel_in_focus(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    for number in range(3):
        fleet.switch_on(number)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await until(lambda: state(pilot, 2) == "on")
        await pilot.press("space", "down", "space", "p", "x")
        dialog = await asked(pilot)
        assert dialog.question.names == ("compute-0-0", "compute-0-1")
        focused = pilot.screen.focused
        assert isinstance(focused, Button)
        assert focused.id == "no"
        await pilot.press("enter")
        await until(lambda: pilot.screen is pilot.nodes)
        assert not pilot.cockpit.desk.activities.entries
        assert pilot.marked() == {"compute-0-0", "compute-0-1"}
        await pilot.press("p", "x")
        await asked(pilot)
        await pilot.press("y")
        await until(lambda: state(pilot, 0) == state(pilot, 1) == "off")
        assert state(pilot, 2) == "on"
        await until(lambda: not pilot.cockpit.desk.activities.open)


async def test_a_protected_cluster_wants_its_word(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    boss.editor.add_cluster("vc3", None, True)
    await boss.entitle(ada, "vc3")
    fleet.define("precious", "vc3", NODES)
    fleet.switch_on(NODES)
    async with opened(knows(ada, boss), scope="vc3") as pilot:
        await pilot.live(1)
        await until(lambda: pilot.node("precious").state == "on")
        await pilot.press("p", "x")
        dialog = await asked(pilot)
        assert dialog.question.word == "precious"
        await pilot.press("y", "enter")
        assert pilot.screen is dialog
        dialog.query_one(Input).value = ""
        await pilot.write("precious")
        await pilot.press("enter")
        await until(lambda: pilot.node("precious").state == "off")


async def test_a_shutdown_is_held_and_taken_back(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    fleet.switch_on(0)
    async with opened(knows(ada, boss), AppConfig(undo_seconds=60)) as pilot:
        await pilot.live(NODES)
        await until(lambda: state(pilot, 0) == "on")
        await pilot.press("u")
        await pilot.press("p", "s")
        await asked(pilot)
        await pilot.press("y")
        await pilot.sees(lambda: "◐ shutdown soon" in pilot.row("compute-0-0"))
        await pilot.sees(lambda: "u undo" in pilot.bar())
        await pilot.press("u")
        await pilot.sees(lambda: "● on" in pilot.row("compute-0-0"))
        (activity,) = pilot.cockpit.desk.activities.entries
        assert activity.state == "withdrawn"
        assert state(pilot, 0) == "on"
        assert "power.shutdown" not in await boss.admin("journal", "show")


async def test_what_was_asked_shows_until_the_inventory_says_so(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    fleet.switch_on(0)
    async with opened(knows(ada, boss), AppConfig(undo_seconds=0)) as pilot:
        await pilot.live(NODES)
        await until(lambda: state(pilot, 0) == "on")
        await pilot.go("shutdown compute-0-0")
        await asked(pilot)
        await pilot.press("y")
        await until(lambda: state(pilot, 0) == "off")
        await pilot.sees(lambda: "○ off" in pilot.row("compute-0-0"))
        await pilot.go("off compute-0-0")
        await asked(pilot)
        await pilot.press("y")
        await until(lambda: len(pilot.cockpit.desk.activities.entries) == 2)
        await until(lambda: not pilot.cockpit.desk.activities.open)
        await pilot.sees(lambda: "off" in pilot.line("flash"))


async def test_some_may_and_some_may_not(boss: Airboss, fleet: Pretended) -> None:
    eve = await boss.person("eve", "vc1", "viewer")
    async with opened(knows(eve, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("p")
        await pilot.shows(PowerMenu)
        await pilot.sees("needs operator")
        await pilot.press("o", "escape")
        await pilot.go("on compute-0-0")
        await pilot.sees("On: on needs the role operator, yours in vc1 is viewer")
        await pilot.press("c")
        await pilot.sees("needs the role")
        assert not pilot.cockpit.desk.activities.entries


@pytest.mark.parametrize("by", ["option", "file"])
async def test_read_only_hides_what_changes_something(boss: Airboss, ada: Person, by: str) -> None:
    settings = AppConfig(readonly=by == "file")
    async with opened(knows(ada, boss), settings, readonly=by == "option") as pilot:
        await pilot.live(NODES)
        await pilot.sees("read only")
        assert "power" not in pilot.bar()
        await pilot.press("p", "o")
        await pilot.go("on compute-0-0")
        await pilot.sees("nothing here is called 'on'")
        assert state(pilot, 0) == "off"
        assert not pilot.cockpit.desk.activities.entries


async def test_marked_nodes_that_the_filter_hides_are_asked_about(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("space", "down", "space")
        await pilot.find("compute-0-1$")
        assert pilot.names() == ["compute-0-1"]
        await pilot.sees("2 marked, 1 hidden")
        await pilot.press("p", "o")
        dialog = await asked(pilot)
        assert dialog.question.names == ("compute-0-0", "compute-0-1")
        await pilot.sees("1 of them is hidden")
        await pilot.press("n")
        await until(lambda: pilot.screen is pilot.nodes)
        await pilot.go("on")
        await asked(pilot)
        await pilot.press("y")
        await until(lambda: state(pilot, 0) == state(pilot, 1) == "on")
