"""Whatever is pressed, clicked and resized: the app goes on, and its keys work."""

from __future__ import annotations

import os
import random

import pytest

from pilot.app_config import AppConfig
from pilot.screens.base import PilotScreen, TabChosen
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until

STEPS = 90
KEYS = (
    *"cwpyouxsrbzi/:?123456789SRjkgGnv[]<>~",
    *("enter", "escape", "space", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pageup"),
    *("pagedown", "ctrl+a", "ctrl+@", "ctrl+backslash", "ctrl+c", "ctrl+f", "f1", "backspace", "delete"),
)
LINES = (
    "nodes /state:on",
    "nodes /(",
    "journal /x",
    "activity",
    "compute-0-3",
    "on compute-0-[0-5]",
    "off *",
    "shutdown compute-0-1",
    "console compute-0-2",
    "cluster vc2",
    "cluster",
    "@vc1",
    "site two",
    "site one",
    "theme light",
    "theme terminal",
    "filter save x",
    "filter x",
    "help",
    "/",
    "\u202e",
)
SIZES = ((20, 6), (40, 12), (80, 24), (160, 48), (1, 1), (300, 80))


async def press_on(pilot: Opened, chance: random.Random, steps: int) -> list[str]:
    """Do anything; gives what was done, for the message of a failure."""
    done: list[str] = []
    for _ in range(steps):
        what = chance.random()
        if what < 0.75:
            done.append(chance.choice(KEYS))
            await pilot.press(done[-1])
        elif what < 0.85 and isinstance(pilot.screen, PilotScreen):
            done.append(f":{chance.choice(LINES)}")
            await pilot.press("escape")
            await pilot.go(done[-1][1:])
        elif what < 0.95:
            width, height = pilot.screen.size
            at = chance.randrange(max(1, width)), chance.randrange(max(1, height))
            done.append(f"click {at}")
            await pilot.keys.click(offset=at, times=chance.choice((1, 2)))
        else:
            size = chance.choice(SIZES)
            done.append(f"size {size}")
            await pilot.keys.resize_terminal(*size)
        assert pilot.app._exception is None, done
        if pilot.app.return_value is not None:
            return done
    return done


@pytest.mark.timeout(300)
async def test_anything(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    chance = random.Random(int(os.environ.get("PILOT_TEST_SEED", "2")))
    for number in range(4):
        fleet.switch_on(number)
    async with opened(knows(ada, boss, boss), AppConfig(undo_seconds=0.1)) as pilot:
        await pilot.live(NODES)
        done = await press_on(pilot, chance, STEPS)
        await boss.kill()
        done += await press_on(pilot, chance, STEPS // 3)
        await boss.start()
        done += await press_on(pilot, chance, STEPS // 3)
        await pilot.keys.resize_terminal(100, 30)
        for _ in range(6):
            await pilot.press("escape")
        if pilot.app.return_value is None:
            # A console that is typed in keeps the escapes for its guest.
            pilot.app.post_message(TabChosen("nodes"))
            await until(lambda: pilot.screen is pilot.nodes, what=" ".join(done))
            await until(lambda: "? keys" in pilot.bar(), what=" ".join(done))
