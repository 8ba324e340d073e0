"""What is closed leaves nothing behind, however often."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.widgets import Static

from pilot.screens.node_pane import NodePane
from pilot.screens.nodes import NodesScreen
from tests.screens.conftest import NODES
from tests.screens.console_app import AtAConsole, at_a_console
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import knows, opened
from tests.support.waiting import until

TIMES = 5


async def close_console(pilot: AtAConsole) -> None:
    await pilot.release("q")
    await until(lambda: pilot.app.current_mode == "nodes", what="the nodes")
    await pilot.keys.pause()


async def test_a_closed_console_is_forgotten(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as pilot:
        cockpit, live = pilot.cockpit, pilot.cockpit.desk.live
        await close_console(pilot)
        listeners = len(cockpit.changed._listeners), len(live.changed._listeners)
        for _ in range(TIMES):
            await pilot.press("c")
            await until(lambda: pilot.app.current_mode.startswith("console"), what="the tab")
            await until(lambda: pilot.pane.session.state == "live", what="the console")
            await close_console(pilot)
        assert (len(cockpit.changed._listeners), len(live.changed._listeners)) == listeners


class LastNews(Static):
    """Something of the nodes screen that, when the screen's pane is gone, lets one more change come."""

    def __init__(self, screen: NodesScreen) -> None:
        super().__init__()
        self._nodes_screen = screen
        self.told = False

    async def on_unmount(self) -> None:
        """The store changes while widgets go."""
        screen = self._nodes_screen
        await until(lambda: not screen.query(NodePane), what="the pane to go")
        screen.cockpit.desk.live.store.lost(1.0)
        for _ in range(100):
            await asyncio.sleep(0)
        self.told = True


async def test_what_changes_while_the_app_closes_finds_no_worker(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        last = LastNews(pilot.nodes)
        await pilot.nodes.mount(last)
    assert last.told
