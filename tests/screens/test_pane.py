"""The pane beside the table, with the console of a VM that really boots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pilot.demo.hypervisor import PrivateHost
from pilot.screens.node_pane import NodePane
from tests.support.airboss import Airboss
from tests.support.cockpit import Opened, knows, opened
from tests.support.vms import Vm
from tests.support.waiting import until

BOOT_SECONDS = 60.0


def pane(pilot: Opened) -> str:
    """What stands in the pane."""
    return pilot.nodes.query_one(NodePane).shown


@pytest.mark.e2e
async def test_the_last_lines_follow_the_node(
    place: Path, hosts: Callable[..., PrivateHost], define_vm: Callable[..., Vm]
) -> None:
    host = hosts()
    define_vm(host, "compute-0-0", "vc1", "hosted-vm-0-0-0")
    boss = Airboss(place, {host.name: host.uri})
    boss.editor.add_cluster("vc1", None, False)
    await boss.start()
    try:
        ada = await boss.person("ada", "vc1")
        async with opened(knows(ada, boss), size=(120, 40)) as pilot:
            await pilot.live(1)
            await pilot.sees(lambda: "compute-0-0 is off" in pane(pilot))
            await pilot.press("p", "o")
            await pilot.sees(lambda: "compute-0-0 login:" in pane(pilot), BOOT_SECONDS)
            await until(lambda: pilot.cockpit.desk.live.usage.cpu(pilot.node("compute-0-0").id), 30)
            await boss.kill()
            await pilot.sees("link lost")
            assert "compute-0-0 login:" in pane(pilot), "what was seen stays"
            await boss.start()
            await pilot.live(1)
            await pilot.press("p", "r")
            await pilot.sees("Reset compute-0-0")
            await until(lambda: getattr(pilot.screen, "ready", False))
            await pilot.press("y")
            await pilot.sees(lambda: "login:" not in pane(pilot), BOOT_SECONDS)
            await pilot.sees(lambda: "compute-0-0 login:" in pane(pilot), BOOT_SECONDS)
            await pilot.press("p", "x")
            await until(lambda: getattr(pilot.screen, "ready", False))
            await pilot.press("y")
            await until(lambda: pilot.node("compute-0-0").state == "off")
            await pilot.press("p", "o")
            await pilot.sees(lambda: "login:" not in pane(pilot), BOOT_SECONDS)
            await pilot.sees(lambda: "compute-0-0 login:" in pane(pilot), BOOT_SECONDS)
    finally:
        await boss.stop()
