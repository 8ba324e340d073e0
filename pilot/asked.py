"""One verb that was asked for in this app: of whom, how far it is, and how it ended for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pilot import wire
from pilot.errors import PilotError
from pilot.records import Host, Node, NodeState
from pilot.verbs import Value, Verb
from pilot.wire import Fault, Outcome, Result

ActivityState = Literal["held", "asked", "done", "withdrawn"]
"""Held back for a while; sent, and not all is answered; all is answered; never sent."""

_LONGEST_TARGETS = wire.MAX_CLIENT_FRAME - 16 * 1024
"""Bytes of targets in one request; the rest of a frame is for its other fields and the signature."""


@dataclass(slots=True, eq=False)
class Target:
    """A node that a verb was asked of. Its id goes to airboss: a name may be another node's by then."""

    id: str
    name: str
    cluster: str
    before: NodeState
    """Its state when the verb was asked."""
    text: str = ""
    """What airboss last said of it while the verb was under way."""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where airboss's signed word on a request stands in the journal."""

    journal_id: int
    head: str
    """Hash of that journal record, hex."""
    time: float


@dataclass(slots=True, eq=False)
class Request:
    """One signed request: a verb on nodes of one cluster, no more of them than a request takes."""

    cluster: str
    targets: tuple[Target, ...]
    receipt: Receipt | None = None
    error: PilotError | None = None
    """Why the request as a whole came to nothing, or why its answer is not known."""
    answered: bool = False
    """airboss has replied. Without a receipt then, its disk has not taken the outcome."""
    by_id: dict[str, Target] = field(init=False)
    _by_name: dict[str, Target] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {target.id: target for target in self.targets}
        self._by_name = {target.name: target for target in self.targets}

    def end(self, result: Result, fault: Fault | None = None) -> None:
        """End the targets that have no outcome yet, all alike."""
        for target in self.targets:
            if target.outcome is None:
                target.outcome = Outcome(target.name, result, fault=fault)

    def progress(self, frame: wire.Progress) -> None:
        """Take what airboss says of a target while the verb is under way."""
        if frame.outcome is not None:
            self.outcome(frame.outcome)
            return
        target = self._by_name.get(frame.target)
        if target is not None and target.outcome is None:
            target.text = frame.text

    def outcome(self, outcome: Outcome) -> None:
        """Take how it ended for a target."""
        # A node that is no longer one of the cluster is answered as it was asked for: by its id.
        # A host is asked for by its name, and answered with its id.
        target = self.by_id.get(outcome.node) or self.by_id.get(outcome.target)
        if target is not None:
            target.outcome = _named(outcome, target)


def _named(outcome: Outcome, target: Target) -> Outcome:
    if outcome.target != target.id:
        return outcome
    fault = outcome.fault
    if fault is not None:
        fault = Fault(fault.code, fault.message.replace(target.id, target.name), fault.hint)
    return Outcome(
        target.name, outcome.result, outcome.node, outcome.state, outcome.note, fault, outcome.seconds
    )


@dataclass(slots=True, eq=False)
class Activity:
    """A verb on nodes, as one person asked it; as many requests as clusters and limits make of it."""

    id: int
    verb: Verb
    args: Mapping[str, Value]
    who: str
    """The principal who asked; empty if airboss has not said who we are."""
    requests: tuple[Request, ...]
    asked_at: float
    state: ActivityState = "asked"
    held_until: float = 0.0
    """When it is sent, while it is held."""
    ended_at: float | None = None
    note: str = ""
    """Why it was not sent, or that it has been undone."""
    undoes: int = 0
    """Id of the activity that this one takes back; 0 if it takes none back."""
    undone: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """All nodes it was asked of."""
        return tuple(target for request in self.requests for target in request.targets)

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters of these nodes."""
        return tuple(dict.fromkeys(request.cluster for request in self.requests))

    @property
    def open(self) -> bool:
        """Whether it is held or under way."""
        return self.state in ("held", "asked")

    def counts(self) -> Counter[Result]:
        """How many targets ended how; those that have not ended are in none."""
        return Counter(t.outcome.result for t in self.targets if t.outcome is not None)

    def took(self, now: float) -> float:
        """Seconds from asking to the end, or until now."""
        return max(0.0, (self.ended_at if self.ended_at is not None else now) - self.asked_at)


def requests(nodes: Iterable[Node | Host]) -> tuple[Request, ...]:
    """Spread nodes over requests: one cluster in each, none for hosts, no more than airboss reads in one."""
    groups: dict[str, list[list[Target]]] = {}
    hosts: list[Target] = []
    sizes: dict[str, int] = {}
    for node in {node.id: node for node in nodes}.values():
        if isinstance(node, Host):
            hosts.append(Target(node.name, node.name, "", "unknown"))
            continue
        parts = groups.setdefault(node.cluster, [])
        # As it stands in the JSON of the request: in quotes, with a comma.
        size = len(node.id.encode()) + 3
        full = not parts or len(parts[-1]) >= wire.MAX_TARGETS
        if full or sizes[node.cluster] + size > _LONGEST_TARGETS:
            parts.append([])
            sizes[node.cluster] = 0
        sizes[node.cluster] += size
        parts[-1].append(Target(node.id, node.name or node.domain, node.cluster, node.state))
    found = [Request(cluster, tuple(part)) for cluster, parts in groups.items() for part in parts]
    for start in range(0, len(hosts), wire.MAX_TARGETS):
        found.append(Request("", tuple(hosts[start : start + wire.MAX_TARGETS])))
    return tuple(found)
