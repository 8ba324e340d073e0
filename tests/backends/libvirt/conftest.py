"""A sink that remembers, private hosts of both drivers, and VMs that are up in a moment."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import libvirt
import pytest

from pilot.backends.libvirt.provider import HostAddress, LibvirtProvider, Settings
from pilot.backends.provider import Acted, Extra, Serial, Used
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import PilotError
from pilot.records import Host, Node
from pilot.verbs import Value
from tests.backends.libvirt import tiny_guest
from tests.support.waiting import until

FAST = Settings(
    backoff_first=0.05,
    backoff_last=0.3,
    reconcile=60,
    probe=0.5,
    hung_after=0.5,
    open_deadline=2.0,
    usage=0.5,
    usage_patience=0.5,
    sizes=0.1,
)


class Recorder:
    """A Sink: what is known now, and all that was told in order."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.now: dict[str, Node] = {}
        self.told: list[tuple[float, Node]] = []
        self.host_history: list[Host] = []
        self.others: dict[str, Extra] = {}
        self.left: list[str] = []
        self.used: dict[str, Used] = {}
        self.uses: list[Mapping[str, Used]] = []
        self.started: list[str] = []
        self.on_starting: Callable[[str], Awaitable[None]] | None = None

    def host(self, host: Host) -> None:
        self.hosts[host.name] = host
        self.host_history.append(host)

    def nodes(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self.now[node.id] = node
            self.told.append((time.perf_counter(), node))

    def extras(self, records: Iterable[Extra]) -> None:
        self.others.update((record.id, record) for record in records)

    def gone(self, ids: Iterable[str]) -> None:
        for node_id in ids:
            self.now.pop(node_id, None)
            self.left.append(node_id)

    def usage(self, used: Mapping[str, Used]) -> None:
        self.used.update(used)
        self.uses.append(used)

    async def starting(self, node_id: str) -> None:
        self.started.append(node_id)
        if self.on_starting is not None:
            await self.on_starting(node_id)

    def id(self, domain: str) -> str:
        return next(node.id for node in self.now.values() if node.domain == domain)

    def node(self, domain: str) -> Node | None:
        return next((node for node in self.now.values() if node.domain == domain), None)

    async def host_is(self, name: str, state: str, deadline: float = 20.0) -> Host:
        await until(
            lambda: name in self.hosts and self.hosts[name].state == state, deadline, f"{name} is {state}"
        )
        return self.hosts[name]

    async def node_is(self, domain: str, state: str, deadline: float = 20.0) -> Node:
        def there() -> Node | None:
            node = self.node(domain)
            return node if node is not None and node.state == state else None

        return await until(there, deadline, f"{domain} is {state}")


class Screen:
    """What a held console printed, and why it was lost."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.lost: list[str] = []
        self.serial: Serial | None = None

    def output(self, data: bytes) -> None:
        self.seen += data

    async def shows(self, text: bytes, deadline: float = 20.0) -> None:
        await until(
            lambda: text in self.seen, deadline, f"{text!r} on the console: {bytes(self.seen[-200:])!r}"
        )

    async def type(self, data: bytes) -> None:
        assert self.serial is not None
        await self.serial.write(data)


class Rig:
    """A provider on some hosts, and what a test does with it."""

    def __init__(self, provider: LibvirtProvider, sink: Recorder) -> None:
        self.provider = provider
        self.sink = sink
        self.progress: list[str] = []

    async def act(self, domain: str, verb: str, **args: Value) -> Acted:
        return await self.provider.act(self.sink.id(domain), verb, args, self.progress.append)

    async def refused(self, domain: str, verb: str, **args: Value) -> PilotError:
        try:
            done = await self.act(domain, verb, **args)
        except PilotError as error:
            return error
        raise AssertionError(f"{verb} on {domain} was not refused: {done}")

    async def console(self, domain: str) -> Screen:
        screen = Screen()
        node_id = self.sink.id(domain)
        screen.serial = await self.provider.open_console(node_id, screen.output, screen.lost.append)
        return screen

    def hold_consoles(self) -> dict[str, Screen]:
        """Take the console of every node that starts, as airboss does; by node id."""
        screens: dict[str, Screen] = {}

        async def hold(node_id: str) -> None:
            screen = screens[node_id] = Screen()
            screen.serial = await self.provider.open_console(node_id, screen.output, screen.lost.append)

        self.sink.on_starting = hold
        return screens


@pytest.fixture
async def rig() -> AsyncIterator[Callable[..., Awaitable[Rig]]]:
    """Starts providers: `await rig(host, …)`; stopped after the test, whatever hangs by then."""
    made: list[LibvirtProvider] = []

    async def make(
        *hosts: PrivateHost | HostAddress,
        settings: Settings = FAST,
        up: bool = True,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Rig:
        addresses = [h if isinstance(h, HostAddress) else HostAddress(h.name, h.uri) for h in hosts]
        provider = LibvirtProvider(addresses, settings=settings, wanted=wanted)
        made.append(provider)
        sink = Recorder()
        await provider.start(sink)
        if up:
            for address in addresses:
                await sink.host_is(address.name, "up", 20)
        return Rig(provider, sink)

    yield make
    for provider in made:
        async with asyncio.timeout(20):
            await provider.stop()
    # What was posted from libvirt's threads meanwhile runs out here rather than in another test's loop.
    await asyncio.sleep(0)


@pytest.fixture
def test_host(short_folder: Path) -> Iterator[Callable[..., PrivateHost]]:
    """Starts a libvirtd that serves its test driver: many domains, no QEMU. Its domain `test` is gone."""
    made: list[PrivateHost] = []

    def make(name: str = "sim") -> PrivateHost:
        folder = Path(tempfile.mkdtemp(prefix="t", dir=short_folder))
        folder.chmod(0o711)
        host = PrivateHost(folder / "h", name, driver="test:///default")
        made.append(host)
        host.start()
        return host

    yield make
    for host in made:
        host.clear()
        shutil.rmtree(host.folder.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_disk(short_folder: Path) -> Path:
    """The disk of the tiny guest."""
    return tiny_guest.write_disk(short_folder / "tiny.img")


@pytest.fixture(scope="session")
def busy_disk(short_folder: Path) -> Path:
    """The disk of a tiny guest that never rests."""
    return tiny_guest.write_disk(short_folder / "busy.img", busy=True)


class Tiny:
    """Defines tiny VMs on a host, through a connection of the test's own, as an administrator would."""

    def __init__(self, host: PrivateHost, disk: Path) -> None:
        self.host = host
        self.disk = disk
        self.connection = libvirt.open(host.uri)

    def define(self, name: str, disk: Path | None = None, **parts: Any) -> Any:
        return self.connection.defineXML(tiny_guest.domain_xml(name, disk or self.disk, **parts))

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.host.qemu_pids()[name], number)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def tiny(tiny_disk: Path) -> Iterator[Callable[[PrivateHost], Tiny]]:
    """`tiny(host)` gives a Tiny; no QEMU of it stays stopped."""
    made: list[Tiny] = []

    def make(host: PrivateHost) -> Tiny:
        one = Tiny(host, tiny_disk)
        made.append(one)
        return one

    yield make
    for one in made:
        for pid in one.host.qemu_pids().values():
            os.kill(pid, signal.SIGCONT)
        one.close()
