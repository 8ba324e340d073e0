"""What trees show beside the inventory: how busy hosts are, what interfaces carry, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

from pilot.live.loads import LiveLoads
from pilot.records import Cluster, Host, Network
from pilot.screens.vlans import VlansScreen
from pilot.wire import Delta, HostLoad, Load, NicLoad
from tests.screens.conftest import NODES, Pretended
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until


def keeps_telling(loads: LiveLoads, frame: Load, pilot: Opened, text: str) -> Callable[[], bool]:
    """Whether the screen shows a text of a frame; what airboss itself tells meanwhile is overruled."""

    def look() -> bool:
        loads.take(frame)
        return text in pilot.text()

    return look


def told(pilot: Opened, *records: Host | Network | Cluster) -> None:
    store = pilot.cockpit.desk.live.store
    store.apply(Delta(store.version + 1, records, ()))


async def test_hosts_show_their_last_hour(boss: Airboss, ada: Person, fleet: Pretended) -> None:
    async with opened(knows(ada, boss), size=(160, 48)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("● up")
        hour = bytes(range(90)) * 4
        busy = HostLoad("fleet", hour, hour, hour, hour, hour, 4 << 20, 1.25, 123_000, 4_000)
        loads, frame = pilot.cockpit.desk.live.loads, Load(time.time() + 1000, 10.0, (busy,))
        for text in ("89 %", "1.25", "↓123 K/s ↑4.0 K/s", "last hour"):
            await until(keeps_telling(loads, frame, pilot, text), 30.0, text)


async def test_what_is_wrong_with_networks_is_said(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss), size=(160, 48)) as pilot:
        await pilot.live(NODES)
        await pilot.go("vlans")
        await pilot.sees("▾ untagged")
        told(pilot, Network("net:fleet/br7", "fleet", "br7", "bridge", vlan=7, missing=True))
        await pilot.sees("✕ missing")
        await pilot.press("home")
        await pilot.sees("br7 is not there")


async def test_interfaces_are_followed_while_their_tree_is_shown(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss), size=(160, 48)) as pilot:
        await pilot.live(NODES)
        await pilot.go("vlans")
        await pilot.sees("▾ untagged")
        screen = pilot.screen
        assert isinstance(screen, VlansScreen)

        def following() -> bool:
            return any(worker.group == "loads" and worker.is_running for worker in pilot.app.workers)

        await until(following, 30.0)
        node = next(one for one in pilot.cockpit.desk.live.store.nodes() if one.name == "compute-0-0")
        busy = NicLoad(f"{node.id}/0", b"\x20", b"\x20", 5_000, 7_000, 40, 2, 3, 0)
        assert node.nics
        await pilot.find("name:compute-0-0$")
        await pilot.press("end")
        frame = Load(time.time() + 1000, 10.0, (), (busy,))
        text = "3 errors, 0 dropped"
        await until(keeps_telling(screen._loads, frame, pilot, text), 30.0, text)
        await pilot.go("nodes")
        await until(lambda: not following(), 30.0)
