"""Trees in the whole app, against a real airboss."""

from __future__ import annotations

from pilot.screens.base import PilotScreen
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until


def here(pilot: Opened) -> str:
    return pilot.screen.here() if isinstance(pilot.screen, PilotScreen) else ""


async def test_hosts_with_their_nodes_are_live(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("▾ fleet")
        await pilot.sees("● up")
        await pilot.sees(f"0 of {NODES} on: vc1 {NODES}")
        fleet.switch_on(2)
        await pilot.sees(f"1 of {NODES} on")
        fleet.undefine(3)
        await until(lambda: "compute-0-3" not in pilot.text())
        await pilot.sees(f"{NODES - 1} nodes")


async def test_branches_fold_and_filters_open_them(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("▾ fleet")
        await pilot.press("down", "left", "left")
        await pilot.sees("▸ fleet")
        assert "compute-0-1" not in pilot.text()
        await pilot.press("slash", *"0-11", "enter")
        await pilot.sees("▾ fleet")
        await pilot.sees(f"1 of {NODES} nodes")
        await pilot.sees("compute-0-11")
        await pilot.press("escape")
        await pilot.sees("▸ fleet")
        await pilot.press("right", "right")
        await pilot.sees("▾ fleet")
        await pilot.press("space", "down", "space")
        await pilot.sees("2 marked")


async def test_enter_leads_to_the_node(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("compute-0-4")
        await pilot.press("down", "down", "down", "enter")
        await until(lambda: pilot.app.current_mode == "nodes")
        await until(lambda: pilot.under_cursor == "compute-0-2")


async def test_verbs_are_for_the_nodes_of_the_marked_lines(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("compute-0-4")
        await pilot.press("p")
        await pilot.sees("there is no node for it here")
        await pilot.press("down", "space", "down", "space", "p", "o")
        await pilot.sees(f"2 of {NODES} on")


async def test_interfaces_are_below_their_vlan_and_network(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("vlans")
        await pilot.sees("▾ untagged")
        await pilot.sees(f"{NODES} on 1 host: vc1")
        await pilot.press("minus")
        await pilot.sees("▸ untagged")
        await pilot.press("slash", *"name:0-5", "enter")
        await pilot.sees(f"1 of {NODES} interfaces")


async def test_empty_trees_say_what_would_be_there(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("ec2")
        await pilot.sees("No EC2 region is configured")
        await pilot.go("slots")
        await pilot.sees("No HTCondor pool is configured")


async def test_links_lead_there_and_back(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.press("down", "down", "x")
        await pilot.sees("From compute-0-2 to")
        await pilot.press("h")
        await until(lambda: pilot.app.current_mode == "hosts")
        await until(lambda: here(pilot) == pilot.node("compute-0-2").id)
        await pilot.press("x", "1")
        await until(lambda: pilot.app.current_mode == "vlans")
        await until(lambda: here(pilot) == pilot.node("compute-0-2").id + "/0")
        await pilot.press("backspace")
        await until(lambda: pilot.app.current_mode == "hosts")
        await pilot.press("backspace")
        await until(lambda: pilot.app.current_mode == "nodes")
        assert pilot.under_cursor == "compute-0-2"
        await pilot.go("fle")
        await until(lambda: pilot.app.current_mode == "hosts")
        await until(lambda: here(pilot) == "host:fleet")
