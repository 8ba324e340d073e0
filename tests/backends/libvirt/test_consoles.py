"""Serial consoles on real QEMU processes."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pilot.backends.libvirt.membership import Membership, set_membership
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import BackendError, BusyError, DeadlineError
from tests.backends.libvirt import tiny_guest
from tests.backends.libvirt.conftest import Rig, Screen, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
NewTiny = Callable[[PrivateHost], Tiny]


@pytest.fixture
async def running(hosts: Hosts, tiny: NewTiny, rig: NewRig) -> tuple[Rig, Tiny]:
    """vm-1 and vm-2 run and print their READY unseen; vm-3 is off."""
    vms = tiny(hosts())
    for name in ("vm-1", "vm-2"):
        vms.define(name).create()
    vms.define("vm-3")
    r = await rig(vms.host)
    return r, vms


def _files(pid: object) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _passing() -> list[str]:
    """Threads that do one thing and end."""
    return [t.name for t in threading.enumerate() if t.name in ("libvirt-open", "libvirt-close")]


async def answers(rig: Rig, domain: str) -> None:
    """Await that the guest echoes."""
    screen = await rig.console(domain)
    typed = 0

    async def echoed() -> bool:
        nonlocal typed
        typed += 1
        await screen.type(b"%03d" % typed)
        return b"%03d" % typed in screen.seen

    # What is typed before it listens may be lost, or come late: so the last is awaited by its number.
    await until(echoed, 20, f"{domain} echoes", every=0.1)
    await screen.type(b"!")
    await screen.shows(b"!")
    assert screen.serial is not None
    await screen.serial.close()


async def test_a_second_holder_is_refused_and_a_closed_console_is_free(running: tuple[Rig, Tiny]) -> None:
    r, vms = running
    first = await r.console("vm-1")
    with pytest.raises(BackendError, match="Active console session") as refused:
        await r.console("vm-1")
    assert "virsh console" in refused.value.hint
    assert first.serial is not None
    await first.serial.close()
    assert not first.lost
    with pytest.raises(BackendError, match="closed"):
        await first.type(b"x")

    async def free() -> bool:
        try:
            await r.console("vm-1")
        except BackendError:
            return False
        return True

    await until(free, 20, "free again")
    stream = vms.connection.newStream()
    vms.connection.lookupByName("vm-2").openConsole(None, stream)
    with pytest.raises(BackendError, match="Active console session"):
        await r.console("vm-2")
    stream.abort()


async def test_a_serial_line_that_is_no_pty_is_none_that_libvirt_opens(
    hosts: Hosts, tiny: NewTiny, rig: NewRig
) -> None:
    vms = tiny(hosts())
    definition = vms.define("vm-1").XMLDesc()
    socket = '<console type="tcp"><source mode="bind" host="127.0.0.1" service="0"/>'
    changed = re.sub(r"<(console|serial) type=.pty.>", socket.replace("console", r"\1"), definition)
    assert changed != definition
    vms.connection.defineXML(changed).create()
    r = await rig(vms.host)
    node = r.sink.node("vm-1")
    assert node is not None
    assert not node.serial
    with pytest.raises(BackendError, match="not using a PTY") as refused:
        await r.console("vm-1")
    assert "type='pty'" in refused.value.hint


async def test_nothing_is_lost_of_a_flood_and_the_loop_may_lag(running: tuple[Rig, Tiny]) -> None:
    r, _ = running
    await answers(r, "vm-1")
    screen = await r.console("vm-1")
    rounds = 12
    await screen.type(tiny_guest.FLOOD * rounds)
    time.sleep(0.5)  # noqa: ASYNC251  (the loop stands still while the guest prints)
    await until(lambda: len(screen.seen) >= rounds * tiny_guest.FLOOD_BYTES, 60, "all of it")
    assert len(screen.seen) == rounds * tiny_guest.FLOOD_BYTES
    once = bytes(0x30 + (-i & 0x3F) for i in range(tiny_guest.FLOOD_BYTES))
    assert bytes(screen.seen) == once * rounds


async def test_a_console_is_lost_when_the_node_is_turned_off_and_with_its_host(
    running: tuple[Rig, Tiny],
) -> None:
    r, vms = running
    off, host = await r.console("vm-1"), await r.console("vm-2")
    vms.connection.lookupByName("vm-1").destroy()
    await until(lambda: off.lost, what="lost with its QEMU")
    assert "turned off" in off.lost[0]
    with pytest.raises(BackendError, match="turned off"):
        await off.type(b"x")
    with pytest.raises(BackendError):
        await r.console("vm-3")
    vms.host.kill()
    await until(lambda: host.lost, 20, "lost with its host")
    assert "was lost" in host.lost[0] or "is down" in host.lost[0]
    await asyncio.to_thread(vms.host.start)
    await r.sink.host_is(vms.host.name, "up")
    assert len(off.lost) == len(host.lost) == 1
    await answers(r, "vm-2")


async def test_typing_at_a_guest_that_does_not_read_stalls_nobody(running: tuple[Rig, Tiny]) -> None:
    """Some 20 KB more would fill libvirtd's places for requests, and end the connection."""
    r, vms = running
    set_membership(vms.connection.lookupByName("vm-2"), Membership("vc2", "compute-0-0"))
    await until(lambda: r.sink.now[r.sink.id("vm-2")].cluster == "vc2", what="tagged")
    for name in ("vm-1", "vm-2"):
        await answers(r, name)
    mute, other = await r.console("vm-1"), await r.console("vm-2")
    vms.signal("vm-1", signal.SIGSTOP)
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineError, match="nobody reads there"):
            await mute.type(b"x" * 60_000)
    for _ in range(20):
        await other.type(b"?")
    await other.shows(b"?" * 20)
    assert not mute.lost
    vms.signal("vm-1", signal.SIGCONT)
    await mute.shows(b"x" * 1000)
    await mute.type(b"!")
    await mute.shows(b"!")
    assert mute.seen.count(b"x") < 20_000, "what was said to be lost was not typed later"


