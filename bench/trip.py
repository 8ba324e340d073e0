"""A signed request's round trip on a kept connection, beside the barest one over asyncssh."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncssh

from bench import plain_peer
from bench.result import Row, at_most_times, median, percentile
from bench.workshop import CLUSTER, ROOT, Workshop, node_plans
from pilot import wire
from pilot.link.link import Link
from tests.support.airboss import Person

NODES = 5
ROUNDS = 30
EACH = 20
WARM = 20

Ask = Callable[[], Awaitable[object]]


async def measure(workshop: Workshop) -> list[Row]:
    """Both kinds in turns, so that what else the machine does hits both."""
    async with (
        workshop.host(node_plans(NODES)) as host,
        workshop.site({host.name: host.uri}, NODES) as site,
        await site.ada.link() as link,
    ):
        reply = await link.call("node.list", CLUSTER)
        body, request = await link._signed("node.list", CLUSTER, (), {})
        sizes = len(wire.encode(request)), len(wire.encode(reply))
        cipher = link._connection.get_extra_info("send_cipher")
        async with _plain(site.ada, *sizes, cipher) as plain:
            signed, bare = await _in_turns(lambda: link.call("node.list", CLUSTER), plain)
        signing = await _signing(link)
    workshop.notes.append(
        f"Signed request: {sizes[0]} bytes there, {sizes[1]} back ({NODES} nodes), cipher {cipher}; p95 "
        f"{percentile(signed, 95):.2f} ms, unsigned {percentile(bare, 95):.2f} ms. Of it the client's "
        f"signature, on its own, takes {signing:.2f} ms. The body is {len(body)} bytes."
    )
    return [
        at_most_times(
            "signed request, round trip (`node.list`)",
            median(signed),
            "ms",
            "unsigned asyncssh channel",
            median(bare),
            1.5,
        )
    ]


async def _in_turns(ours: Ask, theirs: Ask) -> tuple[list[float], list[float]]:
    kinds: tuple[tuple[Ask, list[float]], ...] = ((ours, []), (theirs, []))
    for number in range(ROUNDS + 1):
        for ask, times in kinds:
            for _ in range(EACH):
                begin = time.perf_counter()
                await ask()
                if number:  # the first round warms both up
                    times.append((time.perf_counter() - begin) * 1000)
    return kinds[0][1], kinds[1][1]


async def _signing(link: Link) -> float:
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        await link._signed("node.list", CLUSTER, (), {})
        times.append((time.perf_counter() - begin) * 1000)
    return median(times)


class _Answer(asyncssh.SSHClientSession[bytes]):
    def __init__(self, size: int) -> None:
        self._left = 4 + size
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._left -= len(data)
        if self._left <= 0 and not self.whole.done():
            self.whole.set_result(None)


@asynccontextmanager
async def _plain(person: Person, request_size: int, reply_size: int, cipher: str) -> AsyncIterator[Ask]:
    """The other server as a process, and what asks it once."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.plain_peer", str(person.public), str(reply_size - 4)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 20))
        frame = (request_size - 4).to_bytes(4, "big") + bytes(request_size - 4)
        async with asyncssh.connect(
            "127.0.0.1",
            port,
            config=None,
            known_hosts=None,
            username="ada",
            client_keys=[str(person.key)],
            agent_path=None,
            encryption_algs=[cipher],
            compression_algs=["none"],
            keepalive_interval=5,
        ) as connection:

            async def ask() -> None:
                answer = _Answer(reply_size - 4)
                channel, _ = await connection.create_session(
                    lambda: answer, subsystem=plain_peer.SUBSYSTEM, encoding=None
                )
                channel.write(frame)
                await answer.whole
                channel.close()

            yield ask
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 20)
