"""What nodes use, seen by a watcher of a real airboss: busy, idle and hung guests; and hostile watchers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable

import asyncssh
import pytest

from pilot import wire
from pilot.errors import WireError
from pilot.link.channel import Channel, open_channel
from pilot.link.link import Link
from pilot.live.usage import UsageHistory
from pilot.records import Node
from pilot.store import Store
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_flight import act, nodes_of, read
from tests.support.vms import Share, Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    """One host that is sampled every 0.5 s: two nodes of vc1, one of vc2."""
    site = await make_site(1, extra="[usage]\nevery = 0.5")
    site.vms = nodes(site.hosts[0], "vc1", 2)
    site.theirs = nodes(site.hosts[0], "vc2", 1)
    return site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    """The owner of vc1, connected; airboss knows her two nodes."""
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len(await nodes_of(link)) == 2

        await until(known, what="the nodes are known")
        yield link


class Watch:
    """A watcher of usage: its mirror, and how far airboss was away."""

    def __init__(self, link: Link, cluster: str = "vc1") -> None:
        self.store = Store()
        self.history = UsageHistory()
        self.lags: list[float] = []
        self.frames = 0
        self._task = asyncio.create_task(self._run(link, cluster))

    async def _run(self, link: Link, cluster: str) -> None:
        async for frame in link.watch(cluster, usage=True):
            if isinstance(frame, wire.Usage):
                self.frames += 1
                self.history.take(frame)
            elif isinstance(frame, wire.Pong):
                self.lags.append((time.monotonic_ns() - frame.token) / 1e9)
            elif not isinstance(frame, wire.Load):
                self.store.apply(frame)

    def node(self, name: str) -> Node:
        return next(node for node in self.store.nodes() if node.name == name)

    def load(self, name: str) -> int | None:
        return self.history.load(self.node(name).id)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def test_a_busy_loop_shows_an_idle_guest_does_not_and_a_hung_one_is_not_known(
    site: Site, ada: Link
) -> None:
    watch = Watch(ada)
    await act(ada, "on", "compute-0-0", "compute-0-1")
    share, others = (Share(vm.qemu_pid) for vm in site.vms)
    busy, idle = await read(ada, "compute-0-0"), await read(ada, "compute-0-1")
    await busy.log_in()
    await idle.expect(b"login: ")

    def idles(name: str) -> bool:
        load, other = watch.load(name), watch.load("compute-0-0")
        return load is not None and load < 30 and (other is None or load < other)

    await until(lambda: (watch.load("compute-0-1") or 0) < 30, 60, "the idle one comes to rest")
    busy.stream.type(b"while :; do :; done\r")
    await until(lambda: share.shown_by(watch.load("compute-0-0")), 60, "the busy loop shows")
    await until(lambda: share.shown_by(watch.load("compute-0-0")) and idles("compute-0-1"), 60, "both show")
    node = watch.node("compute-0-0")
    await until(lambda: watch.history.memory(node.id) > 10_000, 30, "its memory")
    await until(lambda: watch.node("compute-0-0").disks[0].size > 0, 30, "the size of its disk")
    disk = watch.node("compute-0-0").disks[0]
    assert (disk.target, disk.bus, disk.source) == ("vda", "virtio", "disk.img")
    assert watch.lags
    assert min(watch.lags) < 0.5
    # A watcher that comes later is told the past.
    later = Watch(ada)
    await until(lambda: len(later.history.cpu(node.id)) > 4, 30, "the past")
    await later.close()

    os.kill(site.vms[0].qemu_pid, signal.SIGSTOP)
    try:
        await until(lambda: watch.load("compute-0-0") is None, 40, "a hung one is not known")
        frames = watch.frames
        idle.stream.type(b"root\r")
        await idle.expect(b"Password: ")
        idle.stream.type(b"pilot\r")
        await idle.expect(b"# ")
        idle.stream.type(b"while :; do :; done\r")
        await until(lambda: others.shown_by(watch.load("compute-0-1")), 60, "its neighbour's load shows")
        assert watch.load("compute-0-0") is None
        assert watch.frames > frames
    finally:
        os.kill(site.vms[0].qemu_pid, signal.SIGCONT)
    await until(lambda: share.shown_by(watch.load("compute-0-0")), 60, "it is busy still")
    await busy.close()
    await idle.close()
    await watch.close()


async def test_nobody_is_told_what_anothers_nodes_use(site: Site, ada: Link) -> None:
    theirs = site.theirs[0]
    theirs.start()
    async with await site.bob.link() as link:
        bob, watch, everything = Watch(link, "vc2"), Watch(ada), Watch(ada, "")
        theirs_id = theirs.plan.uuid
        await until(lambda: bob.history.load(theirs_id) is not None, 30, "bob sees what his node uses")
        frames = watch.frames
        await until(lambda: watch.frames > frames + 1, 30)
        for one in (watch, everything):
            assert one.history.cpu(theirs_id) == b""
            assert theirs_id not in one.store.records
            await one.close()
        await bob.close()


async def watching(link: Link, **args: bool) -> Channel:
    """A watch's channel, as a second client would hold it."""
    _, request = await link._signed("watch", "vc1", (), dict(args))
    channel = await open_channel(link._connection, 30)
    channel.send(request)
    assert isinstance(await channel.receive(30), wire.Reply)
    assert isinstance(await channel.receive(30), wire.Snapshot)
    return channel


async def next_of(channel: Channel, kind: type[wire.ServerFrame]) -> wire.ServerFrame:
    while True:
        frame = await channel.receive(30)
        assert frame is not None
        if isinstance(frame, kind):
            return frame


class _Deaf(asyncssh.SSHClientSession[bytes]):
    """A client that reads nothing."""

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        chan.pause_reading()


class _Reading(asyncssh.SSHClientSession[bytes]):
    """A client that reads whatever comes."""


@pytest.mark.parametrize("kind", [_Deaf, _Reading])
async def test_a_flood_of_pings_is_held_back_and_others_are_served(
    site: Site, ada: Link, kind: type[asyncssh.SSHClientSession[bytes]]
) -> None:
    """airboss reads no more pings than it answers: where nobody takes the answers, the rest stays outside."""
    async with await site.bob.link() as link:
        chan, _ = await link._connection.create_session(kind, subsystem=wire.SUBSYSTEM, encoding=None)
        _, request = await link._signed("watch", "vc2", (), {})
        chan.write(wire.encode(request))
        ping = wire.encode(wire.Ping(7)) * 1000
        held_back, lists = 0, 0
        async with asyncio.timeout(60):
            while lists < 100 or (kind is _Deaf and not held_back):
                if chan.get_write_buffer_size() < 1024 * 1024:
                    chan.write(ping)
                else:
                    held_back += 1
                lists += bool(await nodes_of(ada))
        chan.close()
    channel = await watching(ada)
    channel.send(wire.Ping(5))
    assert await next_of(channel, wire.Pong) == wire.Pong(5)
    channel.close()


@pytest.mark.parametrize("frame", [wire.Input(b"ls\n"), wire.Take(), wire.Resize(80, 24), wire.HelloAsk()])
async def test_a_frame_that_does_not_belong_ends_the_watch_and_nothing_else(
    site: Site, ada: Link, frame: wire.ClientFrame
) -> None:
    channel = await watching(ada, usage=True)
    channel.send(frame)
    if not isinstance(frame, wire.HelloAsk):
        reply = await next_of(channel, wire.Reply)
        assert isinstance(reply, wire.Reply)
        assert reply.fault is not None
        assert reply.fault.code == WireError.code
    while await channel.receive(30) is not None:
        pass
    other = await watching(ada, usage=True)
    assert isinstance(await next_of(other, wire.Usage), wire.Usage)
    other.close()