async def test_long_input_arrives_whole(running: tuple[Rig, Tiny]) -> None:
    r, _ = running
    await answers(r, "vm-1")
    screen = await r.console("vm-1")
    text = bytes(0x41 + i % 26 for i in range(50_000))
    for start in range(0, len(text), 5000):
        await screen.type(text[start : start + 5000])
    await until(lambda: len(screen.seen) >= len(text), 30, "echoed")
    assert bytes(screen.seen) == text


async def test_opening_and_closing_200_times_leaks_nothing(running: tuple[Rig, Tiny]) -> None:
    r, vms = running
    await answers(r, "vm-1")

    async def held() -> Screen | None:
        try:
            return await r.console("vm-1")
        except BackendError:
            return None  # libvirtd is not yet through with the one before

    async def round_trip() -> None:
        screen = await until(held, 20, "free")
        assert screen.serial is not None
        await screen.serial.close()

    for _ in range(20):
        await round_trip()
    files, threads = _files("self"), threading.active_count()
    of_daemon = _files(vms.host.pid)
    for _ in range(200):
        await round_trip()
    await until(lambda: not _passing(), 20, "threads that open and close have ended")
    # Lanes may meanwhile have opened the rest of their few connections, with a thread each; a leak is of 200.
    assert threading.active_count() <= threads + 50
    assert _files("self") <= files + 100
    await until(lambda: _files(vms.host.pid) <= of_daemon + 100, 20, "closed there")


async def test_a_hung_vm_being_ended_delays_no_other_console(running: tuple[Rig, Tiny]) -> None:
    r, vms = running
    await answers(r, "vm-2")
    vms.signal("vm-1", signal.SIGSTOP)
    ending = asyncio.create_task(r.act("vm-1", "power.off"))
    await until(lambda: r.progress, what="it has begun")
    screen = await r.console("vm-2")
    await screen.type(b"?")
    await screen.shows(b"?")
    assert not ending.done(), "the other console waited for the one that is being ended"
    with pytest.raises(BusyError, match="at work on it"):
        await r.console("vm-1")
    await screen.type(b"!")
    await screen.shows(b"!")
    vms.signal("vm-1", signal.SIGCONT)
    await ending
