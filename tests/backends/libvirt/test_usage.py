"""What nodes use, and how large their disks are: on real QEMUs, hung ones among them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import libvirt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.libvirt import sizes
from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.domain_xml import Drive
from pilot.backends.libvirt.usage import UNSEEN, Batch, Look, percent
from pilot.backends.provider import NOT_KNOWN, Used
from pilot.demo.hypervisor import PrivateHost
from pilot.records import Node
from tests.backends.libvirt.conftest import FAST, Rig, Tiny
from tests.support.vms import Share
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "used", "vcpus", "expected"),
    [
        (5, 0, 1, 0),
        (5, 2.5, 1, 50),
        (5, 5, 4, 25),
        (5, 30, 4, 100),  # QEMU's own threads count too
        (5, 0.02, 1, 0),
        (5, 4.99, 1, 100),
        (5, 1, 0, 20),
        (5, -1, 1, NOT_KNOWN),  # another QEMU than before
        (0, 1, 1, NOT_KNOWN),
    ],
)
def test_percent(seconds: float, used: float, vcpus: int, expected: int) -> None:
    before = Look(7 * SECOND, 9 * SECOND, vcpus, 0)
    now = Look(before.at + int(seconds * SECOND), before.time + int(used * SECOND), vcpus, 0)
    assert percent(before, now) == expected
    assert percent(None, now) == NOT_KNOWN


@given(st.integers(), st.integers(), st.integers(), st.integers(), st.integers())
def test_percent_is_a_byte(at: int, later: int, used: int, more: int, vcpus: int) -> None:
    value = percent(Look(at, used, vcpus, 0), Look(later, more, vcpus, 0))
    assert 0 <= value <= 100 or value == NOT_KNOWN


def node(r: Rig, domain: str) -> Node:
    found = r.sink.node(domain)
    assert found is not None
    return found


def told(r: Rig, domain: str) -> Used:
    return r.sink.used.get(node(r, domain).id, Used())


async def test_a_busy_guest_an_idle_one_and_one_that_is_turned_off(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig, busy_disk: Path
) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("busy", busy_disk).create()
    vms.define("idle").create()
    vms.define("off")
    r = await rig(host)
    share = Share(host.qemu_pids()["busy"])
    await until(lambda: share.shown_by(told(r, "busy").cpu), 60, "the busy one is busy")
    await until(lambda: told(r, "idle").cpu < min(30, told(r, "busy").cpu), 60, "the idle one is idle")
    # Another watch than the processors' asks for it: it may come later.
    await until(lambda: told(r, "busy").memory > 10_000, 20, "how much memory it takes")
    assert told(r, "off") == Used()
    await r.act("busy", "power.pause")
    await until(lambda: told(r, "busy").cpu == 0, 20, "a paused one uses nothing")
    await r.act("busy", "power.off")
    await until(lambda: told(r, "busy") == Used(), 20, "nothing is said of one that is off")
    host.kill()
    await until(lambda: told(r, "idle") == Used(), 20, "nothing is said of a host that is lost")
    await asyncio.to_thread(host.start)
    await until(lambda: told(r, "idle").cpu < 30, 20, "it is known again")


async def test_a_stopped_qemu_is_not_known_and_delays_no_other(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig, busy_disk: Path
) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("hung", busy_disk).create()
    vms.define("fine").create()
    r = await rig(host)
    share = Share(host.qemu_pids()["hung"])
    await until(lambda: share.shown_by(told(r, "hung").cpu), 60, "busy")
    await until(lambda: told(r, "fine").cpu != NOT_KNOWN, 20)
    vms.signal("hung", signal.SIGSTOP)
    await until(lambda: told(r, "hung").cpu == NOT_KNOWN, 20, "not known")
    # The other one is looked at on and on: what it uses is told as it changes.
    await r.act("fine", "power.off")
    await until(lambda: told(r, "fine") == Used(), 20, "off")
    await r.act("fine", "power.on")
    await until(lambda: told(r, "fine").cpu != NOT_KNOWN, 20, "known while its neighbour hangs")
    assert told(r, "hung").cpu == NOT_KNOWN
    vms.signal("hung", signal.SIGCONT)
    await until(lambda: share.shown_by(told(r, "hung").cpu), 60, "busy again")


async def test_a_hung_qemu_that_is_being_ended_from_outside_delays_no_other(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig, busy_disk: Path
) -> None:
    host = hosts()
    vms = tiny(host)
    ending = vms.define("a-ending")
    ending.create()
    vms.define("z-fine", busy_disk).create()
    r = await rig(host)
    share = Share(host.qemu_pids()["z-fine"])
    await until(lambda: share.shown_by(told(r, "z-fine").cpu), 60, "busy")
    vms.signal("a-ending", signal.SIGSTOP)
    # libvirtd keeps the domain's lock for 11.6 s; whoever looks at it waits for that.
    destroying = asyncio.create_task(asyncio.to_thread(ending.destroy))
    await until(lambda: told(r, "a-ending") == Used(), 20, "nothing is said of it")
    await r.act("z-fine", "power.pause")
    await until(lambda: told(r, "z-fine").cpu == 0, 20, "told while the other one's lock is held")
    assert not destroying.done()
    await destroying
    await r.sink.node_is("a-ending", "off")


async def test_sizes_of_disks_come_from_the_qemu_and_are_kept(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("vm-1")
    r = await rig(host)

    def disks() -> list[tuple[str, str, str, int, str]]:
        return [(d.target, d.device, d.bus, d.size, d.source) for d in node(r, "vm-1").disks]

    assert disks() == [("hda", "disk", "ide", 0, "tiny.img")]
    await r.act("vm-1", "power.on")
    await until(lambda: disks() == [("hda", "disk", "ide", 1024, "tiny.img")], 20, "its size is known")
    await r.act("vm-1", "power.off")
    await r.sink.node_is("vm-1", "off")
    assert disks()[0][3] == 1024


async def test_sizes_of_volumes_are_known_before_a_node_ever_ran(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    folder = host.folder / "pool"
    folder.mkdir()
    os.chown(folder, host.account.uid, host.account.gid)
    pool = vms.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>site</name><target><path>{folder}</path></target></pool>"
    )
    pool.createXML("<volume><name>disk.img</name><capacity unit='MiB'>3</capacity></volume>")
    by_path = vms.define("by-path", folder / "disk.img")
    by_name = by_path.XMLDesc().replace(
        f"source file='{folder}/disk.img'", "source pool='site' volume='disk.img'"
    )
    by_name = by_name.replace("<disk type='file'", "<disk type='volume'").replace("by-path", "by-name")
    by_name = by_name.replace(by_path.UUIDString(), "4c4c4544-0042-3510-8052-b4c04f564433")
    vms.connection.defineXML(by_name)
    r = await rig(host)

    def found() -> set[int]:
        return {disk.size for name in ("by-path", "by-name") for disk in node(r, name).disks}

    await until(lambda: found() == {3 * 1024}, 20, "the sizes of both nodes' disks")


async def test_storage_that_hangs_holds_up_nothing_and_is_asked_again_once_it_answers(
    test_host: Hosts, rig: NewRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []

    def slow(_raw: object, drives: list[Drive]) -> dict[Drive, int]:
        asked.append(len(drives))
        answers.wait(30)
        return dict.fromkeys(drives, 4096)

    monkeypatch.setattr(sizes, "volume_sizes", slow)
    host = test_host()
    outside = libvirt.open(host.uri)
    domain = outside.defineXML(
        "<domain type='test'><name>vm-1</name><memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        "<devices><disk type='file'><source file='/nfs/a.img'/><target dev='vda'/></disk></devices></domain>"
    )
    r = await rig(host, settings=msgspec.structs.replace(FAST, query=0.3))
    await until(lambda: asked, 20)
    domain.create()
    await r.sink.node_is("vm-1", "on")
    await until(lambda: told(r, "vm-1").cpu != NOT_KNOWN, 20, "what it uses is told meanwhile")
    assert len(asked) == 1
    answers.set()
    await until(lambda: node(r, "vm-1").disks[0].size == 4096, 20, "its size")
    outside.close()


async def test_no_more_domains_are_looked_at_than_the_rate_allows_and_all_get_their_turn(
    test_host: Hosts, rig: NewRig
) -> None:
    host = test_host()
    outside = libvirt.open(host.uri)
    for n in range(60):
        outside.createXML(
            f"<domain type='test'><name>vm-{n}</name><memory>1024</memory><vcpu>1</vcpu>"
            "<os><type>hvm</type></os></domain>"
        )
    r = await rig(host, settings=msgspec.structs.replace(FAST, usage_rate=40.0))
    await until(lambda: len(r.sink.used) == 61, 30, "all were looked at, and told")
    assert max(len(used) for used in r.sink.uses) <= 20
    outside.close()


async def test_while_nobody_watches_the_looks_are_rarer(
    test_host: Hosts, rig: NewRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = test_host()
    outside = libvirt.open(host.uri)
    outside.createXML(
        "<domain type='test'><name>vm-1</name><memory>1024</memory><vcpu>1</vcpu>"
        "<os><type>hvm</type></os></domain>"
    )
    watched, rounds, looks = False, 0, 0
    look = Batch.look

    def counted(batch: Batch, connection: Connection) -> None:
        nonlocal looks
        looks += 1
        look(batch, connection)

    def wanted() -> bool:
        nonlocal rounds
        rounds += 1
        return watched

    monkeypatch.setattr(Batch, "look", counted)
    r = await rig(host, settings=msgspec.structs.replace(FAST, usage=0.1), wanted=wanted)
    await until(lambda: looks == 3, 30, "it is looked at though nobody watches")
    assert rounds >= 2 * UNSEEN, "most rounds are without a look"
    assert told(r, "vm-1").cpu != NOT_KNOWN
    watched = True
    before = rounds - looks
    await until(lambda: looks >= 9, 30)
    assert rounds - looks <= before + 1, "somebody watches: each round has a look"
    outside.close()
