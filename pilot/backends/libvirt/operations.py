"""The frame of the acts on one host's nodes: one at a time on a node.

What is only sent to a guest may come between: who has asked it to shut down may well want to know why it
does not.

What has begun ends, even if who asked for it goes away: a node must not stay paused between its start and
its first instruction. Only the wait for a guest is given up: when its asker goes away, when airboss stops,
and when a verb comes that does not need the guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import libvirt

from pilot.backends.libvirt import acts, sending
from pilot.backends.libvirt.faults import is_code, is_lost, translate
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.install import InstallWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.libvirt.starts import LateStarts
from pilot.backends.provider import Acted
from pilot.errors import BackendError, BusyError, DeadlineError, PilotError, UnreachableError
from pilot.verbs import Value

T = TypeVar("T")
Starting = Callable[[str], Awaitable[None]]

_WAITING = ("power.shutdown", "power.reboot")
_IN_BETWEEN = ("power.off", "power.reset", "power.boot")
"""Verbs that need not wait for one of those before."""


class Turn:
    """An act that runs on a node."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.since = time.monotonic()
        self.given_up: asyncio.Future[PilotError] = asyncio.get_running_loop().create_future()
        """Set, to why, when its wait for a guest is to end."""
        self.task: asyncio.Task[Any]

    def give_up(self, why: PilotError) -> None:
        """End its wait for a guest; what else it does goes on."""
        if not self.given_up.done():
            self.given_up.set_result(why)


