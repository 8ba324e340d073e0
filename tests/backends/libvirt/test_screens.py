"""Screens of real QEMUs: handed over by libvirt, and connected to by a real sshd."""

from __future__ import annotations

import asyncio
import getpass
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import libvirt
import msgspec
import pytest

from bench.sshd import sshd
from pilot.backends.libvirt.provider import HostAddress
from pilot.backends.libvirt.screens import _Handover, transport
from pilot.backends.libvirt.ssh_forward import SshAddress, SshForward, address_of
from pilot.backends.libvirt.streams import StreamScreen
from pilot.backends.provider import Screen
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import BackendError, DeadlineError, PilotError, UnreachableError
from tests.backends.libvirt.conftest import FAST, Rig, Tiny
from tests.support.waiting import until

VERSION = b"RFB 003.008\n"
SOCKET = "<graphics type='vnc'><listen type='socket'/></graphics>"
NOWHERE = "<graphics type='vnc'><listen type='none'/></graphics>"
TCP = (
    "<graphics type='vnc' autoport='yes' passwd='secret'>"
    "<listen type='address' address='127.0.0.1'/></graphics>"
)
FAR = msgspec.structs.replace(FAST, open_deadline=20.0, screen=30.0, forward_idle=0.3)
"""For a host that is reached by SSH: each connection to it takes a while."""

MakeRig = Callable[..., Awaitable[Rig]]
MakeTiny = Callable[[PrivateHost], Tiny]


async def begun(screen: Screen) -> bool:
    """Whether a VNC server is at the other end, which lets us in without a password."""
    async with asyncio.timeout(20):
        assert await screen.read(12) == VERSION
        screen.write(VERSION)
        await screen.drain()
        return await screen.read(100) == b"\x01\x01"


async def refused(rig: Rig, domain: str) -> PilotError:
    with pytest.raises(PilotError) as error:
        await rig.provider.open_screen(rig.sink.id(domain))
    return error.value


async def test_libvirt_hands_over_a_socket_whatever_vnc_listens_at(
    rig: MakeRig, hosts: Callable[..., PrivateHost], tiny: MakeTiny
) -> None:
    host = hosts()
    defining = tiny(host)
    listening = {"socket": SOCKET, "nowhere": NOWHERE, "tcp": TCP}
    domains = {name: defining.define(name, graphics=graphics) for name, graphics in listening.items()}
    made = await rig(host)
    for name, domain in domains.items():
        node = await made.sink.node_is(name, "off")
        assert node.screen
        off = await refused(made, name)
        assert (off.message, off.hint) == (
            f"opening the screen of {name} failed: it is off",
            "`power.on` turns it on.",
        )
        domain.create()
        await made.sink.node_is(name, "on")
        first, second = [await made.provider.open_screen(node.id) for _ in range(2)]
        assert await begun(first)
        assert await begun(second)
        first.close()
        first.close()
        first.write(b"nobody reads this")
        defining.signal(name, signal.SIGKILL)
        async with asyncio.timeout(20):
            assert await second.read(10) == b""
            await second.drain()
        second.close()


async def test_a_node_without_vnc_is_told_how_to_get_it(
    rig: MakeRig, hosts: Callable[..., PrivateHost], tiny: MakeTiny, test_host: Callable[..., PrivateHost]
) -> None:
    host, other = hosts(), test_host()
    defining = tiny(host)
    defining.define("vm").create()
    made = await rig(host, other)
    node = await made.sink.node_is("vm", "on")
    assert not node.screen
    no_vnc = await refused(made, "vm")
    assert no_vnc.message == "opening the screen of vm failed: it has no VNC"
    assert SOCKET in no_vnc.hint
    # It is known from the running one: what it says itself has the last word.
    entry = made.provider._part(node.id).watch.domains.get(node.id)
    assert entry is not None
    entry.facts = msgspec.structs.replace(entry.facts, screen=True)
    assert "it was started without VNC" in (await refused(made, "vm")).message
    connection = libvirt.open(other.uri)
    connection.defineXML(
        "<domain type='test'><name>sim</name><memory>1024</memory><os><type>hvm</type></os>"
        "<devices><graphics type='vnc'/></devices></domain>"
    ).create()
    connection.close()
    await made.sink.node_is("sim", "on")
    assert "a host of kind TEST gives no screens" in (await refused(made, "sim")).message


