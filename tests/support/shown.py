"""A site whose every fact is fixed, without a network: for pictures, and for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

from pilot import wire
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig, Site
from pilot.live.cockpit import Cockpit
from pilot.live.glance import Glance
from pilot.live.site import LiveSite
from pilot.live.sites import LiveSites
from pilot.records import Cluster, Disk, Grant, Host, Nic, Node, NodeState

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0

PANIC = (
    b"[  812.331] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [kworker/0:1:17]\r\n"
    b"[  812.402] RIP: 0010:native_queued_spin_lock_slowpath+0x6e/0x1d0\r\n"
)


def node(name: str, number: int, state: NodeState = "on", since: float = 3 * DAY, **more: object) -> Node:
    """A node of vc1, on one of two hosts."""
    return Node(
        f"4c4c4544-0000-4000-8000-{number:012d}",
        name,
        "vc1",
        f"vm-container-0-{number % 2}",
        f"hosted-vm-0-{number}-0",
        state,
        NOW - since,
        nics=(Nic(f"52:54:00:8e:1f:{number:02x}", "vlan144", 144, "virtio"),),
        disks=(Disk("vda", "disk", "virtio", 36 * 1024 * 1024, f"compute-{number}.qcow2"),),
        vcpus=2,
        memory=2 * 1024 * 1024,
        serial=True,
        **more,  # type: ignore[arg-type]
    )


NODES = (
    node("frontend", 0),
    node("compute-0-0", 1, writer="ada", watchers=1),
    node("compute-0-1", 2, "stopping", 12.0),
    node("compute-0-2", 3, hung_ms=14_000),
    node("compute-0-3", 4, "off", 2 * HOUR),
    node("compute-0-4", 5, "paused", 90.0),
    node("compute-0-5", 6, stale_since=NOW - 180),
)
RECORDS = (
    Cluster("cluster:vc1", "vc1", 144),
    Host("host:vm-container-0-0", "vm-container-0-0", "qemu:///system", "up", NOW - DAY),
    Host("host:vm-container-0-1", "vm-container-0-1", "qemu:///system", "up", NOW - DAY),
    *NODES,
)


async def never() -> NoReturn:
    """A connection that is not made."""
    await asyncio.Event().wait()
    raise AssertionError


async def tail(_node: str, _cluster: str) -> AsyncIterator[bytes]:
    """What every console printed last."""
    yield PANIC
    await never()


def cockpit(folder: Path) -> Cockpit:
    """A site that will not change, once `show` has been told of it."""
    config = ClientConfig(folder)
    site = Site("espresso", "127.0.0.1")
    config.remember(site)
    sites = LiveSites(config, lambda _site: never, site, clock=lambda: NOW)
    return Cockpit(config, AppConfig(theme="dark"), sites, clock=lambda: NOW, monotonic=lambda: 0.0)


def show(live: LiveSite) -> None:
    """Make it live, with all that there is to know."""
    live.hello = wire.Hello(
        1, "espresso", "1", "SHA256:x", "", NOW, "ada@vc1", "key", (Grant("vc1", "owner"),), ()
    )
    live.store.apply(wire.Snapshot(1, RECORDS, True, True))
    live.usage.take(wire.Usage(NOW, 2.0, tuple(_usage())))
    live._enter("live")


def _usage() -> list[wire.NodeUsage]:
    loads: dict[int, Callable[[int], int]] = {0: lambda n: 8 + 3 * (n % 5), 1: lambda n: 90 + n % 9}
    return [
        wire.NodeUsage(NODES[i].id, bytes(load(n) for n in range(60)), 1_400_000) for i, load in loads.items()
    ]


def quiet(glance: Glance) -> None:
    """Its lines come at once, and are always the same."""
    glance._tail, glance._settle = tail, 0.0
