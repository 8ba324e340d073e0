"""What is closed leaves nothing behind, however often."""

from __future__ import annotations

from pathlib import Path

from tests.screens.console_app import AtAConsole, at_a_console
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
