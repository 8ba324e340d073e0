"""QEMUs that do not answer, several at a time: on real ones that were stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import libvirt

from pilot.demo.hypervisor import PrivateHost
from tests.backends.libvirt.conftest import Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]


async def test_several_that_hang_at_once_are_all_found_and_no_other_is_named(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    """They are asked in one call, which the first of them holds up."""
    host = hosts()
    vms = tiny(host)
    names = [f"vm-{n}" for n in range(6)]
    for name in names:
        vms.define(name).create()
    r = await rig(host)
    for name in names:
        await r.sink.node_is(name, "on")
    ids = {name: r.sink.id(name) for name in names}

    def hung() -> set[str]:
        return {name for name in names if r.sink.now[ids[name]].hung_ms}

    for name in ("vm-1", "vm-2", "vm-4"):
        vms.signal(name, signal.SIGSTOP)
    await until(lambda: hung() == {"vm-1", "vm-2", "vm-4"}, 30, "three are named")
    vms.signal("vm-1", signal.SIGCONT)
    await until(lambda: hung() == {"vm-2", "vm-4"}, 20, "one goes on while the others hang")
    vms.signal("vm-3", signal.SIGSTOP)
    await until(lambda: hung() == {"vm-2", "vm-3", "vm-4"}, 30, "a further one is named")
    for name in ("vm-2", "vm-3", "vm-4"):
        vms.signal(name, signal.SIGCONT)
    await until(lambda: not hung(), 20, "none hangs any more")


async def test_a_qemu_that_somebody_else_waits_for_is_named(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    for name in ("vm-1", "vm-2"):
        vms.define(name).create()
    vms.signal("vm-1", signal.SIGSTOP)
    domain = vms.connection.lookupByName("vm-1")
    call = asyncio.create_task(asyncio.to_thread(domain.blockInfo, "hda"))
    other = libvirt.open(host.uri)
    waited_for = other.lookupByName("vm-1")
    await until(lambda: waited_for.controlInfo()[0], 20, "the call from outside waits")
    r = await rig(host)
    hung = r.sink.id("vm-1")
    await until(lambda: r.sink.now[hung].hung_ms, 30, "named as hung")
    assert not r.sink.now[r.sink.id("vm-2")].hung_ms
    vms.signal("vm-1", signal.SIGCONT)
    await until(lambda: r.sink.now[hung].hung_ms is None, 20, "no longer hung")
    await call
    other.close()
