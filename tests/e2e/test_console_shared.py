"""Two people in two apps at the console of one VM, and what it remembers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from pilot.screens.people import PeopleScreen
from tests.e2e.conftest import MakeSite
from tests.e2e.test_console_tab import guest_text, log_in, pane, prints
from tests.support.cockpit import Opened, knows, opened
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
SECONDS = 60.0
LINES = 14_000
"""More than 64 KiB, with which a console is opened; more than 10,000."""


async def at_the_console(app: Opened) -> None:
    await app.live(1)
    await app.press("c")
    await until(lambda: app.app.current_mode.startswith("console-"), SECONDS, "the tab")
    await until(lambda: pane(app).session.state == "live", SECONDS, "the console")
    await until(lambda: pane(app).session.people is not None, SECONDS, "who is there")


async def test_two_people_share_it_and_it_remembers(
    make_site: MakeSite, nodes: Callable[..., list[Vm]]
) -> None:
    site = await make_site()
    site.vms = nodes(site.hosts[0], "vc1", 1)
    eve = await site.airboss.person("eve", "vc1", "operator")
    async with opened(knows(site.ada, site.airboss), size=(110, 30)) as app:
        await at_the_console(app)
        await app.press("ctrl+right_square_bracket", "p", "o", "enter")
        await until(lambda: pane(app).typing, SECONDS, "typing again")
        await log_in(app)
        async with opened(knows(eve, site.airboss), size=(110, 30)) as other:
            await at_the_console(other)
            await app.sees("you write, eve watches", SECONDS)
            await other.sees("ada writes, you watch", SECONDS)

            # Both type.
            await other.press("ctrl+right_square_bracket", "j")
            await until(lambda: pane(other).session.writing, SECONDS, "eve types, too")
            await app.sees("you write, eve too", SECONDS)
            await other.write("echo $((40+2))from-eve")
            await other.press("enter")
            await prints(app, "42from-eve")
            await app.write("echo $((40+3))from-ada")
            await app.press("enter")
            await prints(other, "43from-ada")

            # They talk, and the guest hears nothing of it.
            await other.press("ctrl+right_square_bracket", "m")
            await other.write("mind if I take it?")
            await other.press("enter")
            await app.sees("» eve: mind if I take it?", SECONDS)
            await other.press("g")
            await until(lambda: not pane(other).session.writing, SECONDS, "eve watches")

            # The keyboard is handed over, and taken back.
            await app.press("ctrl+right_square_bracket", "w")
            await app.shows(PeopleScreen)
            await app.sees("eve", SECONDS)
            await app.press("h")
            await until(lambda: pane(other).session.writing, SECONDS, "handed to eve")
            await until(lambda: not pane(app).session.writing, SECONDS, "ada watches")
            await app.press("escape")
            await app.sees("eve writes, you watch", SECONDS)
            await app.press("t")
            await until(lambda: pane(app).session.writing, SECONDS, "taken back")
            await until(lambda: not pane(other).session.writing, SECONDS, "eve watches")
            assert "mind if" not in guest_text(app)
        await until(lambda: "eve" not in app.text().splitlines()[2], SECONDS, "eve has left")

        # More than is replayed.
        await app.write(f"seq 1 {LINES} | sed s/^/line-/; echo all-$((1+1))-said")
        await app.press("enter")
        await prints(app, "all-2-said", 120)
    await site.airboss.stop()
    await site.airboss.start()
    async with opened(knows(eve, site.airboss), size=(110, 30)) as other:
        await at_the_console(other)
        await prints(other, "all-2-said")
        engine = pane(other).session.engine
        await until(lambda: engine.history >= 10_000, 30, f"older lines: {engine.history}")
        text = guest_text(other)
        assert [f"line-{n}" for n in range(LINES - 9_000, LINES + 1)] == [
            line for line in text.splitlines() if line.startswith("line-")
        ][-9_001:]

        # It dies; what it said before is there for who comes later, and where it was turned on.
        os.kill(site.vms[0].qemu_pid, signal.SIGKILL)
        await other.sees("this is what it printed last", SECONDS)
        await other.press("ctrl+right_square_bracket", "q")
        await until(lambda: other.app.current_mode == "nodes", SECONDS, "the nodes")
        await at_the_console(other)
        await prints(other, "all-2-said")
        await prints(other, "turned off]")
        await other.sees("this is what it printed last", SECONDS)
