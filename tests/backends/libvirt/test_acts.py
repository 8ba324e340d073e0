"""The power verbs on real QEMU processes, faults included."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import libvirt
import msgspec
import pytest

from pilot.backends.libvirt.install import start_from_network
from pilot.backends.provider import Acted
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import BackendError, DeadlineError
from tests.backends.libvirt import tiny_guest
from tests.backends.libvirt.conftest import FAST, Rig, Screen, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
NewTiny = Callable[[PrivateHost], Tiny]


async def ready(screens: dict[str, Screen], node_id: str) -> Screen:
    """The console of a node, once its guest listens."""
    screen = await until(lambda: screens.get(node_id), what="console held")
    await screen.shows(b"READY", 30)
    return screen


async def test_on_pause_resume_reset_reboot_shutdown_off(hosts: Hosts, tiny: NewTiny, rig: NewRig) -> None:
    host = hosts()
    tiny(host).define("vm-1")
    r = await rig(host)
    screens = r.hold_consoles()
    node_id = r.sink.id("vm-1")
    assert (await r.act("vm-1", "power.on")).state == "on"
    assert r.sink.started == [node_id]
    screen = await ready(screens, node_id)
    assert screen.seen.startswith(b"\x1bc") or b"SeaBIOS" in screen.seen[:400]  # from the first byte
    again = await r.act("vm-1", "power.on")
    assert (again.state, again.note) == ("on", "was on already")

    assert (await r.act("vm-1", "power.pause")).state == "paused"
    await r.sink.node_is("vm-1", "paused")
    error = await r.refused("vm-1", "power.on")
    assert "paused" in error.message
    assert "power.resume" in error.hint
    assert (await r.refused("vm-1", "power.shutdown")).code == "backend"
    assert (await r.act("vm-1", "power.pause")).note == "was paused already"
    assert (await r.act("vm-1", "power.resume")).state == "on"
    assert (await r.act("vm-1", "power.resume")).note == "was running already"

    for verb in ("power.reset", "power.boot", "power.reboot"):
        screen.seen.clear()
        assert (await r.act("vm-1", verb)).state == "on"
        await screen.shows(b"READY", 30)
        assert not screen.lost  # the console survives

    assert (await r.act("vm-1", "power.shutdown")).state == "off"
    await r.sink.node_is("vm-1", "off")
    assert len(screen.lost) == 1
    for verb in ("power.off", "power.shutdown"):
        assert (await r.act("vm-1", verb)).note == "was off already"
    for verb in ("power.reset", "power.reboot", "power.pause", "power.resume"):
        assert "it is off" in (await r.refused("vm-1", verb)).message
    assert (await r.act("vm-1", "power.boot")).state == "on"
    assert (await r.act("vm-1", "power.off")).state == "off"


async def test_a_guest_that_ignores_its_power_button(hosts: Hosts, tiny: NewTiny, rig: NewRig) -> None:
    host = hosts()
    tiny(host).define("vm-1")
    r = await rig(host)
    screens = r.hold_consoles()
    await r.act("vm-1", "power.on")
    screen = await ready(screens, r.sink.id("vm-1"))
    await screen.type(tiny_guest.DEAF + b"deaf")
    await screen.shows(b"deaf")
    error = await r.refused("vm-1", "power.shutdown", grace=1.0, then="leave")
    assert error.code == "deadline"
    assert "did not react" in error.message
    assert "power.off" in error.hint
    await r.sink.node_is("vm-1", "on")
    error = await r.refused("vm-1", "power.reboot", grace=1.0, then="leave")
    assert "power.reset" in error.hint
    done = await r.act("vm-1", "power.reboot", grace=1.0, then="reset")
    assert (done.state, done.note) == ("on", "did not reboot in 1 s: reset")
    await until(lambda: screen.seen.count(b"READY") == 2, 20, "it was reset")
    await screen.type(tiny_guest.DEAF + b"again")
    await screen.shows(b"again")
    done = await r.act("vm-1", "power.shutdown", grace=1.0, then="off")
    assert (done.state, done.note) == ("off", "did not shut down in 1 s: turned off")


async def test_one_act_at_a_time_and_who_asks_may_leave(hosts: Hosts, tiny: NewTiny, rig: NewRig) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("vm-1")
    vms.define("vm-2")
    r = await rig(host)
    held, let_go = asyncio.Event(), asyncio.Event()

    async def hold(_node_id: str) -> None:
        held.set()
        await let_go.wait()

    r.sink.on_starting = hold
    first = asyncio.create_task(r.act("vm-1", "power.on"))
    await held.wait()
    error = await r.refused("vm-1", "power.off")
    assert error.code == "busy"
    assert "power.on has been running on vm-1" in error.message
    second = asyncio.create_task(r.act("vm-2", "power.on"))
    await until(lambda: len(r.sink.started) == 2, what="another node is not kept waiting")
    first.cancel()
    await r.sink.node_is("vm-1", "off")  # not on before it is let run
    assert not first.done()
    let_go.set()
    await r.sink.node_is("vm-1", "on")  # not left paused, though nobody waits for it
    assert (await first).state == "on"  # what came of it is told to who keeps the journal
    assert (await second).state == "on"


async def test_a_wait_for_the_guest_ends_with_its_asker_and_for_who_does_not_need_the_guest(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    tiny(host).define("vm-1")
    r = await rig(host)
    screens = r.hold_consoles()
    await r.act("vm-1", "power.on")
    screen = await ready(screens, r.sink.id("vm-1"))
    await screen.type(tiny_guest.DEAF + b"deaf")
    await screen.shows(b"deaf")

    async def waiting(verb: str, **args: str | float) -> asyncio.Task[Acted]:
        r.progress.clear()
        task = asyncio.create_task(r.act("vm-1", verb, **args))
        await until(lambda: any(text.startswith("asking") for text in r.progress), what="it has begun")
        return task

    gone = await waiting("power.shutdown", grace=1.0, then="off")
    gone.cancel()
    with pytest.raises(DeadlineError, match="given up by its asker"):
        await gone
    assert (await r.act("vm-1", "power.pause")).state == "paused"  # nothing holds the node any more
    await asyncio.sleep(1.2)  # past the grace: the second half of what was given up does not come
    assert (await r.act("vm-1", "power.resume")).state == "on"

    reboot = await waiting("power.reboot", grace=600.0, then="reset")
    error = await r.refused("vm-1", "power.pause")
    assert error.code == "busy"
    assert (await r.act("vm-1", "power.reset")).state == "on"
    with pytest.raises(BackendError, match=r"power\.reboot of vm-1 failed: power\.reset came in between"):
        await reboot
    await until(lambda: screen.seen.count(b"READY") == 2, 20, "it was reset")
    await screen.type(tiny_guest.DEAF + b"again")
    await screen.shows(b"again")
    shutdown = await waiting("power.shutdown", grace=600.0)
    assert (await r.act("vm-1", "power.off")).state == "off"
    with pytest.raises(BackendError, match=r"power\.off came in between"):
        await shutdown


async def test_a_sink_that_never_returns_holds_a_node_for_seconds_only(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    tiny(host).define("vm-1")
    r = await rig(host, settings=msgspec.structs.replace(FAST, hold=0.5))
    r.sink.on_starting = lambda _node_id: asyncio.Event().wait()  # type: ignore[assignment,return-value]
    assert (await r.act("vm-1", "power.on")).state == "on"
    await r.sink.node_is("vm-1", "on")


async def test_a_node_left_paused_by_a_killed_airboss_runs_on(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    domain = tiny(host).define("vm-1")
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    r = await rig(host)
    screens = r.hold_consoles()
    await r.sink.node_is("vm-1", "paused")
    node_id = r.sink.id("vm-1")
    assert await r.provider.resume_interrupted(node_id)
    await ready(screens, node_id)
    assert not await r.provider.resume_interrupted(node_id)


FROM_NETWORK = b"net0"
"""What iPXE prints once it is booted from; its banner alone comes with every boot."""


async def test_install_boots_from_the_network_once(hosts: Hosts, tiny: NewTiny, rig: NewRig) -> None:
    """A guest that reboots is started from disk again, one that turns itself off stays off."""
    host = hosts()
    vms = tiny(host)
    domains = [vms.define(name, nics=1) for name in ("vm-1", "vm-2")]
    before = [domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) for domain in domains]
    r = await rig(host)
    screens = r.hold_consoles()
    reboots, ends = r.sink.id("vm-1"), r.sink.id("vm-2")
    await r.act("vm-1", "power.on")
    screen = await ready(screens, reboots)
    assert FROM_NETWORK not in screen.seen
    for name in ("vm-1", "vm-2"):
        done = await r.act(name, "power.install")
        assert done.state == "on"
        assert "network once" in done.note
    first = {node_id: screens[node_id] for node_id in (reboots, ends)}
    for screen in first.values():
        await screen.shows(FROM_NETWORK, 30)
        assert b"READY" not in screen.seen
    for screen in first.values():
        await screen.shows(b"READY", 60)  # nothing answered: from disk, then
    await first[ends].type(tiny_guest.POWER_OFF)
    await first[reboots].type(tiny_guest.RESET)
    await until(lambda: screens[reboots] is not first[reboots], 30, "it is started again")
    await screens[reboots].shows(b"READY", 30)
    assert FROM_NETWORK not in screens[reboots].seen
    await r.sink.node_is("vm-1", "on")
    await r.sink.node_is("vm-2", "off")
    assert r.sink.started.count(ends) == 1
    assert [domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) for domain in domains] == before


async def test_an_install_begun_by_a_killed_airboss_is_watched_by_the_next(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    domain = tiny(host).define("vm-1", nics=1)
    start_from_network(domain)
    r = await rig(host)
    node_id = r.sink.id("vm-1")
    screens = r.hold_consoles()
    assert await r.provider.resume_interrupted(node_id)
    first = screens[node_id]
    await first.shows(FROM_NETWORK, 30)
    domain.reset()
    await until(lambda: screens[node_id] is not first, 20, "it is started again")
    await screens[node_id].shows(b"READY", 30)
    assert FROM_NETWORK not in screens[node_id].seen


async def test_what_libvirt_refuses_is_said_in_its_words_with_a_hint(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("vm-1", nics=0)
    vms.connection.defineXML(tiny_guest.domain_xml("vm-2", vms.disk.with_name("missing.img")))
    r = await rig(host)
    assert "no network card" in (await r.refused("vm-1", "power.install")).message
    error = await r.refused("vm-2", "power.on")
    assert "missing.img" in error.message
    assert "missing on the host" in error.hint
    assert error.message.startswith("turning on vm-2 failed: ")
    await r.sink.node_is("vm-2", "off")


async def test_a_stopped_qemu_is_named_as_hung_slows_no_other_and_is_turned_off(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    for name in ("vm-1", "vm-2", "vm-3"):
        vms.define(name)
    r = await rig(host)
    screens = r.hold_consoles()
    for name in ("vm-1", "vm-2"):
        await r.act(name, "power.on")
        await ready(screens, r.sink.id(name))
    hung = r.sink.id("vm-1")
    vms.signal("vm-1", signal.SIGSTOP)
    await until(lambda: r.sink.now[hung].hung_ms, 20, "named as hung")
    assert r.sink.now[hung].state == "on"
    error = await r.refused("vm-1", "power.reset")
    assert "has not answered for" in error.message
    assert "power.off" in error.hint
    for _ in range(5):
        await r.act("vm-2", "power.pause")
        await r.act("vm-2", "power.resume")
    assert r.sink.now[hung].hung_ms, "the neighbour was served while this one hangs"
    vms.signal("vm-1", signal.SIGCONT)
    await until(lambda: r.sink.now[hung].hung_ms is None, 20, "no longer hung")

    vms.signal("vm-1", signal.SIGSTOP)
    await until(lambda: r.sink.now[hung].hung_ms, 20, "hung again")
    ending = asyncio.create_task(r.act("vm-1", "power.off"))
    await r.act("vm-3", "power.on")
    await r.act("vm-2", "power.pause")
    await r.act("vm-2", "power.resume")
    assert not ending.done(), "other nodes waited for the one that is being ended"
    assert (await ending).state == "off"
    assert any("by force" in text for text in r.progress)
    assert r.sink.now[hung].hung_ms is None


async def test_calls_that_never_return_are_left_behind_and_bounded(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    """Asked before the hang is known, a call is stuck in libvirt: its lane is replaced."""
    host = hosts()
    vms = tiny(host)
    for name in ("vm-1", "vm-2"):
        vms.define(name).create()
    r = await rig(host, settings=msgspec.structs.replace(FAST, change=0.5, probe=3600))
    await r.sink.node_is("vm-2", "on")
    vms.signal("vm-1", signal.SIGSTOP)
    for _ in range(3):
        error = await r.refused("vm-1", "power.reset")
        assert error.code == "deadline"
        assert "has not answered for 0.5 s" in error.message
        assert (await r.act("vm-2", "power.pause")).state == "paused"
        assert (await r.act("vm-2", "power.resume")).state == "on"
    vms.signal("vm-1", signal.SIGCONT)
    await until(lambda: vms.connection.lookupByName("vm-1").controlInfo()[0] == 0, 20, "the calls come back")
    assert (await r.act("vm-1", "power.pause")).state == "paused"
