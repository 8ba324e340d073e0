"""A pool that is read from a file of ads: its jobs are seen, and nobody can be asked to drain."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pilot.demo.slots import ads_text
from pilot.screens.jobs import JobsScreen
from pilot.widgets.confirm import ConfirmScreen
from tests.e2e.test_pilot import pilot as pilot_command
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss
from tests.support.cockpit import knows, opened
from tests.support.waiting import until


@pytest.fixture
async def boss(place: Path, fleet: Pretended) -> AsyncIterator[Airboss]:
    """One that reads a pool of whose machines compute-0-0 is one, with a job."""
    ads = place / "pool.ads"
    ads.write_text(ads_text(time.time(), time.time()))
    airboss = Airboss(
        place, {"fleet": fleet.uri}, f'[[pool]]\nname = "vc1"\nfile = "{ads}"\ncluster = "vc1"\n'
    )
    airboss.editor.add_cluster("vc1", None, False)
    await airboss.start()
    yield airboss
    await airboss.stop()


async def test_draining_is_not_offered(boss: Airboss, fleet: Pretended) -> None:
    ada = await boss.person("ada", "vc1")
    fleet.switch_on(0)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await until(lambda: pilot.cockpit.desk.activities.in_pool(pilot.cockpit.desk.live.store.nodes()))
        await pilot.press("p", "x")
        await pilot.shows(JobsScreen)
        await pilot.sees("12.0 of you@frontend.vc1.local on compute-0-0")
        await pilot.sees("its pool is read from a file")
        await pilot.press("d")
        await pilot.shows(JobsScreen)
        await pilot.press("down", "enter")  # what is left is asked once more
        await pilot.shows(ConfirmScreen)
        await pilot.press("escape")
        await pilot.press("p")
        await pilot.sees("its pool is read from a file")
        assert not pilot.cockpit.desk.activities.entries


async def test_the_command_line_says_so_too(boss: Airboss, fleet: Pretended) -> None:
    ada = await boss.person("ada", "vc1")
    fleet.switch_on(0)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await until(lambda: pilot.cockpit.desk.activities.in_pool(pilot.cockpit.desk.live.store.nodes()))
    code, out, err = await pilot_command(ada, "drain", "compute-0-0", "--reason", "a new disk")
    assert code
    assert "read from a file of ads" in out + err
    code, out, err = await pilot_command(ada, "power", "off", "compute-0-0", "--drain", "--yes")
    assert code
    assert "read from a file of ads" in out + err