class Operations:
    """Acts on the nodes of one host."""

    def __init__(self, watch: HostWatch, lanes: Lanes, settings: Settings, starting: Starting) -> None:
        """`starting` is the sink's: it takes the console of a node that waits paused."""
        self.watch = watch
        self.settings = settings
        self.stopping = asyncio.Event()
        """Set when airboss stops: what is held for its console is let run."""
        self._lanes = lanes
        self._starting = starting
        self._turns: dict[str, Turn] = {}
        self._sends: set[str] = set()
        """Nodes that are being sent something."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._late = LateStarts(watch, self.resume_interrupted)
        self._installs = InstallWatch(watch, self._from_disk)

    def running(self, uuid: str) -> str:
        """The verb that runs on a node; empty if none does."""
        turn = self._turns.get(uuid)
        return "" if turn is None else turn.verb

    def given_up(self, uuid: str) -> asyncio.Future[PilotError]:
        """Set, to what is to be raised, when the act on a node is to wait for its guest no longer."""
        return self._turns[uuid].given_up

    async def act(
        self, uuid: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a verb; see Provider.act."""
        if send := sending.SENDS.get(verb):
            return await self._send(uuid, verb, lambda: send(self, uuid, args, progress))
        function = acts.ACTS.get(verb)
        if function is None:
            raise BackendError(f"{verb} is not something libvirt can do to {self.name(uuid)}")
        if verb == "power.pause":
            self._late.settled(uuid)
        turn, task = await self._begin(uuid, verb, lambda: function(self, uuid, args, progress))
        try:
            acted = await asyncio.shield(task)
        except asyncio.CancelledError:
            turn.give_up(
                DeadlineError(
                    f"{verb} of {self.name(uuid)} was given up by its asker",
                    "The guest may still do what its power button asked for.",
                )
            )
            # What cannot be given up ends first, so that who keeps the journal learns what came of it.
            await asyncio.wait([task])
            acted = task.result()
        self._late.settled(uuid)
        return acted

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
        """End what waits for guests; what starts a node has time to let it run."""
        self._installs.stop()
        self._late.stop()
        self.stopping.set()
        for turn in self._turns.values():
            turn.give_up(DeadlineError("airboss stops while the guest is given time to react"))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self.settings.stop - 0.5)
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
        back: Callable[[BaseException | None], None] | None = None,
    ) -> T:
        """Call on the node's virDomain.

        Args:
            uuid: the node.
            doing: what it does, the node's name to follow: "turning on".
            function: takes the virDomain, in a thread.
            deadline: in seconds.
            expect: codes of libvirt's errors that are raised as they are.
            back: told, on the loop, that the call came back, however late, and with which error.

        Raises:
            PilotError: all other errors.
        """
        doing = f"{doing} {self.name(uuid)}"
        loop = asyncio.get_running_loop()

        def run(raw: Any) -> T:
            error: BaseException | None = None
            try:
                return function(raw.lookupByUUIDString(uuid))
            except BaseException as failure:
                error = failure
                raise
            finally:
                if back is not None:
                    with contextlib.suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(back, error)
                error = None

        try:
            return await self._lanes.call(doing, run, deadline)
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

    async def start_paused(
        self,
        uuid: str,
        doing: str,
        function: Callable[[Any], object],
        progress: Callable[[str], None],
        expect: tuple[int, ...] = (),
    ) -> None:
        """Start a node that is held before its first instruction, then let it run; arguments as of `call`.

        A node that comes up after an error that leaves this open is let run then.
        """
        tried = back = late = False

        def start(domain: Any) -> None:
            nonlocal tried
            tried = True
            function(domain)

        def came_back(error: BaseException | None) -> None:
            nonlocal back
            back = True
            if late:
                unknown = error is not None and is_lost(error)
                self._late.came_back(uuid, None if unknown else error is None)

        try:
            with self.watch.holding(uuid):
                await self.call(uuid, doing, start, self.settings.start, expect, came_back)
                progress("taking its console")
                await self.release(uuid)
        except (DeadlineError, UnreachableError):
            late = True
            if tried:
                self._late.expect(uuid, back=back)
            raise

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

    async def _send(self, uuid: str, verb: str, function: Callable[[], Awaitable[Acted]]) -> Acted:
        """Send a node something, one thing at a time: each may hold a thread while its QEMU hangs."""
        self.watch.check_up(f"{verb} on {self.name(uuid)}")
        if uuid in self._sends:
            raise BusyError(f"{self.name(uuid)} is just being sent something", "Ask again in a moment.")
        self._sends.add(uuid)

        async def body() -> Acted:
            try:
                return await function()
            finally:
                self._sends.discard(uuid)

        task = asyncio.create_task(body())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # What came of it is told all the same: it takes moments, or its deadline.
            await asyncio.wait([task])
            return task.result()

    async def _alone(self, uuid: str, verb: str, function: Callable[[], Awaitable[T]]) -> T:
        _, task = await self._begin(uuid, verb, function)
        return await asyncio.shield(task)

    async def _begin(
        self, uuid: str, verb: str, function: Callable[[], Awaitable[T]]
    ) -> tuple[Turn, asyncio.Task[T]]:
        """Begin an act, once a wait for the guest that it makes void has ended.

        Raises:
            BusyError: another act runs on the node.
            UnreachableError: the host is not up.
        """
        self.watch.check_up(f"{verb} on {self.name(uuid)}")
        turn = self._turns.get(uuid)
        if turn is not None and turn.verb in _WAITING and verb in _IN_BETWEEN:
            turn.give_up(BackendError(f"{turn.verb} of {self.name(uuid)} failed: {verb} came in between"))
            await asyncio.wait([turn.task], timeout=self.settings.change)
            self.watch.check_up(f"{verb} on {self.name(uuid)}")
        if busy := self._turns.get(uuid):
            seconds = time.monotonic() - busy.since
            raise BusyError(
                f"{busy.verb} has been running on {self.name(uuid)} for {seconds:.0f} s",
                "Ask again when it has ended.",
            )
        turn = self._turns[uuid] = Turn(verb)

        async def body() -> T:
            try:
                return await function()
            finally:
                del self._turns[uuid]

        task = turn.task = asyncio.create_task(body())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return turn, task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # told to who asked, if they are still there
