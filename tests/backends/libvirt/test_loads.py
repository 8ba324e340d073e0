"""How busy hosts themselves are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import asyncssh
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.libvirt.loads import LoadAverage, Stats, first_load, percent
from pilot.backends.libvirt.provider import HostAddress, LibvirtProvider, Settings
from pilot.backends.provider import NOT_KNOWN, HostUsed
from pilot.demo.hypervisor import PrivateHost
from tests.backends.libvirt.conftest import FAST, Recorder
from tests.support.waiting import until

Hosts = Callable[..., PrivateHost]
QUICK = msgspec.structs.replace(FAST, load=0.3)


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("0.52 0.58 0.59 1/389 12345\n", 0.52), ("12.00", 12.0), ("", None), ("x y", None), ("nan 1", None),
        ("-1 0", None), ("inf", None),
    ],
)  # fmt: skip
def test_first_load(text: str, load: float | None) -> None:
    assert first_load(text) == load


@given(st.tuples(st.integers(0), st.integers(0)), st.tuples(st.integers(0), st.integers(0)))
def test_percent_is_a_byte(before: tuple[int, int], now: tuple[int, int]) -> None:
    value = percent(Stats(*before), Stats(*now))
    assert 0 <= value <= 100 or value == NOT_KNOWN


def test_percent() -> None:
    assert percent(Stats(100, 100), Stats(125, 175)) == 25
    assert percent(None, Stats(1, 1)) == NOT_KNOWN
    assert percent(Stats(5, 5), Stats(1, 9)) == NOT_KNOWN


class Told:
    def __init__(self) -> None:
        self.now: dict[str, HostUsed] = {}
        self.times = 0

    def __call__(self, host: str, used: HostUsed) -> None:
        self.now[host] = used
        self.times += 1


async def test_a_real_host(hosts: Hosts, test_host: Hosts) -> None:
    real, pretended, told, sink = hosts("real"), test_host("sim"), Told(), Recorder()
    addresses = [HostAddress(host.name, host.uri) for host in (real, pretended)]
    provider = LibvirtProvider(addresses, settings=QUICK, loads=told)
    await provider.start(sink)
    try:
        host = await sink.host_is("real", "up")
        assert host.cpus == os.cpu_count()
        assert host.memory > 100_000
        used = await until(
            lambda: u if (u := told.now.get("real")) and u.cpu != NOT_KNOWN else None, 15, "it is known"
        )
        assert 0 <= used.cpu <= 100
        assert 10_000 < used.memory < host.memory
        # It is this very machine, by its name.
        assert used.load is not None
        assert abs(used.load - os.getloadavg()[0]) < 5
        # Nobody is to take the test driver's host for this machine.
        await until(lambda: "sim" in told.now, 10)
        assert told.now["sim"].load is None
        real.kill()
        await until(lambda: told.now["real"] == HostUsed(), 15, "nothing is known of a lost host")
    finally:
        await provider.stop()
    await asyncio.sleep(0)


class Server(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def test_a_host_behind_ssh() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    connections = []

    def made() -> Server:
        connections.append(1)
        return Server()

    server = await asyncssh.create_server(made, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=True)
    settings = Settings(forward_idle=5)
    average = LoadAverage("h", f"qemu+ssh://127.0.0.1:{server.get_port()}/system?no_verify=1", settings)
    for _ in range(3):
        load = await average.read("anything")
        assert load is not None
        assert abs(load - os.getloadavg()[0]) < 5
    assert len(connections) == 1
    average.close()
    server.close()
    await server.wait_closed()


async def test_a_host_that_does_not_let_us_is_asked_rarely() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    connections = []

    def made() -> Server:
        connections.append(1)
        return Server()

    server = await asyncssh.create_server(made, "127.0.0.1", 0, server_host_keys=[key])
    uri = f"qemu+ssh://127.0.0.1:{server.get_port()}/system?no_verify=1"
    average = LoadAverage("h", uri, Settings(forward_idle=5))
    assert [await average.read("x") for _ in range(3)] == [None] * 3
    assert len(connections) == 1
    average.close()
    server.close()
    await server.wait_closed()
    tls = LoadAverage("h", "qemu+tls://elsewhere/system", Settings())
    assert await tls.read("elsewhere") is None
