"""The frame of the acts on one host's nodes: one at a time on a node, each to its end.

An act that has begun ends, even if who asked for it goes away: a node must not stay paused between its
start and its first instruction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import libvirt

from pilot.backends.libvirt import acts
from pilot.backends.libvirt.faults import is_code, translate
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.install import InstallWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.provider import Acted
from pilot.errors import BackendError, BusyError
from pilot.verbs import Value

T = TypeVar("T")
Starting = Callable[[str], Awaitable[None]]


class Operations:
    """Acts on the nodes of one host."""

    def __init__(self, watch: HostWatch, lanes: Lanes, settings: Settings, starting: Starting) -> None:
        """`starting` is the sink's: it takes the console of a node that waits paused."""
        self.watch = watch
        self.settings = settings
        self.stopping = asyncio.Event()
        """Set when airboss stops: what waits for a guest ends."""
        self._lanes = lanes
        self._starting = starting
        self._running: dict[str, tuple[str, float]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._installs = InstallWatch(watch, self._from_disk)

    def running(self, uuid: str) -> str:
        """The verb that runs on a node; empty if none does."""
        return self._running.get(uuid, ("", 0.0))[0]

    async def act(
        self, uuid: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a power verb; see Provider.act."""
        function = acts.ACTS.get(verb)
        if function is None:
            raise BackendError(f"{verb} is not something libvirt can do to {self.name(uuid)}")
        return await self._alone(uuid, verb, lambda: function(self, uuid, args, progress))

    async def resume_interrupted(self, uuid: str) -> bool:
        """Let a node run that was left paused before its first instruction; whether it was.

        For an airboss that finds its own open intent to start the node: libvirt does not tell such a
        pause from one that a person asked for, the intent does.
        """

        async def resume() -> bool:
            if await self.state(uuid) != libvirt.VIR_DOMAIN_PAUSED:
                return False
            await self.release(uuid)
            return True

        return await self._alone(uuid, "power.on", resume)

    async def stop(self) -> None:
        """End what waits for guests; what holds a node paused lets it run first."""
        self._installs.stop()
        self.stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.settings.stop / 2)
            for task in late:
                task.cancel()

    # --- what acts are made of ------------------------------------------------------------------

    def name(self, uuid: str) -> str:
        """What the node is called, for messages."""
        return self.watch.domains.node(uuid).name if uuid in self.watch.domains else uuid

    async def call(
        self,
        uuid: str,
        doing: str,
        function: Callable[[Any], T],
        deadline: float,
        expect: tuple[int, ...] = (),
    ) -> T:
        """Call on the node's virDomain.

        Args:
            uuid: the node.
            doing: what it does, the node's name to follow: "turning on".
            function: takes the virDomain, in a thread.
            deadline: in seconds.
            expect: codes of libvirt's errors that are raised as they are.

        Raises:
            PilotError: all other errors.
        """
        doing = f"{doing} {self.name(uuid)}"
        try:
            return await self._lanes.call(doing, lambda raw: function(raw.lookupByUUIDString(uuid)), deadline)
        except libvirt.libvirtError as error:
            if is_code(error, *expect):
                raise
            raise translate(error, doing, self.watch.address.name) from None

    async def state(self, uuid: str) -> int:
        """libvirt's state of the node (VIR_DOMAIN_…), read now."""
        return await self.call(
            uuid, "reading the state of", lambda domain: int(domain.state()[0]), self.settings.query
        )

    def answering(self, uuid: str, doing: str) -> None:
        """Refuse what needs a QEMU that answers, if it is known not to."""
        entry = self.watch.domains.get(uuid)
        if entry is not None and entry.hung_ms is not None:
            raise BackendError(
                f"{doing} {self.name(uuid)} failed: its QEMU has not answered for "
                f"{entry.hung_ms / 1000:.0f} s",
                "`power.off` ends a hung QEMU; that takes about 12 s.",
            )

    async def release(self, uuid: str) -> None:
        """Let the sink take the console of a node that waits for its first instruction, then let it run."""
        held = asyncio.ensure_future(self._starting(uuid))
        stop = asyncio.create_task(self.stopping.wait())
        await asyncio.wait((held, stop), timeout=self.settings.hold, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not held.done():
            held.cancel()
        elif not held.cancelled():
            held.exception()  # the node runs, held or not
        await self.call(uuid, "starting", lambda domain: domain.resume(), self.settings.change)

    async def _from_disk(self, uuid: str) -> None:
        await self._alone(uuid, "power.install", lambda: acts.on(self, uuid, {}, lambda _text: None))

    async def _alone(self, uuid: str, verb: str, function: Callable[[], Awaitable[T]]) -> T:
        self.watch.check_up(f"{verb} on {self.name(uuid)}")
        if busy := self._running.get(uuid):
            raise BusyError(
                f"{busy[0]} has been running on {self.name(uuid)} for {time.monotonic() - busy[1]:.0f} s",
                "Ask again when it has ended.",
            )
        self._running[uuid] = (verb, time.monotonic())

        async def body() -> T:
            try:
                return await function()
            finally:
                del self._running[uuid]

        task = asyncio.create_task(body())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to who asked, if they are still there
