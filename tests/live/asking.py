"""A site that answers as a test tells it to, and a clock that stands until it is moved."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence

from pilot import wire
from pilot.live.notifier import Notifier
from pilot.records import Node, NodeState
from pilot.store import Store
from pilot.verbs import Value
from pilot.wire import Outcome

NOW = 1_800_000_000.0


class Tick:
    """A timer of the clock's."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.then = then
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Gives the time when called; `later` takes what is to be called as time goes by."""

    def __init__(self) -> None:
        self.now = NOW
        self._due: list[tuple[float, int, Tick]] = []
        self._count = itertools.count()

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, then: Callable[[], None]) -> Tick:
        tick = Tick(then)
        heapq.heappush(self._due, (self.now + seconds, next(self._count), tick))
        return tick

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, tick = heapq.heappop(self._due)
            if not tick.cancelled:
                tick.then()
        self.now = end


class Asked:
    """A request that waits for its answer."""

    def __init__(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str],
        args: Mapping[str, Value],
        progress: Callable[[wire.Progress], None],
    ) -> None:
        self.verb = verb
        self.cluster = cluster
        self.targets = tuple(targets)
        self.args = dict(args)
        self.progress = progress
        self.answer: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()

    def reply(self, *outcomes: Outcome, journal: int = 7) -> None:
        """Answer, with a receipt."""
        receipt = wire.encode_body(
            wire.ReceiptBody(1, "SHA256:x", "00" * 32, outcomes, journal, "ab" * 32, NOW)
        )
        self.answer.set_result(wire.Reply(outcomes, receipt=receipt))

    def done(self, state: NodeState, journal: int = 7) -> None:
        """All went well."""
        self.reply(
            *(Outcome(f"name of {t}", "done", t, state, seconds=0.5) for t in self.targets), journal=journal
        )


class Site:
    """As much of a live site as asking needs; `asked` holds what waits."""

    def __init__(self, *nodes: Node) -> None:
        self.store = Store()
        self.changed = Notifier()
        self.state = "live"
        self.hello: wire.Hello | None = wire.Hello(1, "s", "1", "SHA256:x", "", NOW, "ada@here", "k", (), ())
        self.asked: list[Asked] = []
        self.refused: set[tuple[str, str]] = set()
        self.store.apply(wire.Snapshot(1, nodes, True, True))

    def may(self, verb_id: str, cluster: str) -> bool:
        return (verb_id, cluster) not in self.refused

    async def call(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str],
        args: Mapping[str, Value],
        on_progress: Callable[[wire.Progress], None],
    ) -> wire.Reply:
        asked = Asked(verb, cluster, targets, args, on_progress)
        self.asked.append(asked)
        return await asked.answer

    def link(self, state: str) -> None:
        """The link is lost, or is back."""
        self.state = state
        self.changed.tell()

    def shows(self, *nodes: Node) -> None:
        """The inventory says so."""
        self.store.apply(wire.Delta(self.store.version + 1, nodes))


def node(number: int, state: NodeState = "on", cluster: str = "vc1") -> Node:
    return Node(
        f"{cluster:0>8}-0000-4000-8000-{number:012d}",
        f"compute-0-{number}",
        cluster,
        "h0",
        f"{cluster}-vm-{number}",
        state,
        NOW,
    )
