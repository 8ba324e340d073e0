"""Starts that take longer than anybody waits: the node runs all the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import libvirt
import msgspec

from pilot.demo.hypervisor import PrivateHost
from tests.backends.libvirt.conftest import FAST, Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
NewTiny = Callable[[PrivateHost], Tiny]


def slow_to_start(tiny: Tiny, name: str, seconds: float) -> Any:
    """A domain whose QEMU takes so long before it answers."""
    emulator = tiny.host.folder.parent / f"slow-{name}"
    xml = tiny.define(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    real = re.search("<emulator>(.*?)</emulator>", xml)
    assert real is not None
    emulator.write_text(
        f'#!/bin/sh\ncase "$*" in *guest={name}*) sleep {seconds};; esac\nexec {real[1]} "$@"\n'
    )
    emulator.chmod(0o755)
    return tiny.connection.defineXML(xml.replace(real[0], f"<emulator>{emulator}</emulator>"))


async def test_a_node_that_comes_up_after_the_deadline_of_its_start_runs(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    vms = tiny(hosts())
    slow_to_start(vms, "vm-1", 2)
    r = await rig(vms.host, settings=msgspec.structs.replace(FAST, start=0.5))
    error = await r.refused("vm-1", "power.on")
    assert error.code == "deadline"
    await r.sink.node_is("vm-1", "on", 15)
    assert r.sink.started == [r.sink.id("vm-1")]  # its console was held first
    assert (await r.act("vm-1", "power.pause")).state == "paused"
    await r.sink.node_is("vm-1", "paused")
    await asyncio.sleep(1.2)  # more than two looks: what a person paused stays so
    assert (await r.sink.node_is("vm-1", "paused")).state == "paused"


async def test_a_provider_that_stops_lets_a_start_in_progress_end(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    vms = tiny(hosts())
    domain = slow_to_start(vms, "vm-1", 2.2)
    r = await rig(vms.host)
    act = asyncio.create_task(r.act("vm-1", "power.on"))
    await until(lambda: r.progress, what="it has begun")
    await r.provider.stop()
    assert (await act).state == "on"
    assert domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING
