"""Consoles of real VMs: from the first byte, over power-offs and a libvirtd that dies."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Viewer
from pilot.backends.libvirt.provider import HostAddress, LibvirtProvider
from pilot.backends.libvirt.settings import Settings
from pilot.backends.provider import Extra, Used
from pilot.demo.hypervisor import PrivateHost
from pilot.records import Host, Node
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.screen import Screen
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NewReader = Callable[[Viewer], Reader]


class Airboss:
    """The provider and the hub, joined as the daemon joins them."""

    def __init__(self, host: PrivateHost) -> None:
        self.nodes: dict[str, Node] = {}
        self.provider = LibvirtProvider(
            [HostAddress("vm-container-0-0", host.uri)], settings=Settings(backoff_last=0.5)
        )
        self.hub = ConsoleHub(
            lambda _id: self.provider,
            time.time,
            lambda node_id: self.nodes[node_id].name,
            lambda _id, _writer, _watchers: None,
            random.Random(1),
        )

    def host(self, host: Host) -> None:
        """Of no concern here."""

    def nodes_changed(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self.nodes[node.id] = node
            self.hub.node_changed(node)

    def extras(self, records: Iterable[Extra]) -> None:
        """Of no concern here."""

    def gone(self, ids: Iterable[str]) -> None:
        for node_id in ids:
            self.hub.node_gone(node_id)

    def usage(self, used: Mapping[str, Used]) -> None:
        """Of no concern here."""

    async def start(self) -> None:
        await self.provider.start(_Sink(self))

    async def stop(self) -> None:
        await self.hub.stop()
        await self.provider.stop()

    async def power(self, node_id: str, verb: str) -> None:
        async with asyncio.timeout(60):
            await self.provider.act(node_id, verb, {}, lambda _text: None)


class _Sink:
    def __init__(self, airboss: Airboss) -> None:
        self.host = airboss.host
        self.nodes = airboss.nodes_changed
        self.extras = airboss.extras
        self.gone = airboss.gone
        self.usage = airboss.usage
        self.starting = airboss.hub.hold


@pytest.fixture
def host(hosts: Callable[..., PrivateHost]) -> PrivateHost:
    return hosts("vm-container-0-0")


@pytest.fixture
def vm(host: PrivateHost, define_vm: Callable[..., Vm]) -> Vm:
    return define_vm(host)


@pytest.fixture
async def airboss(host: PrivateHost, vm: Vm) -> AsyncIterator[Airboss]:
    made = Airboss(host)
    await made.start()
    await until(lambda: vm.plan.uuid in made.nodes, 20)
    yield made
    await made.stop()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with Screen(tmp_path) as made:
        yield made


async def arrives(reader: Reader, text: bytes, after: int = 0, deadline: float = 60) -> int:
    """Await a text behind an offset of what was seen; where it begins."""
    await until(
        lambda: reader.output.find(text, after) >= 0, deadline, f"{text!r} in {bytes(reader.output[-800:])!r}"
    )
    return reader.output.find(text, after)


async def test_from_the_first_byte_to_a_second_viewer_a_takeover_and_another_start(
    airboss: Airboss, vm: Vm, reader: NewReader, screen: Screen
) -> None:
    node_id, hub = vm.plan.uuid, airboss.hub
    ann = reader(await hub.attach(node_id, "ann", "write", may_write=True))
    await ann.told("compute-0-0 is off", "power")
    await airboss.power(node_id, "power.on")
    at = await arrives(ann, b"SeaBIOS")
    assert b"turned on]" in ann.output[:at]
    assert ann.output[:at].count(b"[pilot") == 1
    assert ann.output[:at].rstrip(b"\x1b[0123456789;=chlmpJHK?").endswith(b"\r\n"), (
        "nothing before the banner"
    )

    await arrives(ann, b"login: ")
    await ann.viewer.write(b"root\r")
    await arrives(ann, b"Password: ")
    await ann.viewer.write(b"pilot\r")
    prompt = await arrives(ann, b"# ", len(ann.output))
    await ann.viewer.write(b"vi /etc/passwd\r")
    await arrives(ann, b"/etc/passwd", prompt + 20)
    await until_quiet(ann)

    bob = reader(await hub.attach(node_id, "bob", "watch", may_write=True))
    await until(lambda: bob.output == ann.output, 20, "the second viewer sees the same bytes")
    assert screen.show(bytes(bob.output)) == screen.show(bytes(ann.output))
    bob.viewer.take()
    await ann.told("bob has taken the keyboard", "taken")
    await bob.viewer.write(b":q!\r")
    await until_quiet(bob)
    mark = len(bob.output)
    await bob.viewer.write(b"echo hello-$((6*7))\r")
    await arrives(ann, b"hello-42", mark)

    mark = len(ann.output)
    await airboss.power(node_id, "power.off")
    off = await arrives(ann, b"turned off]", mark)
    await airboss.power(node_id, "power.on")
    on = await arrives(ann, b"turned on]", off)
    again = await arrives(ann, b"SeaBIOS", on)
    assert b"[pilot" not in ann.output[on + 10 : again]
    await until(lambda: bob.output == ann.output, 20)


async def until_quiet(reader: Reader) -> None:
    """Await that nothing more is printed for a moment."""
    seen = -1
    while seen != len(reader.output):
        seen = len(reader.output)
        await asyncio.sleep(0.3)


async def test_what_others_do_with_virsh_is_told_too(airboss: Airboss, vm: Vm, reader: NewReader) -> None:
    ann = reader(await airboss.hub.attach(vm.plan.uuid, "ann", "write", may_write=True))
    await asyncio.to_thread(vm.start)
    await arrives(ann, b"turned on]")
    await arrives(ann, b"console held from here on]")
    await arrives(ann, b"login: ")
    await asyncio.to_thread(vm.domain.destroy)
    await arrives(ann, b"turned off]")


async def test_a_libvirtd_that_dies_and_comes_back(
    airboss: Airboss, host: PrivateHost, vm: Vm, reader: NewReader
) -> None:
    node_id = vm.plan.uuid
    ann = reader(await airboss.hub.attach(node_id, "ann", "write", may_write=True))
    await airboss.power(node_id, "power.on")
    await arrives(ann, b"login: ")
    mark = len(ann.output)
    await asyncio.to_thread(host.kill)
    down = await arrives(ann, b"its host does not answer", mark)
    await ann.told("its host does not answer", "host")
    await ann.viewer.write(b"lost")
    await asyncio.to_thread(host.start)
    back = await arrives(ann, b"its host answers again]", down)
    held = await arrives(ann, b"console held again; there may be a gap]", back)
    await ann.viewer.write(b"root\r")
    await arrives(ann, b"Password: ", held)
    assert b"turned o" not in ann.output[mark:]


async def test_a_console_that_somebody_else_holds(airboss: Airboss, vm: Vm, reader: NewReader) -> None:
    await asyncio.to_thread(vm.start, True)
    # A connection of its own, as virsh has.
    stream = vm.connection.newStream()
    await asyncio.to_thread(_open_or_force, vm, stream)
    ann = reader(await airboss.hub.attach(vm.plan.uuid, "ann", "write", may_write=True))
    notice = await ann.told("the console of compute-0-0 cannot be held", "host")
    assert "Active console session" in notice.text or "hold" in notice.text
    await asyncio.to_thread(stream.abort)
    await ann.told("the console of compute-0-0 is held now", "host")
    await asyncio.to_thread(vm.domain.resume)
    await arrives(ann, b"SeaBIOS")


def _open_or_force(vm: Vm, stream: object) -> None:
    vm.domain.openConsole(None, stream, 1)  # VIR_DOMAIN_CONSOLE_FORCE
