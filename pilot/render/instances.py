"""EC2 instances for a plain terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from pilot.records import AnyRecord, Instance, Node, Source
from pilot.render import instance_cells as cells
from pilot.render.natural import natural_key
from pilot.render.palette import paint
from pilot.render.table import Cell, Column, table
from pilot.render.times import ago
from pilot.wire import plain

_COLUMNS = (
    Column("INSTANCE"), Column("STATE"), Column("TYPE"), Column("REGION"), Column("ADDRESS"),
    Column("RUNS", right=True), Column("$/H", right=True), Column("SINCE START", right=True), Column("IDLE"),
    Column("LEASE"), Column("WHY"),
)  # fmt: skip


class Instances:
    """Records of instances, sorted."""

    def __init__(self, records: Iterable[AnyRecord], only: Sequence[str] = ()) -> None:
        """`only`: names of nodes or regions, EC2's ids, or globs; all if none is named."""
        everything = list(records)
        self._nodes = {r.id: r for r in everything if isinstance(r, Node) and r.provider == "ec2"}
        self.sources = {r.name: r for r in everything if isinstance(r, Source) and r.type == "ec2"}
        found = [r for r in everything if isinstance(r, Instance)]
        if only:
            found = [one for one in found if self._meant(one, only)]
        self.shown = sorted(
            found, key=lambda one: (natural_key(one.cluster), natural_key(self.name(one)), one.id)
        )

    def node(self, one: Instance) -> Node | None:
        """The node that it is."""
        return self._nodes.get(one.node)

    def name(self, one: Instance) -> str:
        """What it is called."""
        node = self.node(one)
        return node.name if node is not None else one.id.removeprefix("instance:")

    def source(self, one: Instance) -> Source | None:
        """Its region."""
        return self.sources.get(f"{one.account}/{one.region}")

    def _meant(self, one: Instance, only: Sequence[str]) -> bool:
        names = (self.name(one), one.id, one.id.removeprefix("instance:"), one.node, one.region)
        return any(fnmatchcase(name, glob) for glob in only for name in names)


def instance_lines(found: Instances, now: float, colour: bool) -> list[str]:
    """A table of them; what their prices are; why a region is silent, or is no real one."""
    rows = [_row(one, found, now) for one in found.shown]
    lines = table(_COLUMNS, rows, colour) if rows else []
    said = []
    prices = {(one.price.source, one.price.dated) for one in found.shown if one.price is not None}
    if prices:
        where = sorted({cells.price_words(p).partition(", ")[2] for one in found.shown if (p := one.price)})
        text = (
            f"Prices without disks and traffic ({'; '.join(where)}); ~ is about, since it was started last."
        )
        said.append(paint(text, "dim", colour))
    for name, source in sorted(found.sources.items()):
        if source.state == "down":
            heard = f", last heard {ago(source.good, now)} ago" if source.good else ""
            words = f"silent for {ago(source.since, now)}{heard}: {source.words or source.detail}"
            said.append(f"{paint(plain(name, 80), 'strong', colour)}: {paint(plain(words), 'bad', colour)}")
        elif source.pretended:
            said.append(f"{paint(plain(name, 80), 'strong', colour)}: pretended, not the real EC2")
    return [*lines, *([""] if said and lines else []), *said]


def _row(one: Instance, found: Instances, now: float) -> tuple[Cell, ...]:
    node = found.node(one)
    state = cells.state_cell(one)
    if node is not None and node.stale_since is not None:
        state = Cell(f"? {one.state}, {ago(node.stale_since, now)} ago", "dim")
    return (
        Cell(f"{one.cluster}/{found.name(one)}", "strong"), state, Cell(one.type), Cell(one.region),
        cells.address_cell(one), cells.age_cell(one, now), cells.price_cell(one), cells.cost_cell(one, now),
        cells.idle_cell(one, now), cells.lease_cell(one, now), cells.reason_cell(one),
    )  # fmt: skip
