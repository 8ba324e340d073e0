"""Finding the QEMU that does not answer.

virDomainGetControlInfo tells, without QEMU's help, for how long a call has been waiting for a monitor,
but only while some call does. So each running domain is asked one small question now and then, on lanes
of their own: a question that stays unanswered holds one thread, and no domain is asked a second one
meanwhile. libvirt's NOWAIT sees to it that a domain somebody else is working on is not waited for.

The question is one whose answer is of use: how large its disks are, and how much memory it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import libvirt
import msgspec

from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.errors import BackendError, PilotError

TICK = 0.25
REPEAT = 0.8
"""Between two looks at a domain that does not answer."""
OUTSTANDING = 8
"""Questions without an answer on one host at most; a hung VM beyond is named when somebody asks it."""
CONTROL_DEADLINE = 15.0
"""Longer than libvirt holds a domain's lock while it ends a hung QEMU (11.6 s)."""
NEVER = 1e9


class Answer(msgspec.Struct, frozen=True):
    """What a question to a QEMU has brought."""

    waiting: int | None = None
    """Milliseconds that another call has been waiting for it, which is why it was not asked."""
    sizes: dict[str, int] = {}
    """KiB of its disks, by their names in the domain."""
    memory: int = 0
    """KiB of the host's memory that it takes; 0 if it did not say."""


def ask(raw: Any, uuid: str, hung_after: float) -> Answer:
    """Ask a domain's QEMU something; blocks for as long as it does not answer."""
    domain = raw.lookupByUUIDString(uuid)
    if waiting := _waiting(domain, hung_after):
        return Answer(waiting)
    found = raw.domainListGetStats(
        [domain],
        libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_BALLOON,
        libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
    )
    stats: dict[str, Any] = found[0][1] if found else {}
    sizes = {
        stats.get(f"block.{n}.name", ""): stats.get(f"block.{n}.capacity", 0) // 1024
        for n in range(stats.get("block.count", 0))
    }
    return Answer(None, sizes, stats.get("balloon.rss", 0))


def control(raw: Any, uuid: str, hung_after: float) -> int | None:
    """For how many milliseconds a call has been waiting for a domain's QEMU, if for too long."""
    return _waiting(raw.lookupByUUIDString(uuid), hung_after)


def refuse_waiting(domain: Any, doing: str, hung_after: float) -> None:
    """Refuse to ask a QEMU that another call has been waiting for, before it is known as hung; see ask."""
    if waiting := _waiting(domain, hung_after):
        raise BackendError(
            f"{doing} failed: its QEMU has not answered for {waiting / 1000:.0f} s",
            "`power.off` ends a hung QEMU; that takes about 12 s.",
        )


def _waiting(domain: Any, hung_after: float) -> int | None:
    state, _details, milliseconds = domain.controlInfo()
    if state == libvirt.VIR_DOMAIN_CONTROL_OCCUPIED and milliseconds >= hung_after * 1000:
        return int(milliseconds)
    return None


class HungWatch:
    """Asks the domains of one host, and notes in its watch which do not answer."""

    def __init__(
        self,
        watch: HostWatch,
        lanes: Lanes,
        settings: Settings,
        rng: Callable[[], float],
        ending: Callable[[str], bool],
        answered: Callable[[str, Answer], None] = lambda _uuid, _answer: None,
    ) -> None:
        """`ending` tells whether we are ending a domain's QEMU ourselves; `answered` is told of answers."""
        self._watch = watch
        self._lanes = lanes
        self._settings = settings
        self._rng = rng
        self._ending = ending
        self._answered = answered
        self._due: dict[str, float] = {}
        self._out: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(TICK)
                if self._watch.record.state == "up" and self._watch.kind == "QEMU":
                    self._round(loop.time())
        finally:
            for task in self._out.values():
                task.cancel()

    def _round(self, now: float) -> None:
        running = self._watch.domains.running()
        interval = max(self._settings.probe, len(running) / self._settings.probe_rate)
        due = {}
        for uuid in running:
            # A first question comes soon, but not to all at once.
            when = self._due.get(uuid, now + self._rng() * interval)
            if when <= now and len(self._out) < OUTSTANDING and uuid not in self._out:
                if not self._ending(uuid):
                    self._out[uuid] = asyncio.create_task(self._one(uuid))
                when = now + interval * (0.8 + self._rng() * 0.2)
            due[uuid] = when
        self._due = due

    async def _one(self, uuid: str) -> None:
        try:
            with contextlib.suppress(PilotError, libvirt.libvirtError):
                await self._until_answered(uuid)
        finally:
            self._watch.hung(uuid, None)
            self._out.pop(uuid, None)

    async def _until_answered(self, uuid: str) -> None:
        after = self._settings.hung_after
        while True:
            answer = asyncio.ensure_future(
                self._lanes.call("asking a QEMU", lambda raw: ask(raw, uuid, after), NEVER)
            )
            try:
                done, _ = await asyncio.wait((answer,), timeout=after)
                while not done:
                    if self._watch.lanes is not None and not self._ending(uuid):
                        self._note(uuid, await self._watch.lanes.call(
                            "looking at a QEMU", lambda raw: control(raw, uuid, after), CONTROL_DEADLINE
                        ))  # fmt: skip
                    done, _ = await asyncio.wait((answer,), timeout=REPEAT)
            finally:
                answer.cancel()
            if answer.result().waiting is None:
                self._answered(uuid, answer.result())
                return
            # Somebody else waits for it: look again, without a question of our own in the way.
            self._note(uuid, answer.result().waiting)
            await asyncio.sleep(REPEAT)

    def _note(self, uuid: str, milliseconds: int | None) -> None:
        if milliseconds is not None:
            self._watch.hung(uuid, milliseconds)
