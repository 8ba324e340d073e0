"""From a key to the outcome: the whole app on a real airboss."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig, Site
from pilot.live.cockpit import Cockpit
from pilot.live.sites import LiveSites
from pilot.screens.activity import ActivityScreen
from pilot.widgets.confirm import ConfirmScreen
from tests.live.conftest import NODES, ada, boss
from tests.support.airboss import Airboss, Person
from tests.support.waiting import until

__all__ = ["ada", "boss"]


def text(app: PilotApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def shows(pilot: Pilot[int], words: str) -> None:
    app = pilot.app
    assert isinstance(app, PilotApp)
    await until(lambda: words in text(app), what=f"{words!r} in\n{text(app)}")


async def test_on_held_shutdown_undo_and_the_list(tmp_path: Path, boss: Airboss, ada: Person) -> None:
    config = ClientConfig(tmp_path)
    sites = LiveSites(config, lambda _site: ada.link, Site("test", "127.0.0.1", boss.port))
    cockpit = Cockpit(config, AppConfig(undo_seconds=30), sites, scope="vc1")
    app = PilotApp(cockpit)
    async with app.run_test(size=(100, 30)) as pilot:
        live = cockpit.desk.live
        await until(lambda: live.state == "live" and len(list(live.store.nodes())) == NODES)
        await shows(pilot, "compute-0-0")
        await pilot.press("p", "o")
        await until(lambda: cockpit.desk.activities.entries, what="it is asked")
        (turned_on,) = cockpit.desk.activities.entries
        await until(lambda: turned_on.state == "done")
        await shows(pilot, "● on")
        await shows(pilot, "✓ on compute-0-0 · done")

        await pilot.press("p", "s")
        await until(lambda: isinstance(app.screen, ConfirmScreen) and app.screen.ready)
        await shows(pilot, "Shut down compute-0-0 of vc1?")
        await pilot.press("y")
        await shows(pilot, "shutdown soon")
        await pilot.press("u")
        await shows(pilot, "taken back before it was sent")
        node = next(node for node in live.store.nodes() if node.name == "compute-0-0")
        assert node.state == "on"

        await pilot.press("9")
        await until(lambda: isinstance(app.screen, ActivityScreen), what="the list")
        await shows(pilot, "shutdown compute-0-0")
        await pilot.press("down")
        await shows(pilot, "receipt: journal no.")