async def test_a_stopped_qemu_keeps_nobody_else_waiting(
    rig: MakeRig, hosts: Callable[..., PrivateHost], tiny: MakeTiny
) -> None:
    host = hosts()
    defining = tiny(host)
    for name in ("hangs", "well"):
        defining.define(name, graphics=SOCKET).create()
    # It is not known as hung before the test says so.
    made = await rig(host, settings=msgspec.structs.replace(FAST, screen=1.5, send=1.5, probe=600.0))
    hangs, well = [(await made.sink.node_is(name, "on")).id for name in ("hangs", "well")]
    lanes = made.provider._part(hangs).screens._lanes
    defining.signal("hangs", signal.SIGSTOP)

    async def opens(node_id: str) -> Screen | None:
        try:
            return await made.provider.open_screen(node_id)
        except PilotError:
            return None

    asking = [asyncio.create_task(refused(made, "hangs")) for _ in range(20)]
    fine = await until(lambda: opens(well), 30, "the other one opens")
    assert await begun(fine)
    fine.close()
    late = [await one for one in asking]
    assert {type(error) for error in late} <= {DeadlineError, BackendError}
    # However many ask, one thread waits.
    assert lanes.stuck <= 1
    assert all("ends a hung QEMU" in error.hint for error in late)
    nmi = await made.refused("hangs", "send.nmi")
    assert "has not answered for" in nmi.message
    defining.signal("hangs", signal.SIGCONT)
    screen = await until(lambda: opens(hangs), 30, "its screen opens again")
    assert await begun(screen)
    screen.close()


