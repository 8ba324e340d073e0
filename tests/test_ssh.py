"""The packets of an SSH connection: counted where they arrive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import asyncssh
import pytest
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import SSHPacket

from pilot.ssh import CIPHERS, without_ignores

TIMES = 10


class _Open(asyncssh.SSHServer):
    """Lets everybody in, and counts what comes."""

    def __init__(self, arrived: Counter[int]) -> None:
        self._arrived = arrived

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        logged = conn.log_received_packet

        def count(pkttype: int, pktid: int | None, packet: bytes | SSHPacket, note: str = "") -> None:
            self._arrived[pkttype] += 1
            logged(pkttype, pktid, packet, note)

        conn.log_received_packet = count  # type: ignore[method-assign]

    def begin_auth(self, username: str) -> bool:
        return False


async def _echo(process: asyncssh.SSHServerProcess[bytes]) -> None:
    async for line in process.stdin:
        process.stdout.write(line)
    process.exit(0)


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, Counter[int]]]:
    """A server that echoes lines; its port and the packets that reached its connections."""
    arrived: Counter[int] = Counter()
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Open(arrived),
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=_echo,
        encryption_algs=[*CIPHERS, "aes128-cbc"],
        encoding=None,
    )
    yield acceptor.get_port(), arrived
    acceptor.close()
    await acceptor.wait_closed()


async def _lines(port: int, cipher: str, lean: bool) -> None:
    async with (
        asyncio.timeout(20),
        asyncssh.connect(
            "127.0.0.1", port, config=None, known_hosts=None, encryption_algs=[cipher]
        ) as connection,
    ):
        if lean:
            without_ignores(connection)
        process = await connection.create_process("echo", encoding=None)
        for number in range(TIMES):
            process.stdin.write(b"%d\n" % number)
            assert await process.stdout.readline() == b"%d\n" % number


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_an_authenticated_cipher_needs_no_ignores(
    server: tuple[int, Counter[int]], cipher: str
) -> None:
    port, arrived = server
    await _lines(port, cipher, lean=True)
    assert arrived[MSG_IGNORE] <= 5  # those of the login, before anybody could say anything


async def test_a_cipher_in_cbc_mode_keeps_its_guard(server: tuple[int, Counter[int]]) -> None:
    port, arrived = server
    await _lines(port, "aes128-cbc", lean=True)
    assert arrived[MSG_IGNORE] >= TIMES


async def test_asyncssh_would_send_them(server: tuple[int, Counter[int]]) -> None:
    port, arrived = server
    await _lines(port, CIPHERS[0], lean=False)
    assert arrived[MSG_IGNORE] >= TIMES, "is `without_ignores` needed any more?"
