"""Hosts and their domains as they change, on real libvirtd processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import libvirt

from pilot.backends.libvirt.membership import Membership, list_domains
from pilot.backends.libvirt.provider import HostAddress
from pilot.demo.hypervisor import PrivateHost
from tests.backends.libvirt.conftest import Rig, Tiny
from tests.support.waiting import until

NewRig = Callable[..., Awaitable[Rig]]
Hosts = Callable[..., PrivateHost]

DOMAIN = """<domain type='test'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
<os><type>hvm</type></os><devices><interface type='network'><mac address='52:54:00:AB:00:{n:02x}'/>
<source network='default'/><vlan><tag id='4{n:02}'/></vlan></interface></devices></domain>"""


async def test_domains_made_changed_and_removed_from_outside(test_host: Hosts, rig: NewRig) -> None:
    host = test_host()
    outside = libvirt.open(host.uri)
    r = await rig(host)
    domain = outside.defineXML(DOMAIN.format(name="vm-1", n=1))
    node = await r.sink.node_is("vm-1", "off")
    assert (node.vcpus, node.memory, node.host) == (2, 65536, "sim")
    assert (node.nics[0].mac, node.nics[0].vlan, node.nics[0].network) == (
        "52:54:00:ab:00:01",
        401,
        "default",
    )
    domain.create()
    first = await r.sink.node_is("vm-1", "on")
    domain.suspend()
    await r.sink.node_is("vm-1", "paused")
    domain.resume()
    assert (await r.sink.node_is("vm-1", "on")).since >= first.since
    domain.undefine()  # it runs on, as a transient domain
    domain.destroy()
    await until(lambda: node.id in r.sink.left, what="the transient domain is gone")
    assert not r.provider.owns(node.id)
    outside.close()


async def test_a_change_reaches_the_sink_in_milliseconds_among_1000_domains(
    test_host: Hosts, rig: NewRig
) -> None:
    host = test_host()
    outside = libvirt.open(host.uri)
    domains = [outside.defineXML(DOMAIN.format(name=f"vm-{i}", n=i % 100)) for i in range(1000)]
    r = await rig(host)
    assert len(r.sink.now) == 1001
    taken = []
    for domain in domains[:50]:
        began = time.perf_counter()
        await asyncio.to_thread(domain.create)
        await r.sink.node_is(domain.name(), "on")
        node_id = domain.UUIDString()
        taken.append(
            next(at for at, node in r.sink.told if node.id == node_id and node.state == "on") - began
        )
    outside.close()
    assert sorted(taken)[25] < 0.2, sorted(taken)


async def test_membership_is_written_to_and_read_from_metadata(test_host: Hosts, rig: NewRig) -> None:
    host = test_host()
    r = await rig(host)
    node_id = r.sink.id("test")
    await r.provider.tag(node_id, Membership("vc1", "compute-0-0", "compute"))
    node = await until(lambda: n if (n := r.sink.now[node_id]).cluster else None, what="tagged")
    assert (node.cluster, node.name, node.appliance, node.domain) == ("vc1", "compute-0-0", "compute", "test")
    found = await asyncio.to_thread(list_domains, host.uri)
    assert [(one.name, one.membership) for one in found] == [
        ("test", Membership("vc1", "compute-0-0", "compute"))
    ]
    await r.provider.untag(node_id)
    await until(lambda: not r.sink.now[node_id].cluster, what="untagged")
    await r.provider.untag(node_id)


async def test_a_host_that_is_down_at_start_says_why_and_comes_up_later(
    test_host: Hosts, rig: NewRig
) -> None:
    down, up = test_host("sim-1"), test_host("sim-2")
    down.stop()
    r = await rig(down, up, up=False)
    await r.sink.host_is("sim-2", "up")
    record = await r.sink.host_is("sim-1", "down")
    assert record.detail == "it cannot be reached"
    assert "No such file" in record.words
    assert record.since <= time.time()
    await asyncio.to_thread(down.start)
    await r.sink.host_is("sim-1", "up")
    assert {node.host for node in r.sink.now.values()} == {"sim-2"}  # one UUID on both: it is where it was


async def test_a_killed_libvirtd_leaves_its_nodes_stale_and_comes_back(
    hosts: Hosts, tiny: Callable[[PrivateHost], Tiny], rig: NewRig
) -> None:
    host = hosts()
    vms = tiny(host)
    vms.define("vm-1").create()
    vms.define("vm-2")
    r = await rig(host)
    await r.sink.node_is("vm-1", "on")
    host.kill()
    record = await r.sink.host_is(host.name, "down")
    node = r.sink.node("vm-1")
    assert node is not None
    assert node.state == "on"
    assert node.stale_since == record.since
    error = await r.refused("vm-1", "power.off")
    assert error.code == "unreachable"
    assert host.name in error.message
    assert "/" not in error.message + record.detail  # neither paths nor addresses of the site
    await asyncio.to_thread(host.start)
    await r.sink.host_is(host.name, "up")
    await until(lambda: all(n.stale_since is None for n in r.sink.now.values()), what="fresh again")
    assert (await r.sink.node_is("vm-1", "on")).since == node.since
    assert (await r.act("vm-2", "power.on")).state == "on"


async def test_a_stopped_libvirtd_is_noticed_and_slows_no_other_host(test_host: Hosts, rig: NewRig) -> None:
    mute, other = test_host("sim-1"), test_host("sim-2")
    outside = libvirt.open(other.uri)
    outside.lookupByName("test").undefine()
    domain = outside.defineXML(DOMAIN.format(name="vm-1", n=1))
    r = await rig(mute, other)
    assert mute.pid is not None
    os.kill(mute.pid, signal.SIGSTOP)
    try:
        for _ in range(20):
            await r.act(domain.name(), "power.on")
            await r.act(domain.name(), "power.off")
        await r.sink.host_is("sim-1", "down", 10)
        assert "stopped answering" in r.sink.hosts["sim-1"].words
        assert r.sink.hosts["sim-1"].detail == "libvirtd does not answer"
        await until(
            lambda: "does not answer" in r.sink.hosts["sim-1"].words, 10, "what the next attempt met is said"
        )
        assert r.sink.hosts["sim-2"].state == "up"
    finally:
        os.kill(mute.pid, signal.SIGCONT)
    await r.sink.host_is("sim-1", "up")
    outside.close()


async def test_a_provider_stops_in_time_beside_a_stopped_libvirtd(test_host: Hosts, rig: NewRig) -> None:
    host = test_host()
    r = await rig(host)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGSTOP)
    try:
        act = asyncio.create_task(r.act("test", "power.off"))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await r.provider.stop()
        await asyncio.gather(act, return_exceptions=True)
    finally:
        os.kill(host.pid, signal.SIGCONT)


async def test_many_hosts_that_never_answer_do_not_delay_one_that_does(test_host: Hosts, rig: NewRig) -> None:
    """A listener that accepts and never speaks is the worst a host can be."""
    good = test_host()
    path = good.folder.parent / "mute"
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(lambda _reader, writer: held.append(writer), path)
    mute = [HostAddress(f"mute-{i}", f"test+unix:///default?socket={path}") for i in range(20)]
    r = await rig(*mute, HostAddress(good.name, good.uri), up=False)
    await r.sink.host_is(good.name, "up")
    for address in mute:
        record = await r.sink.host_is(address.name, "down")
        assert "does not answer" in record.detail
    server.close()
    for writer in held:
        writer.close()
    await server.wait_closed()
