"""A VM's screen in the whole app: read, typed at, hung, off, on again; and without airboss."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from pilot.screens.screen import ScreenTab
from tests.e2e.conftest import MakeSite, Site
from tests.support.cockpit import Opened, knows, opened
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e]
BOOT_SECONDS = 60.0
AtAScreen = tuple[Opened, Site]


def tab(app: Opened) -> ScreenTab:
    """The tab in front."""
    screen = app.app.screen_stack[0]
    assert isinstance(screen, ScreenTab), screen
    return screen


def shown(app: Opened) -> str:
    """The text that the screen's picture is drawn as."""
    return tab(app).pane.framebuffer.lines.all_text()


async def shows(app: Opened, text: str) -> None:
    try:
        await until(lambda: text in shown(app), BOOT_SECONDS, every=0.1)
    except AssertionError:
        pane = tab(app).pane
        raise AssertionError(
            f"no {text!r}: {pane.session.state} {pane.session.why} {pane.look.drawing.kind}\n{app.text()}"
        ) from None


@pytest.fixture
async def at_a_screen(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> AsyncIterator[AtAScreen]:
    """The app with a node that is on; its screen is in front."""
    site = await make_site()
    site.vms = nodes(site.hosts[0], "vc1", 1)
    site.vms[0].start()
    async with opened(knows(site.ada, site.airboss), size=(100, 32)) as app:
        await app.live(1)
        await until(lambda: app.node("compute-0-0").state == "on", BOOT_SECONDS, "it is on")
        await app.press("v")
        await until(lambda: app.app.current_mode == "screen-1", what="the tab")
        yield app, site


async def test_a_vm_from_boot_to_its_end(at_a_screen: AtAScreen) -> None:
    app, site = at_a_screen
    (vm,) = site.vms
    session = tab(app).pane.session
    await shows(app, "compute-0-0 login:")
    await app.sees("text 100 %")
    await app.write("root")
    await app.press("enter")
    await shows(app, "Password:")
    await app.write("pilot")
    await app.press("enter")
    await until(lambda: shown(app).endswith("#"), BOOT_SECONDS, "the prompt", every=0.1)
    await app.write("clear; echo $((6*7)) '|{}\"'")
    await app.press("enter")
    await shows(app, '42 |{}"')
    # QEMU stands still: what is seen stays, with its age, and nothing is typed.
    os.kill(vm.qemu_pid, signal.SIGSTOP)
    await app.sees("▲ it hangs", BOOT_SECONDS)
    await app.sees("as it was", BOOT_SECONDS)
    assert "42 |" in shown(app)
    await app.write("x")
    await app.sees("nothing is typed: the node hangs", BOOT_SECONDS)
    os.kill(vm.qemu_pid, signal.SIGCONT)
    await app.sees("you control", BOOT_SECONDS)
    # Turned off while it is watched.
    vm.domain.destroy()
    await app.sees("○ it is off: its screen is opened once it is on", BOOT_SECONDS)
    assert "42 |" in shown(app)
    # Airboss is killed, comes back, and the node is turned on.
    await site.airboss.kill()
    vm.start()
    await site.airboss.start()
    await until(lambda: session.state == "live", BOOT_SECONDS, "live again", every=0.1)
    await shows(app, "compute-0-0 login:")
    assert "42 |" not in shown(app)


async def test_airboss_is_killed_while_one_looks(at_a_screen: AtAScreen) -> None:
    app, site = at_a_screen
    session = tab(app).pane.session
    await until(lambda: session.screen is not None, BOOT_SECONDS, "a picture")
    await site.airboss.kill()
    await until(lambda: session.state == "lost", BOOT_SECONDS, "lost")
    await app.sees("▲ lost", BOOT_SECONDS)
    await site.airboss.start()
    await until(lambda: session.state == "live", BOOT_SECONDS, "live again", every=0.1)
    await app.sees("you control", BOOT_SECONDS)
