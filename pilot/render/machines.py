"""HTCondor pools for a plain terminal: machines with their slots, and who waits for some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from pilot.records import AnyRecord, Machine, Node, Queue, Slot, Source
from pilot.render import machine_cells as cells
from pilot.render import source_cells
from pilot.render.natural import natural_key
from pilot.render.palette import paint
from pilot.render.table import Cell, Column, table
from pilot.render.times import ago
from pilot.render.tree_cells import outlined
from pilot.wire import plain

_COLUMNS = (
    Column("POOL, MACHINE, SLOT"), Column("STATE"), Column("FOR", right=True), Column("JOB"),
    Column("CPUS", right=True), Column("MEM", right=True), Column("LOAD", right=True), Column("NODE"),
    Column(""),
)  # fmt: skip


class Pools:
    """Records of pools, sorted."""

    def __init__(self, records: Iterable[AnyRecord], only: Sequence[str] = ()) -> None:
        """`only`: names of pools, machines or their nodes, or globs; all if none is named."""
        everything = list(records)
        self.nodes: Mapping[str, Node] = {r.id: r for r in everything if isinstance(r, Node)}
        self.sources = {
            r.name: r for r in everything if isinstance(r, Source) and r.type in ("condor", "file")
        }
        found = [r for r in everything if isinstance(r, Machine)]
        self.known = bool(found or self.sources)
        machines = [m for m in found if not only or self._meant(m, only)]
        self.machines: dict[str, list[Machine]] = {}
        for machine in sorted(machines, key=lambda m: (natural_key(m.pool), natural_key(m.name))):
            self.machines.setdefault(machine.pool, []).append(machine)
        queues = [r for r in everything if isinstance(r, Queue)]
        self.queues = sorted(queues, key=lambda q: (natural_key(q.pool), q.schedd, natural_key(q.owner)))
        names = {*self.machines} if only else {*self.machines, *self.sources}
        if only:
            names |= {name for name in self.sources if any(fnmatchcase(name, glob) for glob in only)}
            self.queues = [queue for queue in self.queues if queue.pool in names]
        self.names = sorted(names, key=natural_key)

    def node_of(self, machine: Machine) -> str:
        """What the node is called that a machine is; empty if it is none that is seen."""
        node = self.nodes.get(machine.node)
        return node.name or node.domain if node is not None else ""

    def _meant(self, machine: Machine, only: Sequence[str]) -> bool:
        names = (machine.pool, machine.name, machine.name.partition(".")[0], self.node_of(machine))
        return any(fnmatchcase(name, glob) for glob in only for name in names if name)


def pool_lines(pools: Pools, now: float, colour: bool) -> list[str]:
    """The tree of pools, who waits for slots, and why a pool is silent."""
    rows = []
    for name in pools.names:
        machines, source = pools.machines.get(name, []), pools.sources.get(name)
        rows.append(_pool(name, source, machines, pools, now))
        for machine in machines:
            rows.append(_machine(machine, pools, now))
            rows += [_slot(slot, now) for slot in machine.slots]
    said = []
    for name in pools.names:
        source = pools.sources.get(name)
        if source is not None and source.state == "down":
            heard = f", last heard {ago(source.good, now)} ago" if source.good else ""
            words = f"silent for {ago(source.since, now)}{heard}: {source.words or source.detail}"
            said.append(f"{paint(plain(name, 80), 'strong', colour)}: {paint(plain(words), 'bad', colour)}")
    queues = queue_table(pools.queues, colour)
    lines = table(_COLUMNS, rows, colour) if rows else []
    return [*lines, *([""] if queues else []), *queues, *([""] if said else []), *said]


def queue_table(queues: Sequence[Queue], colour: bool) -> list[str]:
    """Jobs by owner."""
    if not queues:
        return []
    columns = (
        Column("POOL"), Column("SCHEDD"), Column("OWNER"), Column("RUNNING", right=True),
        Column("IDLE", right=True), Column("HELD", right=True),
    )  # fmt: skip
    rows = [
        (
            Cell(queue.pool), Cell(queue.schedd), Cell(queue.owner, "strong"), Cell(str(queue.running)),
            Cell(str(queue.idle)), Cell(str(queue.held), "busy" if queue.held else ""),
        )
        for queue in queues
    ]  # fmt: skip
    return table(columns, rows, colour)


def _pool(
    name: str, source: Source | None, machines: Sequence[Machine], pools: Pools, now: float
) -> tuple[Cell, ...]:
    state = source_cells.state_cell(source, now) if source is not None else Cell("")
    age = ago(source.good, now) if source is not None and source.good else ""
    cpus, free = sum(m.cpus for m in machines), sum(m.free_cpus for m in machines)
    jobs = sum(len(cells.busy(machine)) for machine in machines)
    waiting = [queue for queue in pools.queues if queue.pool == name]
    return (
        outlined(name, 0, bool(machines), True, "strong"), state, Cell(age, "dim"),
        Cell(f"{jobs} on {len(machines)} machine{'s' if len(machines) != 1 else ''}" if machines else ""),
        Cell(f"{cpus - free:g} of {cpus:g}" if cpus else ""), Cell(""), Cell(""), Cell(""),
        cells.queue_cell(waiting) if waiting else Cell(""),
    )  # fmt: skip


def _machine(machine: Machine, pools: Pools, now: float) -> tuple[Cell, ...]:
    node = pools.node_of(machine)
    return (
        outlined(machine.name, 1, bool(machine.slots), True),
        cells.machine_state(machine, now),
        Cell(ago(machine.seen, now) if machine.seen else "", "dim"),
        cells.jobs_cell(machine),
        cells.processors_cell(machine),
        cells.memory_cell(machine),
        cells.load_cell(machine.load),
        Cell(f"{machine.cluster}/{node}" if node else "", "" if node else "dim"),
        cells.machine_words(machine),
    )


def _slot(slot: Slot, now: float) -> tuple[Cell, ...]:
    return (
        outlined(slot.name, 2, False, False),
        cells.state_cell(slot.state, slot.activity),
        Cell(ago(slot.since, now) if slot.since else ""),
        cells.job_cell(slot, now),
        Cell(f"{slot.cpus:g}" if slot.cpus else ""),
        cells.slot_memory_cell(slot),
        cells.load_cell(slot.load),
        Cell(""),
        Cell(""),
    )
