"""A provider whose consoles are real sockets: the far end prints as fast as it is read, and can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping

from pilot.backends.provider import Acted, Screen, Sink
from pilot.errors import BackendError, UnreachableError
from pilot.records import Node, NodeState
from pilot.verbs import Value

STEP = 8 * 1024
"""Bytes told at once, as the libvirt provider does."""


class Machine:
    """A serial line: its far end is a socket while the machine is on."""

    def __init__(self) -> None:
        self.held = False
        self.reachable = True
        self.guest: socket.socket | None = None
        self.near: socket.socket | None = None
        self.opened = 0

    def power_on(self) -> None:
        """Nothing is printed yet."""
        self.near, self.guest = socket.socketpair()
        self.near.setblocking(False)
        self.guest.setblocking(False)

    def power_off(self) -> None:
        """What was printed can still be read; then the line ends."""
        assert self.guest is not None
        self.guest.close()
        self.guest = None

    async def print(self, data: bytes) -> None:
        """The guest prints; waits while nobody reads."""
        assert self.guest is not None
        await asyncio.get_running_loop().sock_sendall(self.guest, data)

    async def typed(self, size: int) -> bytes:
        """So many bytes of what was typed at it."""
        assert self.guest is not None
        out = b""
        async with asyncio.timeout(10):
            while len(out) < size:
                out += await asyncio.get_running_loop().sock_recv(self.guest, size - len(out))
        return out

    def close(self) -> None:
        for end in (self.guest, self.near):
            if end is not None:
                end.close()


class _Held:
    def __init__(
        self, machine: Machine, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> None:
        assert machine.near is not None
        self._machine, self._near, self._output, self._lost = machine, machine.near, output, lost
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._near, self._read)

    def _read(self) -> None:
        data = self._near.recv(STEP)
        if data:
            self._output(data)
        else:
            self._let_go()
            self._lost("the line ended")

    def _let_go(self) -> None:
        if self._near.fileno() >= 0:
            self._loop.remove_reader(self._near)
            self._near.close()
            self._machine.held = False

    async def write(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._near, data)
        except OSError as error:
            raise BackendError(f"the console is lost: {error.strerror}") from None

    async def close(self) -> None:
        self._let_go()


class Lines:
    """Machines by id, behind the provider protocol."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}

    def __getitem__(self, node_id: str) -> Machine:
        return self.machines.setdefault(node_id, Machine())

    async def start(self, sink: Sink) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        for machine in self.machines.values():
            machine.close()

    def owns(self, node_id: str) -> bool:
        return node_id in self.machines

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        raise NotImplementedError

    async def open_screen(self, node_id: str) -> Screen:
        raise NotImplementedError

    async def open_console(
        self, node_id: str, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> _Held:
        await asyncio.sleep(0)
        machine = self[node_id]
        machine.opened += 1
        if not machine.reachable:
            raise UnreachableError("the host does not answer")
        if machine.guest is None:
            raise BackendError("the domain is not running")
        if machine.held:
            raise BackendError("virsh console of root holds it")
        machine.held = True
        return _Held(machine, output, lost)


def node(state: NodeState, node_id: str = "a", *, stale: bool = False, serial: bool = True) -> Node:
    """A record of a node called compute-ID."""
    return Node(
        node_id,
        name=f"compute-{node_id}",
        cluster="vc1",
        host="host:h",
        domain="d",
        state=state,
        since=0.0,
        stale_since=1.0 if stale else None,
        serial=serial,
    )


@contextlib.contextmanager
def longest_stall(every: float = 0.002) -> Iterator[list[float]]:
    """Measures for how long the event loop was kept from its turns at most: the list's only item.

    In seconds of its thread's processor time: what other processes take meanwhile is not its fault.
    """
    worst = [0.0]

    async def tick() -> None:
        while True:
            begun = time.thread_time()
            await asyncio.sleep(every)
            worst[0] = max(worst[0], time.thread_time() - begun)

    task = asyncio.create_task(tick())
    try:
        yield worst
    finally:
        task.cancel()
