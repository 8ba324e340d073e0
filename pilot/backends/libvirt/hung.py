"""Finding the QEMU that does not answer.

virDomainGetControlInfo tells, without QEMU's help, for how long a call has been waiting for a monitor,
but only while some call does. So each running domain is asked one small question now and then, on lanes
of their own. Many are asked in one call, which libvirt answers when all of them have: a call that takes too
long is waiting for one that hangs. That one is found, the others are asked anew, and the call is left to
wait for it: it holds one thread. libvirt's NOWAIT sees to it that a domain somebody else is working on is
not waited for.

The question is one whose answer is of use: how large its disks are, and how much memory it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import libvirt
import msgspec

from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.faults import is_lost
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.errors import BackendError, PilotError

TICK = 0.2
"""Part of the time between two questions to a QEMU: those that are due within it are asked together."""
TOGETHER = 32
"""QEMUs asked in one call at most."""
REPEAT = 0.8
"""Between two looks at a domain that does not answer."""
SEARCH = 0.2
"""Between two searches for the domain that a call waits for."""
SEARCH_SECONDS = 2.0
"""A search that takes longer is at a domain that libvirtd keeps locked."""
OUTSTANDING = 8
"""Calls that wait for a QEMU that hangs, on one host at most; one beyond is named when somebody asks it."""
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


def ask(connection: Connection, uuids: Sequence[str], hung_after: float) -> dict[str, Answer]:
    """Ask the QEMUs of domains something; blocks until all have answered. Those that are off are left out."""
    domains = []
    for uuid in uuids:
        with _unless_lost():
            domains.append(connection.domain(uuid))
    answers: dict[str, Answer] = {}
    try:
        return _ask(connection.raw, domains, hung_after)
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise
    for domain in domains:  # the trouble of one is not that of all
        with _unless_lost():
            answers |= _ask(connection.raw, [domain], hung_after)
    return answers


def _ask(raw: Any, domains: list[Any], hung_after: float) -> dict[str, Answer]:
    found: list[tuple[Any, dict[str, Any]]] = raw.domainListGetStats(
        domains,
        libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_BALLOON,
        libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT,
    )
    return (
        {domain.UUIDString(): _answer(domain, stats, hung_after) for domain, stats in found} if found else {}
    )


def _answer(domain: Any, stats: dict[str, Any], hung_after: float) -> Answer:
    memory: int = stats.get("balloon.rss", 0)
    # Only who was asked tells it. Who was not is being worked on, or is one of another driver or version.
    if not memory and (waiting := _waiting(domain, hung_after)):
        return Answer(waiting)
    sizes = {
        stats.get(f"block.{n}.name", ""): stats.get(f"block.{n}.capacity", 0) // 1024
        for n in range(stats.get("block.count", 0))
    }
    return Answer(None, sizes, memory)


class Search:
    """Looks for the domain that a call waits for. Goes on in a lane's thread, read on the loop."""

    def __init__(self, uuids: Sequence[str], hung_after: float) -> None:
        self.at = ""
        """The domain that is being looked at."""
        self._uuids = uuids
        self._hung_after = hung_after

    def look(self, connection: Connection) -> tuple[str, int] | None:
        """It, and for how many milliseconds a call has been waiting for it; None if none is waited for."""
        for uuid in self._uuids:
            self.at = uuid
            with _unless_lost():
                if waiting := _waiting(connection.domain(uuid), self._hung_after):
                    return uuid, waiting
        return None


