"""A console's tab in the whole app, at a VM that boots."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from pilot.screens.console import ConsoleScreen
from pilot.screens.console_pane import ConsolePane
from tests.e2e.conftest import MakeSite, Site
from tests.support.cockpit import Opened, knows, opened
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e]
BOOT_SECONDS = 60.0
AtAConsole = tuple[Opened, Site]


def pane(app: Opened) -> ConsolePane:
    """The console that is typed at, or was last."""
    screen = app.app.screen_stack[0]
    assert isinstance(screen, ConsoleScreen), screen
    return screen.active


def guest_text(app: Opened) -> str:
    """All that the console's engine holds."""
    engine = pane(app).session.engine
    return "\n".join(engine.text(line) for line in range(engine.history + engine.rows))


async def prints(app: Opened, text: str, deadline: float = BOOT_SECONDS) -> None:
    try:
        await until(lambda: text in guest_text(app), deadline, every=0.2)
    except AssertionError:
        raise AssertionError(f"no {text!r} in:\n{guest_text(app)}") from None


async def log_in(app: Opened) -> None:
    await prints(app, "login:")
    await app.write("root")
    await app.press("enter")
    await prints(app, "Password:")
    await app.write("pilot")
    await app.press("enter")
    await until(lambda: guest_text(app).rstrip().endswith("#"), BOOT_SECONDS, "the prompt", every=0.2)


@pytest.fixture
async def at_a_console(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> AsyncIterator[AtAConsole]:
    """The app with two nodes, the first of which boots; its console is in front."""
    site = await make_site()
    site.vms = nodes(site.hosts[0], "vc1", 2)
    async with opened(knows(site.ada, site.airboss), size=(100, 30)) as app:
        await app.live(2)
        await app.press("c")
        await until(lambda: app.app.current_mode == "console-1", what="the tab")
        await until(lambda: pane(app).session.state == "live", what="the console")
        await app.press("ctrl+right_square_bracket", "p", "o", "enter")
        await until(lambda: pane(app).typing, what="typing again")
        yield app, site


async def test_boot_login_full_screen_and_back(at_a_console: AtAConsole) -> None:
    app, _ = at_a_console
    await log_in(app)
    # Keys that an app likes to keep for itself.
    await app.write("cat -v")
    await app.press("enter", "escape", "ctrl+v", "tab", "ctrl+v", "ctrl+q", "enter")
    await prints(app, "^[")
    await app.press("ctrl+c")
    await app.write("clear; top")
    await app.press("enter")
    await prints(app, "Mem:")
    await app.press("q")
    await app.write("echo $((6*7))")
    await app.press("enter")
    await prints(app, "42")
    await app.press("ctrl+right_square_bracket")
    await until(lambda: app.app.focused is None, what="released")
    await app.sees("power")
    await app.press("s")
    await prints(app, f"cols {pane(app).session.engine.columns}")
    await app.write("stty size")
    await app.press("enter")
    engine = pane(app).session.engine
    await prints(app, f"{engine.rows} {engine.columns}")


async def test_the_tab_outlives_airboss_and_a_look_elsewhere(
    at_a_console: AtAConsole,
) -> None:
    app, site = at_a_console
    await prints(app, "login:")
    session = pane(app).session
    before = guest_text(app)
    await app.press("ctrl+right_square_bracket", "1")
    await until(lambda: app.app.current_mode == "nodes", what="the nodes")
    await site.airboss.stop()
    await until(lambda: session.state == "lost", what="the loss is known")
    await site.airboss.start()
    await until(lambda: session.state == "live", 30, f"live again: {session.why}")
    await app.press("c")
    await until(lambda: app.app.current_mode == "console-1", what="the same tab")
    assert guest_text(app).startswith(before.rstrip()[:200]), "what was printed before is kept"
    await app.press("enter")
    await until(lambda: guest_text(app).count("login:") > before.count("login:"), what="it answers")
    await app.press("ctrl+right_square_bracket", "q")
    await until(lambda: app.app.current_mode == "nodes", what="the tab is closed")
    await until(lambda: not app.cockpit.opened, what="no tab is left")


async def test_two_consoles_side_by_side(at_a_console: AtAConsole) -> None:
    app, _ = at_a_console
    first = pane(app)
    columns = first.session.engine.columns
    await app.press("ctrl+right_square_bracket", "vertical_line")
    await app.write("compute-0-1")
    await app.press("enter")
    await until(lambda: pane(app) is not first, what="the second pane")
    second = pane(app)
    await until(lambda: second.session.state == "live", what="its console")
    assert first.session.engine.columns < columns
    told = second.session.notices
    await until(lambda: any("is off" in notice.text for notice in told), what="that it is off")
    await app.press("ctrl+right_square_bracket", "tab")
    assert pane(app) is first
    await app.press("ctrl+right_square_bracket", "q")
    await until(lambda: pane(app) is second, what="the second pane alone")
    await until(lambda: second.session.engine.columns == columns, what="all the room")
