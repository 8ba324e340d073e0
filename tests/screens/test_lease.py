"""Leases in the app, on a real airboss: asked, shown, renewed, warned of, cancelled."""

from __future__ import annotations

from textual.widgets import Input

from pilot.records import Node
from pilot.screens.lease import LeaseScreen
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until

SECONDS = 60.0


def node(pilot: Opened, name: str = "compute-0-0") -> Node:
    return next(node for node in pilot.cockpit.desk.live.store.nodes() if node.name == name)


async def test_asked_shown_renewed_and_cancelled(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    fleet.switch_on(0)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.sees("● on")
        await pilot.press("p", "l")
        await until(lambda: isinstance(pilot.screen, LeaseScreen))
        await pilot.sees("Lease of compute-0-0")
        await pilot.sees("No lease now")
        await pilot.press(*"soon", "enter")
        await pilot.sees("'soon' is no moment")
        assert isinstance(pilot.screen, LeaseScreen)
        pilot.screen.query_one(Input).value = ""
        await pilot.press(*"3h", "enter")
        await until(lambda: node(pilot).lease is not None, SECONDS)
        await pilot.sees("● on, off ")
        await pilot.sees("✓ lease compute-0-0 · done, goes off at")
        first = node(pilot).lease
        assert first is not None
        assert not first.warned

        await pilot.press("p", "l")
        await pilot.sees("Now: off at")
        await pilot.sees("given by ada")
        await pilot.press(*"renew")
        await pilot.sees("as long again as the lease was given for")
        await pilot.press("enter")

        def renewed() -> bool:
            lease = node(pilot).lease
            return lease is not None and lease.ends > first.ends

        await until(renewed, SECONDS)
        await pilot.go("lease compute-0-0 off")
        await until(lambda: node(pilot).lease is None, SECONDS)
        await until(lambda: "off " not in pilot.text().partition("compute-0-0")[2].splitlines()[0])


async def test_its_end_is_told_before_and_then_it_goes_off(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    fleet.switch_on(0)
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.sees("● on")
        await pilot.go("lease compute-0-0 12s")
        await pilot.go("events")  # wherever one is
        await until(lambda: pilot.app._notifications, SECONDS, "a notification")
        (told,) = pilot.app._notifications
        assert "`:lease` renews it" in told.title
        assert told.message.startswith("compute-0-0: off at ")
        await until(lambda: node(pilot).state == "off", SECONDS, "off")
        await until(lambda: node(pilot).lease is None, SECONDS)


async def test_a_lease_asks_for_the_role(boss: Airboss, fleet: Pretended) -> None:
    eve = await boss.person("eve", "vc1", "viewer")
    async with opened(knows(eve, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("lease compute-0-0 8h")
        await pilot.sees("Lease: lease needs the role operator, yours in vc1 is viewer")
        assert node(pilot).lease is None