@contextlib.contextmanager
def _unless_lost() -> Iterator[None]:
    """What fails is passed over: the domain has ended. A connection that is lost is not."""
    try:
        yield
    except libvirt.libvirtError as error:
        if is_lost(error):
            raise


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
        self._questions: dict[asyncio.Task[None], Question] = {}

    async def run(self) -> None:
        """Ask until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(self._settings.probe * TICK)
                if self._watch.record.state == "up" and self._watch.kind == "QEMU":
                    self._round(loop.time())
        finally:
            for task in self._questions:
                task.cancel()

    def _round(self, now: float) -> None:
        running = self._watch.domains.running()
        interval = max(self._settings.probe, len(running) / self._settings.probe_rate)
        asked = {uuid for question in self._questions.values() for uuid in question.uuids}
        due, ready = dict[str, float](), list[str]()
        for uuid in running:
            # A first question comes soon, but not to all at once.
            due[uuid] = when = self._due.get(uuid, now + self._rng() * interval)
            if when <= now and uuid not in asked and not self._ending(uuid):
                ready.append(uuid)
        self._due = due
        ready.sort(key=due.__getitem__)
        # One call at a time, and one more for each that is held: so others that hang too are found soon.
        held = sum(question.held for question in self._questions.values())
        room = min(1 + 2 * held, OUTSTANDING) - len(self._questions)
        for left in range(room, 0, -1):
            some = ready[: min(TOGETHER, -(-len(ready) // left))]
            if some:
                del ready[: len(some)]
                self._begin(some)
                due.update((uuid, now + interval * (0.8 + self._rng() * 0.2)) for uuid in some)

    def _begin(self, uuids: list[str]) -> None:
        question = Question(uuids)
        task = asyncio.create_task(self._see_through(question))
        self._questions[task] = question
        task.add_done_callback(self._questions.pop)

    async def _see_through(self, question: Question) -> None:
        answers: dict[str, Answer] = {}
        try:
            with contextlib.suppress(PilotError, libvirt.libvirtError):
                answers = await self._answers(question)
        finally:
            for uuid in question.uuids:
                answer = answers.get(uuid)
                if answer is None or answer.waiting is None:
                    self._watch.hung(uuid, None)
                    if answer is not None:
                        self._answered(uuid, answer)
                    continue
                # Somebody else waits for it: look again, without a question of our own in the way.
                self._note(uuid, answer.waiting)
                self._due[uuid] = asyncio.get_running_loop().time() + REPEAT

    async def _answers(self, question: Question) -> dict[str, Answer]:
        """What they answer; as long as they do not, it is told which one does not."""
        after, uuids = self._settings.hung_after, tuple(question.uuids)
        asking = asyncio.ensure_future(
            self._lanes.call_on("asking QEMUs", lambda connection: ask(connection, uuids, after), NEVER)
        )
        pause = SEARCH
        try:
            done, _ = await asyncio.wait((asking,), timeout=after)
            while not done:
                with contextlib.suppress(PilotError, libvirt.libvirtError):
                    await self._search(question, asking)
                pause = REPEAT if question.held else min(2 * pause, REPEAT)
                done, _ = await asyncio.wait((asking,), timeout=pause)
        finally:
            asking.cancel()
        return asking.result()

    async def _search(self, question: Question, asking: asyncio.Future[Any]) -> None:
        """Look which domain the call waits for, and leave the others to other calls."""
        if self._watch.lanes is None or not question.uuids:
            return
        search = Search(tuple(question.uuids), self._settings.hung_after)
        looking = asyncio.ensure_future(
            self._watch.lanes.call_on("looking at QEMUs", search.look, CONTROL_DEADLINE)
        )
        try:
            await asyncio.wait((looking, asking), timeout=SEARCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if search.at and not (looking.done() or asking.done()):
                self._hold(question, search.at)
                await asyncio.wait((looking, asking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            looking.cancel()
        if asking.done() or looking.cancelled():
            return
        if (found := looking.result()) is not None:
            self._hold(question, found[0])
            self._note(*found)
        elif question.held:
            # It has answered. What the call waits for now is one that another call has been made for.
            self._watch.hung(question.uuids.pop(), None)

    def _hold(self, question: Question, uuid: str) -> None:
        """The call waits for this domain; the others are asked anew, at once."""
        now = asyncio.get_running_loop().time()
        self._due.update((other, now) for other in question.uuids if other != uuid)
        question.uuids = [uuid]
        question.held = True

    def _note(self, uuid: str, milliseconds: int) -> None:
        if not self._ending(uuid):
            self._watch.hung(uuid, milliseconds)


class Question:
    """A call that asks the QEMUs of some domains."""

    def __init__(self, uuids: list[str]) -> None:
        self.uuids = uuids
        """Those whose answers it brings: all, until one hangs; then that one only."""
        self.held = False
        """Whether it waits for that one."""
