"""What needs attention, in the whole app against a real airboss."""

from __future__ import annotations

import asyncio
import json
from functools import partial

from pilot.records import Node
from tests.e2e.test_pilot import start
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import knows, opened
from tests.support.waiting import until


async def test_a_paused_node_needs_attention_until_it_is_mended(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("overview")
        await pilot.sees("Nothing needs attention.")
        fleet.switch_on(3)
        fleet.suspend(3)
        await pilot.sees("◆ paused")
        await pilot.sees("compute-0-3: paused: a disk that is full does that, and so do people")
        await pilot.sees("m resume")
        await pilot.press("slash", *"what:hung", "enter")
        await until(lambda: "◆ paused" not in pilot.text())
        await pilot.press("escape")
        await pilot.sees("◆ paused")
        await pilot.press("m")
        await pilot.sees("Nothing needs attention.")


async def test_a_host_that_goes_silent_is_the_worst(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("overview")
        fleet.switch_on(3)
        fleet.suspend(3)
        await pilot.sees("◆ paused")
        fleet.stop()
        await pilot.sees("▲ silent")
        await pilot.sees(f"{NODES} nodes with an unknown state")
        await until(lambda: "◆ paused" not in pilot.text(), what="the host speaks for its nodes")


async def test_clusters_are_told_whole_with_a_line_for_each_part(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("clusters")
        await pilot.sees(f"○ {NODES} off")
        await pilot.sees("● nothing needs attention")
        fleet.switch_on(1)
        await pilot.sees(f"● {NODES - 1} off, 1 on")
        fleet.suspend(1)
        await pilot.sees("▲ 1 paused")
        await pilot.press("down", "down", "enter")
        await until(lambda: pilot.app.current_mode == "overview")
        await pilot.sees("/ cluster=vc1")
        await pilot.sees("◆ paused")
        await pilot.press("backspace")
        await until(lambda: pilot.app.current_mode == "clusters")


async def test_a_node_that_goes_on_and_off_again_and_again_is_flapping(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        for _ in range(2):
            fleet.switch_on(3)
            await pilot.sees(lambda: "● on" in pilot.row("compute-0-3"))
            fleet.switch_off(3)
            await pilot.sees(lambda: "○ off" in pilot.row("compute-0-3"))
        await pilot.go("overview")
        await pilot.sees("◆ flapping")
        await pilot.sees("on and off 4 times within 10 min")


async def test_the_command_that_watches_sees_flapping_that_begins_meanwhile(
    boss: Airboss, ada: Person, fleet: Pretended
) -> None:
    knows(ada, boss)
    watching = await start(ada, "overview", "--watch", "--json")
    assert watching.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert json.loads(await watching.stdout.readline()) == []
            for _ in range(2):
                for switch, state in ((fleet.switch_on, "on"), (fleet.switch_off, "off")):
                    switch(3)
                    await until(partial(is_in, boss, ada, "compute-0-3", state), 30, state)
            while not any(one["kind"] == "flapping" for one in json.loads(await watching.stdout.readline())):
                pass
    finally:
        watching.terminate()
        await watching.wait()


async def is_in(boss: Airboss, person: Person, name: str, state: str) -> bool:
    """Whether airboss has seen the node in that state."""
    async with await person.link() as link:
        reply = await link.call("node.list", "vc1", (name,))
    return [one.state for one in reply.records if isinstance(one, Node)] == [state]
