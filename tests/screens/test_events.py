"""What happened, in the whole app against a real airboss."""

from __future__ import annotations

from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import knows, opened
from tests.support.waiting import until


async def test_what_happens_is_told_whoever_wanted_it(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        fleet.switch_on(3)
        await pilot.sees(lambda: "● on" in pilot.row("compute-0-3"))
        await pilot.go("events")
        await pilot.sees("is on; it was off")
        fleet.suspend(3)
        await pilot.sees("is paused; it was on")
        await pilot.press("slash", *"what:host", "enter")
        await until(lambda: "is paused" not in pilot.text())
        await pilot.press("escape")
        await pilot.sees("is paused; it was on")
        await pilot.press("home", "enter")
        await until(lambda: pilot.app.current_mode == "nodes")
        assert pilot.under_cursor == "compute-0-3"


async def test_events_are_there_again_after_airboss_was_started_anew(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("events")
        fleet.switch_on(3)
        await pilot.sees("is on; it was off")
        await boss.stop()
        await pilot.sees("✕ one")
        await boss.start()
        await pilot.sees("● one")
        fleet.switch_off(3)
        await pilot.sees("is off; it was on")
        await pilot.sees("is on; it was off")


async def test_others_see_nothing_of_it_nor_of_a_node_s_time_elsewhere(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    bob = await boss.person("bob", "vc2")
    async with opened(knows(bob, boss)) as pilot:
        await pilot.go("events")
        await pilot.sees("Nothing has happened yet")
        fleet.switch_on(3)
        fleet.adopt("compute-0-3", "vc2", 3)
        await pilot.sees("joined the cluster")
        fleet.switch_off(3)
        await pilot.sees("is off; it was on")
        assert "is on" not in pilot.text()
        assert "vc1" not in pilot.text()
