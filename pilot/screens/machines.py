"""HTCondor pools as a tree: machines, their slots, and what waits in the queues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from pilot.records import Machine, Node, Queue, Slot, Source
from pilot.render import machine_cells as cells
from pilot.render import source_cells
from pilot.render.table import Cell
from pilot.screens.tree import TreeScreen
from pilot.screens.tree_columns import column
from pilot.trees import machines
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf
from pilot.trees.searching import Fields
from pilot.widgets.table import TableColumn


def _slot(entry: Entry) -> Slot | None:
    return entry.part if isinstance(entry.part, Slot) else None


def _own(entry: Entry) -> Machine | Slot | None:
    """The slot, or the machine, that a line is of."""
    return _slot(entry) or (entry.record if isinstance(entry.record, Machine) else None)


def _words(read: Callable[[Machine | Slot], str]) -> Callable[[Entry], Sequence[str]]:
    def values(entry: Entry) -> Sequence[str]:
        own = _own(entry)
        value = read(own) if own is not None else ""
        return (value,) if value else ()

    return values


class MachinesScreen(TreeScreen):
    """An area of the app."""

    MODE = "slots"
    NAME = "slots"
    COUNTED = "machines"
    FIELDS: ClassVar[Fields] = {
        "name": lambda entry: (entry.name,),
        "pool": lambda entry: (entry.record.pool,) if isinstance(entry.record, Machine | Queue) else (),
        "machine": lambda entry: (entry.record.name,) if isinstance(entry.record, Machine) else (),
        "cluster": lambda entry: (entry.record.cluster,) if isinstance(entry.record, Machine) else (),
        "state": _words(lambda own: own.state),
        "activity": _words(lambda own: own.activity),
        "owner": _words(lambda own: own.owner if isinstance(own, Slot) else ""),
        "job": _words(lambda own: own.job if isinstance(own, Slot) else ""),
    }

    def entries_of(self) -> EntriesOf:
        """Pool, machine, slot; pool, schedd, owner of jobs."""
        return machines.entries

    def counts(self, entry: Entry) -> bool:
        """Machines, whether or not they are nodes of the site."""
        return isinstance(entry.record, Machine) and entry.part is None

    def nothing(self) -> str:
        """Why the tree is empty."""
        return (
            "No HTCondor pool is configured, or none of your nodes is in one: "
            "see HTCondor in the operator guide."
        )

    def cells(self) -> list[TableColumn[Entry]]:
        """What is known of each line."""
        return [
            column("state", "STATE", self._state, 22, timed=True, priority=1),
            column("cpus", "CPUS", self._cpus, 9, right=True, priority=2),
            column("memory", "MEM", self._memory, 14, right=True, priority=3),
            column("load", "LOAD", self._load, 6, right=True, priority=5),
            column("jobs", "JOBS", self._jobs, 18, weight=1, timed=True, flashes=False, priority=2),
            column("what", "NODE", self._what, 18, weight=2, priority=4, flashes=False),
        ]

    def _state(self, entry: Entry, now: float) -> Cell:
        record, slot = entry.record, _slot(entry)
        if slot is not None:
            return cells.state_cell(slot.state, slot.activity)
        if isinstance(record, Machine):
            return cells.machine_state(record, now)
        return source_cells.state_cell(record, now) if isinstance(record, Source) else Cell("")

    def _cpus(self, entry: Entry, _now: float) -> Cell:
        slot = _slot(entry)
        if slot is not None:
            return Cell(f"{slot.cpus:g}" if slot.cpus else "")
        return cells.processors_cell(entry.record) if isinstance(entry.record, Machine) else Cell("")

    def _memory(self, entry: Entry, _now: float) -> Cell:
        slot = _slot(entry)
        if slot is not None:
            return cells.slot_memory_cell(slot)
        return cells.memory_cell(entry.record) if isinstance(entry.record, Machine) else Cell("")

    def _load(self, entry: Entry, _now: float) -> Cell:
        own = _own(entry)
        return cells.load_cell(own.load) if own is not None else Cell("")

    def _jobs(self, entry: Entry, now: float) -> Cell:
        record, slot = entry.record, _slot(entry)
        if slot is not None:
            return cells.short_job_cell(slot, now)
        if isinstance(record, Machine):
            return cells.jobs_cell(record)
        queues = list(self._queues(entry))
        if not queues and isinstance(record, Source):
            # Owners are told of their own machines only, and not of what waits.
            below = (line.record for line in self.outline.below(entry.key))
            return cells.busy_cell(sum(len(cells.busy(one)) for one in below if isinstance(one, Machine)))
        return cells.queue_cell(queues)

    def _queues(self, entry: Entry) -> Iterable[Queue]:
        if isinstance(entry.record, Queue):
            yield entry.record
            return
        for below in self.outline.below(entry.key):
            if not isinstance(below.record, Machine):
                yield from self._queues(below)

    def about(self, entry: Entry, now: float) -> Sequence[Cell]:
        """Whose job of which schedd; what is known of a machine besides."""
        record, slot = entry.record, _slot(entry)
        if slot is not None:
            return [Cell(slot.name, "strong"), Cell("  "), cells.job_cell(slot, now)]
        if isinstance(record, Machine):
            return [Cell(record.name, "strong"), Cell("  "), cells.about_cell(record, now)]
        if isinstance(record, Source):
            return [Cell(record.name, "strong"), Cell("  "), source_cells.words_cell(record)]
        return ()

    def _what(self, entry: Entry, _now: float) -> Cell:
        record = entry.record
        if isinstance(record, Source):
            return source_cells.words_cell(record)
        if not isinstance(record, Machine) or entry.part is not None:
            return Cell("")
        words = cells.machine_words(record)
        node = self.cockpit.desk.live.store.records.get(record.node)
        return (
            Cell(f"{node.cluster}/{node.name}  {words.text}", words.tone) if isinstance(node, Node) else words
        )
