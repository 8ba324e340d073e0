"""The menu of power verbs."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App
from textual.binding import Binding

from pilot import offers
from pilot.screens.power_menu import PREFIX, PowerMenu
from pilot.screens.verb_menu import menu_verbs
from pilot.verbs import VERBS, Verb
from pilot.widgets.lines import LineList
from tests.test_danger import nodes


class Choosing(App[None]):
    """Opens the menu on `p`, and keeps what was chosen."""

    BINDINGS: ClassVar = [Binding("p", "menu")]

    def __init__(self, refused: dict[str, str] | None = None) -> None:
        super().__init__()
        self.refused = refused or {}
        self.chosen: list[Verb | None] = []

    def action_menu(self) -> None:
        self.push_screen(PowerMenu(nodes(2), lambda verb: self.refused.get(verb.id, "")), self.chosen.append)

    @property
    def ids(self) -> list[str | None]:
        return [verb.id if verb else None for verb in self.chosen]


def text(app: App[None]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def test_every_power_verb_is_in_it() -> None:
    assert {verb.id for verb in menu_verbs(PREFIX).values()} == {
        v.id for v in VERBS if v.id.startswith("power.")
    } | {"lease.set", "machine.drain", "machine.undrain"}


OF_VMS = {key: verb for key, verb in menu_verbs(PREFIX).items() if offers.known(verb, nodes(2))}


@pytest.mark.parametrize("key", OF_VMS)
async def test_two_keys_choose_at_once(key: str) -> None:
    app = Choosing()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p", key)
        await pilot.pause()
        assert app.ids == [menu_verbs(PREFIX)[key].id]


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_it_says_whom_and_what_and_why_not(size: tuple[int, int]) -> None:
    app = Choosing({"power.install": "needs owner"})
    async with app.run_test(size=size) as pilot:
        await pilot.press("p")
        await pilot.pause()
        shown = text(app)
        assert "Power: 2 nodes" in shown
        await pilot.press(*["down"] * (len(OF_VMS) - 1))
        await pilot.pause()
        shown += text(app)  # a small screen does not have them all at once
        for key, verb in OF_VMS.items():
            assert f"{key}  {verb.label}" in shown
        assert "terminate" not in shown
        assert "needs owner" in shown
        await pilot.press("i", "enter")
        await pilot.pause()
        assert app.chosen == [], "what would be refused is not chosen"
        await pilot.press("escape")
        assert app.ids == [None]


async def test_arrows_and_enter() -> None:
    app = Choosing({"power.on": "needs operator"})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        verbs = list(OF_VMS.values())
        assert app.screen.query_one(LineList).cursor == 1, "the first that can be chosen"
        await pilot.press("down", "down", "up", "enter")
        await pilot.pause()
        assert app.chosen == [verbs[2]]


async def test_the_mouse() -> None:
    app = Choosing()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        await pilot.click(LineList, offset=(4, 3))
        await pilot.pause()
        assert app.ids == [list(OF_VMS.values())[3].id]
        await pilot.press("p")
        await pilot.pause()
        await pilot.click(offset=(1, 1))
        await pilot.pause()
        assert app.ids[1:] == [None]
