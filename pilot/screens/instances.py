"""EC2 instances as a tree: what runs where, why it does not, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual.binding import Binding

from pilot.records import Instance, Source
from pilot.render import instance_cells as cells
from pilot.render import source_cells
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.screens.tree import TreeScreen
from pilot.screens.tree_columns import column
from pilot.trees import instances
from pilot.trees.entries import Entry
from pilot.trees.outline import EntriesOf
from pilot.trees.searching import Fields
from pilot.widgets.table import TableColumn


def _of(read: Callable[[Instance], str]) -> Callable[[Entry], Sequence[str]]:
    def values(entry: Entry) -> Sequence[str]:
        value = read(entry.record) if isinstance(entry.record, Instance) else ""
        return (value,) if value else ()

    return values


class InstancesScreen(TreeScreen):
    """An area of the app."""

    MODE = "instances"
    NAME = "ec2"
    COUNTED = "instances"
    FIELDS: ClassVar[Fields] = {
        "name": lambda entry: (entry.name,),
        "cluster": _of(lambda one: one.cluster),
        "region": _of(lambda one: one.region),
        "state": _of(lambda one: one.state),
        "type": _of(lambda one: one.type),
        "ami": _of(lambda one: one.ami),
        "vpc": _of(lambda one: one.vpc),
        "subnet": _of(lambda one: one.subnet),
        "zone": _of(lambda one: one.zone),
        "address": _of(lambda one: f"{one.public_address} {one.private_address}".strip()),
        "reason": _of(lambda one: one.reason),
        "spot": _of(lambda one: "spot" if one.spot else "on demand"),
    }
    BINDINGS = [Binding("t", "turn_tree", "by cluster", show=False, id="instances.turn")]

    _by_cluster = False

    def entries_of(self) -> EntriesOf:
        """Region, then VPC and subnet or cluster, then instance."""
        return instances.by_cluster if self._by_cluster else instances.by_network

    def action_turn_tree(self) -> None:
        """By VPC and subnet, or by cluster."""
        self._by_cluster = not self._by_cluster
        self.look_anew()
        self.cockpit.flash("by cluster" if self._by_cluster else "by VPC and subnet", "dim", 3)

    def nothing(self) -> str:
        """Why the tree is empty."""
        return (
            "No EC2 region is configured, or no instance is tagged for a cluster of yours: "
            "see EC2 in the operator guide."
        )

    def name_cell(self, entry: Entry) -> Cell:
        """Instances, VPCs and subnets by their Name tag, if they have one."""
        name = self._called(entry)
        return Cell(name) if name else super().name_cell(entry)

    def _called(self, entry: Entry) -> str:
        if isinstance(entry.record, Instance):
            return entry.record.name
        if entry.record is not None or self._by_cluster:
            return ""
        # What a VPC or a subnet is called is told with the instances in it.
        some = next(self._instances(entry.key), None)
        vpc, slash, subnet = some.network.partition("/") if some is not None else ("", "", "")
        return vpc if entry.depth == 1 and slash else subnet or vpc if entry.depth > 1 else ""

    def cells(self) -> list[TableColumn[Entry]]:
        """What is known of each line."""
        return [
            column("state", "STATE", self._state, 15, timed=True, priority=1),
            column("type", "TYPE", lambda e, _: _cell(e, lambda one: Cell(one.type)), 11, priority=3),
            column("id", "ID", self._ec2_id, 19, priority=7, flashes=False),
            column("address", "ADDRESS", lambda e, _: _cell(e, cells.address_cell), 15, priority=6),
            column("age", "UP", lambda e, now: _cell(e, lambda one: cells.age_cell(one, now)), 6,
                   right=True, timed=True, priority=4),
            column("price", "PRICE", self._price, 10, right=True, priority=2),
            column("cost", "COST", self._cost, 9, right=True, timed=True, flashes=False, priority=2),
            column("what", "", self._what, 24, weight=8, timed=True, flashes=False, priority=5),
        ]  # fmt: skip

    def _ec2_id(self, entry: Entry, _now: float) -> Cell:
        return Cell(entry.name if self._called(entry) else "", "dim")

    def _state(self, entry: Entry, now: float) -> Cell:
        record = entry.record
        if isinstance(record, Source):
            return source_cells.state_cell(record, now)
        return cells.state_cell(record) if isinstance(record, Instance) else Cell("")

    def _price(self, entry: Entry, _now: float) -> Cell:
        if isinstance(entry.record, Instance):
            return cells.price_cell(entry.record)
        prices = (one.price.hour for one in self._that_run(entry.key) if one.price is not None)
        total = sum(prices)
        return Cell(f"{total:.2f} $/h" if total else "", "dim")

    def _cost(self, entry: Entry, now: float) -> Cell:
        if isinstance(entry.record, Instance):
            return cells.cost_cell(entry.record, now)
        total = sum(cells.cost(one, now) or 0 for one in self._that_run(entry.key))
        return Cell(f"~{total:.2f} $" if total else "", "dim")

    def _that_run(self, key: str) -> Iterator[Instance]:
        return (one for one in self._instances(key) if one.state == "running")

    def _instances(self, key: str) -> Iterator[Instance]:
        for entry in self.outline.below(key):
            if isinstance(entry.record, Instance):
                yield entry.record
            else:
                yield from self._instances(entry.key)

    def _what(self, entry: Entry, now: float) -> Cell:
        record = entry.record
        if isinstance(record, Source):
            return source_cells.words_cell(record)
        if not isinstance(record, Instance):
            return Cell("")
        said = (cells.reason_cell(record), cells.lease_cell(record, now), cells.idle_cell(record, now))
        found = [cell for cell in said if cell.text]
        tones = (cell.tone for cell in found if cell.tone != "dim")
        tone: Tone = next(tones, "dim")
        return Cell(" · ".join(cell.text for cell in found), tone)

    def about(self, entry: Entry, now: float) -> Sequence[Cell]:
        """Why it is as it is, where the price comes from, and what the instance is made of."""
        one = entry.record
        if isinstance(one, Source):
            return [Cell(entry.name, "strong"), Cell("  "), source_cells.words_cell(one)]
        if not isinstance(one, Instance):
            return ()
        price = cells.price_words(one.price) if one.price is not None else ""
        facts = [price, "spot" if one.spot else "", one.ami, one.zone, one.vpc, one.subnet]
        why = self._what(entry, now)
        said = [Cell(f"  {why.text}", why.tone)] if why.text else []
        return [
            Cell(entry.name, "strong"),
            *said,
            Cell("  " + " · ".join(fact for fact in facts if fact), "dim"),
        ]


def _cell(entry: Entry, read: Callable[[Instance], Cell]) -> Cell:
    return read(entry.record) if isinstance(entry.record, Instance) else Cell("")
