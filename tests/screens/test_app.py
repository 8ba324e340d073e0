"""The app as a whole: where `:` leads, tabs, themes, sites, keys, sizes, the mouse, leaving."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pilot import themes
from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig
from pilot.errors import ConfigError
from pilot.live.cockpit import Cockpit
from pilot.screens.help import HelpScreen
from pilot.screens.power_menu import PowerMenu
from pilot.screens.sites import SitesScreen
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.tab_strip import TabStrip
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, cockpit_of, knows, opened
from tests.support.waiting import until

SIZES = [(20, 6), (40, 12), (80, 24), (160, 48), (300, 80)]


def mode(pilot: Opened) -> str:
    return pilot.app.current_mode


async def test_words_lead_to_areas_nodes_verbs_and_out(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("journal")
        await until(lambda: mode(pilot) == "journal")
        await pilot.go("compute-0-7")
        await until(lambda: mode(pilot) == "nodes" and pilot.under_cursor == "compute-0-7")
        await pilot.find("compute-0-1")
        await until(lambda: len(pilot.names()) == 3)
        await pilot.go("compute-0-5")
        await until(lambda: pilot.under_cursor == "compute-0-5")
        assert len(pilot.names()) == NODES, "the filter that hid it is dropped"
        await pilot.press("colon", *"jou", "tab", "enter")
        await until(lambda: mode(pilot) == "journal")
        await pilot.go("activity")
        await until(lambda: mode(pilot) == "activity")
        await pilot.press("colon", *"compute-0-1", "tab", "tab")
        assert pilot.note().startswith("compute-0-1  compute-0-10")
        await pilot.press("escape")
        await pilot.go("nonsense")
        await pilot.sees("nothing here is called 'nonsense'")
        assert mode(pilot) == "activity"
        await pilot.go("on compute-0-[3-4]")
        await until(lambda: pilot.node("compute-0-4").state == "on")
        await pilot.go("on compute-9-9")
        await pilot.sees("compute-9-9 is not a node of yours that is shown here")
        await pilot.go("help")
        await pilot.shows(HelpScreen)
        await pilot.press("escape")
        await pilot.go("q")
        await until(lambda: pilot.app.return_value == 0)


async def test_digits_and_brackets_go_through_the_tabs(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "down")
        for key, shown in (
            ("9", "activity"),
            ("2", "hosts"),
            ("1", "nodes"),
            ("[", "journal"),
            ("]", "nodes"),
        ):
            await pilot.press(key)
            await until(lambda shown=shown: mode(pilot) == shown, what=f"{shown} by {key}")  # type: ignore[misc]
        assert pilot.under_cursor == "compute-0-2"
        await pilot.press("down")
        assert pilot.under_cursor == "compute-0-3", "the table has the keys"


@pytest.mark.parametrize("name", themes.NAMES)
async def test_themes(boss: Airboss, ada: Person, name: str) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go(f"theme {name}")
        await until(lambda: pilot.app.theme == f"pilot-{name}")
        await pilot.press("space", "p")
        await pilot.shows(PowerMenu)
        await pilot.press("escape", "question_mark")
        await pilot.shows(HelpScreen)
        await pilot.press("escape")
        await pilot.go("theme puce")
        await pilot.sees("Themes: dark, light, terminal, terminal-light.")
        assert pilot.app.theme == f"pilot-{name}"


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_has_its_keys(boss: Airboss, ada: Person, size: tuple[int, int]) -> None:
    async with opened(knows(ada, boss), size=size) as pilot:
        await pilot.live(NODES)
        assert "? keys" in pilot.bar()
        await until(lambda: "compute-0-0" in pilot.text(), what=pilot.text())
        for key in (
            "enter",
            "escape",
            "p",
            "escape",
            "question_mark",
            "escape",
            "slash",
            "escape",
            "2",
            "3",
            "1",
        ):
            await pilot.press(key)
            assert len(pilot.text().splitlines()) == size[1]
        for other in SIZES:
            await pilot.keys.resize_terminal(*other)
            await until(lambda other=other: pilot.screen.size == other)  # type: ignore[misc]
            assert "? keys" in pilot.bar()
        assert pilot.under_cursor == "compute-0-0"


async def test_sites_are_left_and_found_again_as_they_were(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.find("compute-0-1")
        await pilot.press("down", "space", "down")
        assert pilot.under_cursor == "compute-0-11"
        await pilot.press("S")
        await pilot.shows(SitesScreen)
        await pilot.press("down", "enter")
        await until(lambda: pilot.cockpit.desk.live.name == "two")
        await pilot.live(NODES)
        await until(lambda: len(pilot.names()) == NODES)
        assert pilot.nodes.filter_text == ""
        assert pilot.marked() == set()
        await pilot.press("end")
        await pilot.go("site one")
        await until(lambda: len(pilot.names()) == 3)
        assert pilot.nodes.filter_text == "compute-0-1"
        assert pilot.under_cursor == "compute-0-11"
        assert pilot.marked() == {"compute-0-10"}
        await pilot.go("site two")
        await until(lambda: pilot.under_cursor == "compute-0-11" and len(pilot.names()) == NODES)
        assert pilot.marked() == set()
        await pilot.go("site three")
        await pilot.sees("no site is called 'three'. Known are: one, two.")
        assert pilot.cockpit.desk.live.name == "two"


async def test_keys_of_ones_own(boss: Airboss, ada: Person) -> None:
    settings = AppConfig(keys={"nodes.power": "o", "table.mark": "m, ctrl+t", "app.help": "f1"})
    async with opened(knows(ada, boss), settings, size=(140, 30)) as pilot:
        await pilot.live(NODES)
        await pilot.press("m", "down", "ctrl+t")
        assert pilot.marked() == {"compute-0-0", "compute-0-1"}
        assert "o power" in pilot.bar()
        assert "f1 keys" in pilot.bar()
        await pilot.press("p", "space")
        assert pilot.marked() == {"compute-0-0", "compute-0-1"}
        await pilot.press("f1")
        await pilot.shows(HelpScreen)
        await pilot.sees("m ^t")
        await pilot.press("escape", "o")
        await pilot.shows(PowerMenu)


async def test_a_key_that_another_action_loses_is_said(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss), AppConfig(keys={"table.mark": "p"})) as pilot:
        await pilot.live(NODES)
        await pilot.sees("app.toml, keys: p is table.mark now, and no longer nodes.power")
        await pilot.press("p")
        assert pilot.marked() == {"compute-0-0"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"nodes.pwer": "o"}, "there is no action 'nodes.pwer'"),
        ({"nodes.power": "ctrl-o"}, "'ctrl-o', which is no key"),
        ({"nodes.power": ""}, "which is no key"),
    ],
)
async def test_keys_that_are_wrong_are_refused_before_the_app_opens(
    boss: Airboss, ada: Person, keys: dict[str, str], said: str
) -> None:
    cockpit, _ = cockpit_of(knows(ada, boss), AppConfig(keys=keys))
    with pytest.raises(ConfigError, match=said):
        PilotApp(cockpit)


async def test_the_mouse(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        strip = pilot.screen.query_one(TabStrip)
        at = strip.render().plain.index("Overview") + 2
        await pilot.keys.click(strip, offset=(at, 0))
        await until(lambda: mode(pilot) == "overview")
        await pilot.press("1")
        await until(lambda: mode(pilot) == "nodes")
        await pilot.keys.click("#table", offset=(6, 4))
        await until(lambda: pilot.under_cursor == "compute-0-3")
        await pilot.keys.click("#table", offset=(6, 5), control=True)
        await until(lambda: pilot.marked() == {"compute-0-4"})
        await pilot.keys.click("#table", offset=(20, 0))
        await until(lambda: pilot.nodes.table.sort_column == "state")
        bar = pilot.screen.query_one(KeyBar)
        await pilot.keys.click(bar, offset=(pilot.bar().index("p power") + 3, 0))
        await pilot.shows(PowerMenu)
        await pilot.press("escape")
        await pilot.keys.click(bar, offset=(pilot.bar().index("? keys") + 2, 0))
        await pilot.shows(HelpScreen)
        await pilot.press("escape")
        await pilot.press("slash", *"compute-0-1")
        await pilot.keys.click("#table", offset=(6, 2))
        await until(lambda: pilot.nodes.table.has_focus)
        await pilot.keys.double_click("#table", offset=(6, 2))
        await until(lambda: pilot.nodes.has_class("-details"))


async def test_no_colour(boss: Airboss, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        assert pilot.app.no_color
        await pilot.sees("○ off")


async def test_leaving_by_key_is_not_by_accident(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    fleet.switch_on(0)
    async with opened(knows(ada, boss), AppConfig(undo_seconds=60)) as pilot:
        await pilot.live(NODES)
        await until(lambda: pilot.node("compute-0-0").state == "on")
        await pilot.press("ctrl+c")
        await pilot.sees("Ctrl+Q leaves pilot, `:quit` too.")
        await pilot.press("p", "s")
        await pilot.shows(ConfirmScreen)
        await until(lambda: isinstance(pilot.screen, ConfirmScreen) and pilot.screen.ready)
        await pilot.press("y")
        await pilot.sees("shutdown soon")
        await pilot.press("ctrl+q")
        await pilot.shows(ConfirmScreen)
        await pilot.sees("Leave pilot now?")
        await until(lambda: isinstance(pilot.screen, ConfirmScreen) and pilot.screen.ready)
        await pilot.press("escape")
        await pilot.press("u", "ctrl+q")
        await until(lambda: pilot.app.return_value == 0)


async def test_a_mistake_ends_the_app_and_leaves_no_secrets_on_the_screen(
    boss: Airboss, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(cockpit: Cockpit) -> None:
        def broken() -> None:
            passphrase = "hunter".upper() + "2"  # noqa: F841
            raise LookupError("a mistake")

        cockpit.flashed = broken  # type: ignore[method-assign]

    with pytest.raises(LookupError, match="a mistake"):
        await _opened_and_broken(knows(ada, boss), prepare)
    assert "pilot made a mistake" in caplog.text


async def _opened_and_broken(config: ClientConfig, prepare: Callable[[Cockpit], None]) -> None:
    async with opened(config, before=[prepare]) as pilot:
        await until(lambda: pilot.app.return_code == 1)
        told = [
            segment.text
            for shown in pilot.app._exit_renderables
            for segment in getattr(shown, "segments", ())
        ]
        assert "a mistake" in "".join(told)
        assert "HUNTER2" not in "".join(told), "what variables hold is for nobody's screen"


@pytest.mark.parametrize("key", ["S", "question_mark", "p", "colon", "slash"])
async def test_a_window_of_one_cell_ends_nothing(boss: Airboss, ada: Person, key: str) -> None:
    async with opened(knows(ada, boss, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press(key)
        below = pilot.screen
        await pilot.keys.resize_terminal(1, 1)
        await until(lambda: pilot.screen.size == (1, 1))
        await pilot.press("down", "up", "pagedown", "pageup", "end", "home")
        await pilot.keys.resize_terminal(80, 24)
        await until(lambda: pilot.screen.size == (80, 24))
        assert pilot.screen is below
        await pilot.press("escape")
        await until(lambda: pilot.screen is pilot.nodes)
