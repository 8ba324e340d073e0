"""Starts that take longer than anybody waits: the node runs all the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import libvirt
import msgspec

from pilot.demo.hypervisor import PrivateHost
from pilot.errors import BusyError
from tests.backends.libvirt.conftest import FAST, Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
NewTiny = Callable[[PrivateHost], Tiny]


def slow_to_start(tiny: Tiny, name: str, seconds: float, then: str = ":") -> Any:
    """A domain whose QEMU takes so long before it answers, or does something else then."""
    emulator = tiny.host.folder.parent / f"slow-{name}"
    xml = tiny.define(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    real = re.search("<emulator>(.*?)</emulator>", xml)
    assert real is not None
    emulator.write_text(
        f'#!/bin/sh\ncase "$*" in *guest={name}*) sleep {seconds}; {then};; esac\nexec {real[1]} "$@"\n'
    )
    emulator.chmod(0o755)
    return tiny.connection.defineXML(xml.replace(real[0], f"<emulator>{emulator}</emulator>"))


async def test_a_node_that_comes_up_after_the_deadline_of_its_start_runs(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    vms = tiny(hosts())
    slow_to_start(vms, "vm-1", 2)
    # Nobody asks whether its QEMU hangs: it may well do so for half a second where much else runs.
    r = await rig(vms.host, settings=msgspec.structs.replace(FAST, start=0.5, probe=600.0))
    error = await r.refused("vm-1", "power.on")
    assert error.code == "deadline"
    await r.sink.node_is("vm-1", "on", 30)
    states = [node.state for _, node in r.sink.told if node.state != "off"]
    assert states[0] == "paused", "it is not said to be on before it is let run"
    assert r.sink.started == [r.sink.id("vm-1")]  # its console was held first

    async def paused() -> bool:
        try:
            return (await r.act("vm-1", "power.pause")).state == "paused"
        except BusyError:  # the late start has told of the node and is about to end
            return False

    await until(paused, 20, "it can be paused")
    await r.sink.node_is("vm-1", "paused")
    await asyncio.sleep(1.2)  # more than two looks: what a person paused stays so
    assert (await r.sink.node_is("vm-1", "paused")).state == "paused"


async def test_a_start_that_fails_after_its_deadline_leaves_the_node_to_its_admin(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    vms = tiny(hosts())
    slow_to_start(vms, "vm-1", 1.5, "exit 1")
    r = await rig(vms.host, settings=msgspec.structs.replace(FAST, start=0.5))
    assert (await r.refused("vm-1", "power.on")).code == "deadline"
    late = r.provider._hosts[vms.host.name].operations._late
    assert list(late._open) == [r.sink.id("vm-1")]
    await until(lambda: not late._open, 30, "the call came back with an error")
    domain = vms.define("vm-1")
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    await r.sink.node_is("vm-1", "paused")
    assert not late._open


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
