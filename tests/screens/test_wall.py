"""The wall in the whole app: tiles with what stands on the screens, followed only while they are seen."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pilot import wire
from pilot.screens.screen import ScreenTab
from pilot.screens.wall import WallScreen
from tests.screens.screen_app import AtAScreen, at_a_screen, stripes
from tests.screens.test_screen_tab import text
from tests.support.waiting import until

PANIC = text(
    "", "Booting", "[    1.0] Kernel panic - not syncing: sysrq", "[    1.1] ---[ end Kernel panic", ""
)


async def at_the_wall(app: AtAScreen, *keys: str) -> WallScreen:
    """Go there from the screen that is in front."""
    await app.release("q")
    await until(lambda: app.app.current_mode == "nodes", 20)
    await app.press(*keys, "W")
    await until(lambda: app.app.current_mode == "wall", 20)
    screen = app.app.screen_stack[0]
    assert isinstance(screen, WallScreen)
    return screen


async def test_what_stands_on_the_screens(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, PANIC) as app:
        wall = await at_the_wall(app)
        await app.sees("end Kernel panic")
        await app.sees("● now")
        await until(lambda: app.text().count("Kernel panic - not syncing") == 2, 20, "both")
        assert ("watch", False) in app.airboss.modes
        app.guest.picture = text("login: root")
        app.guest.changed()
        await app.sees("login: root")
        # What is not seen is not followed, and keeps what it showed.
        followed = wall._followed
        assert followed is not None
        assert followed.followed >= 2
        await app.press("1")
        await until(lambda: followed.followed == 0, 20)
        await app.press("W")
        await app.sees("login: root")
        await app.press("right", "enter")
        await until(lambda: isinstance(app.app.screen_stack[0], ScreenTab), 20)
        assert app.tab.pane.node.name == "compute-0-1"


async def test_pictures_sizes_and_filter(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, stripes()) as app:
        wall = await at_the_wall(app)
        await app.sees("▀▀")
        width = wall.table.tile_width
        await app.press("minus")
        assert wall.table.tile_width < width
        await app.press("plus")
        assert wall.table.tile_width == width
        await app.press("slash")
        await app.write("compute-0-1")
        await app.press("enter")
        await until(lambda: len(wall.table.shown) == 1, 20)
        assert [node.name for node in wall.table.in_view()] == ["compute-0-1"]
        await app.press("escape")
        await until(lambda: len(wall.table.shown) == 3, 20)
        await app.press("q")
        await until(lambda: app.app.current_mode == "nodes", 20)
        assert "wall" not in {tab.mode for tab in app.cockpit.opened}


async def test_a_hung_node_is_asked_nothing(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, text("last words")) as app:
        wall = await at_the_wall(app)
        await app.sees("last words")
        store = app.cockpit.desk.live.store
        hung = tuple(msgspec.structs.replace(node, hung_ms=14_000) for node in app.airboss.nodes(()))
        store.apply(wire.Delta(store.version + 1, hung, time=app.cockpit.clock()))
        await app.sees("▲ hung 14 s")
        asked = app.guest.requests
        app.guest.picture = text("other words")
        app.guest.changed()
        followed = wall._followed
        assert followed is not None
        await until(lambda: not any(tile.live for tile in followed.tiles.values()), 20)
        # A question that was asked before may still be answered, once for each.
        assert app.guest.requests <= asked + 2