@pytest.mark.parametrize("late", [False, True])
def test_a_descriptor_that_nobody_waits_for_is_closed(late: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        handover = _Handover()
        steps = [lambda: handover.give(theirs.detach()), handover.refuse]
        for step in reversed(steps) if late else steps:
            step()
        assert ours.recv(1) == b"", "the other end is closed"


async def test_a_screen_that_does_not_read_is_let_go_at_once() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        screen = StreamScreen(*await asyncio.open_unix_connection(sock=ours))
        screen.write(b"x" * 4 * 1024 * 1024)
        screen.close()
        screen.close()
        await until(lambda: ours.fileno() == -1, 20, "its descriptor is closed")
        screen.write(b"too late")


def test_how_a_uri_reaches_its_host() -> None:
    ways = {
        "qemu:///system": "local",
        "qemu+unix:///system?socket=/run/x": "local",
        "qemu+ssh://root@host/system": "ssh",
        "qemu://host/system": "tls",
        "qemu+tcp://host/system": "tcp",
        "qemu+libssh2://host/system": "libssh2",
    }
    assert {uri: transport(uri) for uri in ways} == ways
    assert address_of("qemu+ssh://host/system") == SshAddress("host")
    assert address_of(
        "qemu+ssh://a%40b@[::1]:2222/system?keyfile=/k/id&no_verify=1&known_hosts=/k/hosts&socket=/s"
    ) == SshAddress("::1", 2222, "a@b", "/k/id", "/k/hosts", False)


class Remote:
    """A host that airboss reaches by a real sshd, with keys and known hosts of its own."""

    def __init__(self, host: PrivateHost, folder: Path, address: str) -> None:
        self.host = host
        self.folder = folder
        self.address = address

    def uri(self, **more: str) -> str:
        """What airboss is told. libvirt runs `ssh` from `command`; airboss follows the rest."""
        asked = {
            "socket": str(self.host.socket),
            "command": str(self.folder / "ssh"),
            "keyfile": str(self.folder / "user"),
            "known_hosts": str(self.folder / "known_hosts"),
        } | more
        return f"qemu+ssh://{self.address}/session?{urlencode(asked, safe='/')}"


@pytest.fixture
async def remote(hosts: Callable[..., PrivateHost], short_folder: Path) -> AsyncIterator[Remote]:
    host = hosts()
    folder = host.folder.parent / "ssh"
    folder.mkdir(mode=0o711)
    async with sshd(folder) as (options, address):
        wrapper = folder / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh {" ".join(options)} "$@"\n')
        wrapper.chmod(0o755)
        yield Remote(host, folder, address)


async def test_a_host_that_is_reached_by_ssh_connects_us_to_the_socket(
    remote: Remote, rig: MakeRig, tiny: MakeTiny
) -> None:
    defining = tiny(remote.host)
    for name, graphics in (("vm", SOCKET), ("tcp", TCP), ("none", NOWHERE)):
        defining.define(name, graphics=graphics).create()
    made = await rig(HostAddress("far", remote.uri()), settings=FAR)
    node = await made.sink.node_is("vm", "on", 30)
    screens = [await made.provider.open_screen(node.id) for _ in range(3)]
    for screen in screens:
        assert await begun(screen)
    forward = made.provider._part(node.id).screens._forward
    assert forward is not None
    assert forward.connected
    for domain, where in (("tcp", "at a TCP port"), ("none", "nowhere")):
        await made.sink.node_is(domain, "on")
        error = await refused(made, domain)
        assert f"its VNC server listens {where}, and host far is reached by SSH" in error.message
        assert SOCKET in error.hint
    for screen in screens:
        screen.close()
    await until(lambda: not forward.connected, 20, "an SSH connection that nobody uses is closed")
    again = await made.provider.open_screen(node.id)
    assert await begun(again)
    # The connection is lost; the next screen gets a new one.
    assert forward._connection is not None
    forward._connection.abort()
    async with asyncio.timeout(20):
        assert await again.read(10) == b""
    again.close()
    third = await made.provider.open_screen(node.id)
    assert await begun(third)
    defining.signal("vm", signal.SIGKILL)
    async with asyncio.timeout(20):
        assert await third.read(10) == b""
    third.close()


async def test_a_socket_that_is_given_up_while_sshd_connects_to_it_is_closed(short_folder: Path) -> None:
    opening: asyncio.Task[StreamScreen] | None = None
    ends: list[asyncio.Task[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(asyncio.create_task(reader.read()))
        if opening is not None:
            opening.cancel()  # sshd has connected; that it has is not known on our side yet
        await asyncio.wait(ends[-1:])
        writer.close()

    folder = short_folder / "ssh"
    folder.mkdir(mode=0o711)
    path = str(short_folder / "vnc")
    server = await asyncio.start_unix_server(serve, path)
    async with sshd(folder) as (_, address), server:
        user, _, place = address.partition("@")
        host, _, port = place.partition(":")
        keys = str(folder / "user"), str(folder / "known_hosts")
        forward = SshForward("far", SshAddress(host, int(port), user, *keys), 60.0)
        kept = await forward.open(path, "opening the screen")
        await until(lambda: ends, 20, "it is connected")
        for _ in range(3):
            opening = asyncio.create_task(forward.open(path, "opening the screen"))
            await asyncio.wait([opening], timeout=20)
            if not opening.cancelled():
                opening.result().close()  # we have been told before the server was
            await until(lambda: len(ends) > 1 and all(end.done() for end in ends[1:]), 20, "it is closed")
        assert forward.connected
        assert not ends[0].done(), "who stays is not disturbed"
        kept.close()
        forward.close()
        async with asyncio.timeout(20):
            await asyncio.wait(ends)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"known_hosts": "/dev/null"}, "airboss's account does not know its SSH host key"),
        ({"keyfile": "stranger"}, "SSH does not let airboss in"),
    ],
)
async def test_ssh_that_does_not_let_us_in_is_told_without_the_sites_secrets(
    wrong: dict[str, str],
    words: str,
    remote: Remote,
    rig: MakeRig,
    tiny: MakeTiny,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (remote.folder / "stranger").write_bytes((remote.folder / "host").read_bytes())
    (remote.folder / "stranger").chmod(0o600)
    given = {key: str(remote.folder / value) if key == "keyfile" else value for key, value in wrong.items()}
    tiny(remote.host).define("vm", graphics=SOCKET).create()
    made = await rig(HostAddress("far", remote.uri(**given)), settings=FAR)
    await made.sink.node_is("vm", "on", 30)
    error = await refused(made, "vm")
    assert isinstance(error, UnreachableError)
    assert error.message == f"opening the screen of vm failed: host far: {words}"
    assert getpass.getuser() + "@" not in error.message + error.hint
