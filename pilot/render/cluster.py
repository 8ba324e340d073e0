"""One cluster whole, a line for each part: frontend, local nodes, instances, slots, what needs attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pilot.attention import Concern
from pilot.records import AnyRecord, Cluster, Instance, Machine, Node
from pilot.render import instance_cells, machine_cells
from pilot.render.nodes import state_cell
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import memory

_FRONTEND = "frontend"


class Part(msgspec.Struct, frozen=True):
    """A line about one part of one cluster."""

    cluster: str
    name: str
    said: Cell
    more: Cell = Cell("")
    area: str = ""
    """Where more of it is: the app's mode."""
    filter: str = ""
    """What narrows that area to it."""
    line: str = ""
    """Or its line there."""

    @property
    def key(self) -> str:
        """Unique among all."""
        return f"{self.cluster}/{self.name}"


def parts(name: str, records: Mapping[str, AnyRecord], concerns: Iterable[Concern], now: float) -> list[Part]:
    """The lines of a cluster; an empty name: of what belongs to none."""
    mine = [record for record in records.values() if getattr(record, "cluster", None) == name]
    nodes = [record for record in mine if isinstance(record, Node)]
    local = [node for node in nodes if node.provider == "libvirt"]
    exactly = f"cluster={name}" if name else "cluster="
    found = [_head(name, records.get(f"cluster:{name}"))]
    found += [_frontend(name, node, now) for node in local if _is_frontend(node)]
    found.append(_local(name, [node for node in local if not _is_frontend(node)], exactly))
    if instances := [record for record in mine if isinstance(record, Instance)]:
        found.append(_instances(name, instances, exactly, now))
    if machines := [record for record in mine if isinstance(record, Machine)]:
        found.append(_machines(name, machines, exactly))
    found.append(_health(name, [one for one in concerns if _cluster_of(one, records) == name], exactly))
    return found


def _head(name: str, record: AnyRecord | None) -> Part:
    facts = []
    if isinstance(record, Cluster):
        facts = [
            f"VLAN {record.vlan}" if record.vlan is not None else "",
            "protected" if record.protected else "",
        ]
    said = Cell(" · ".join(fact for fact in facts if fact), "dim")
    return Part(name, "", said, area="nodes", filter=f"cluster={name}")


def _many(count: float, what: str) -> str:
    return f"{count:.10g} {what}{'' if count == 1 else 's'}"


def _is_frontend(node: Node) -> bool:
    return _FRONTEND in (node.appliance.lower(), node.name.lower())


def _frontend(name: str, node: Node, now: float) -> Part:
    return Part(name, _FRONTEND, state_cell(node, now), Cell(f"on {node.host}", "dim"), "nodes", line=node.id)


def _local(name: str, nodes: Sequence[Node], exactly: str) -> Part:
    hosts = {node.host for node in nodes}
    on = [node for node in nodes if node.state == "on"]
    processors = _many(sum(node.vcpus for node in on), "processor")
    given = f"{processors} and {memory(sum(node.memory for node in on))} in use"
    more = f"on {_many(len(hosts), 'host')}, {given}" if nodes else ""
    return Part(name, "nodes", _counted(_states(nodes)), Cell(more, "dim"), "nodes", exactly)


def _states(nodes: Iterable[Node]) -> Counter[str]:
    return Counter(
        "unknown" if node.stale_since is not None else "hung" if node.hung_ms is not None else node.state
        for node in nodes
    )


def _instances(name: str, instances: Sequence[Instance], exactly: str, now: float) -> Part:
    price = sum(one.price.hour for one in instances if one.price is not None and one.state == "running")
    spent = sum(instance_cells.cost(one, now) or 0 for one in instances)
    regions = ", ".join(sorted({one.region for one in instances}))
    more = f"in {regions}" + (f", {price:.2f} $/h, ~{spent:.2f} $ since they were started" if price else "")
    said = _counted(Counter(one.state for one in instances))
    return Part(name, "instances", said, Cell(more, "dim"), "instances", exactly)


def _machines(name: str, machines: Sequence[Machine], exactly: str) -> Part:
    busy = sum(len(machine_cells.busy(machine)) for machine in machines)
    free = sum(machine.free_cpus for machine in machines)
    draining = sum(machine.draining for machine in machines)
    said = Cell(f"● {busy} busy" if busy else "○ none busy", "good" if busy else "dim")
    more = f"{_many(len(machines), 'machine')}, {_many(free, 'processor')} free"
    if draining:
        more += f", {draining} draining"
    return Part(name, "slots", said, Cell(more, "dim"), "slots", exactly)


def _health(name: str, concerns: Sequence[Concern], exactly: str) -> Part:
    if not concerns:
        return Part(
            name, "health", Cell("● nothing needs attention", "good"), area="overview", filter=exactly
        )
    worst = concerns[0]
    tone: Tone = "bad" if worst.level == 0 else "busy"
    kinds = Counter(one.kind for one in concerns)
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return Part(name, "health", Cell(f"▲ {said}", tone), Cell(worst.words, "dim"), "overview", exactly)


def _cluster_of(concern: Concern, records: Mapping[str, AnyRecord]) -> str | None:
    return getattr(records.get(concern.about), "cluster", None)


_GOOD = {"on", "running"}
_BAD = {"hung", "crashed", "unknown"}


def _counted(states: Counter[str]) -> Cell:
    if not states:
        return Cell("none", "dim")
    said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    if bad := _BAD & states.keys():
        return Cell(f"▲ {said}", "bad" if bad else "")
    on = _GOOD & states.keys()
    return Cell(f"{'●' if on else '○'} {said}", "good" if on else "dim")
