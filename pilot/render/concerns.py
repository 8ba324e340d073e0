"""What needs attention, as cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pilot.attention import Concern, Level
from pilot.records import AnyRecord, Host, Instance, Machine, Network, Node, Pool, Source
from pilot.render.palette import Tone
from pilot.render.table import Cell, Column, table
from pilot.render.times import ago
from pilot.verbs import BY_ID

_SIGNS: dict[Level, tuple[str, Tone]] = {
    Level.DOWN: ("▲", "bad"),
    Level.SOON: ("◆", "busy"),
    Level.WASTE: ("·", "dim"),
}


def kind_cell(concern: Concern) -> Cell:
    """How bad it is, and what it is, in a word."""
    sign, tone = _SIGNS[concern.level]
    return Cell(f"{sign} {concern.kind}", tone)


def name_of(record: AnyRecord | None, key: str) -> str:
    """What people call it."""
    if isinstance(record, Node):
        return record.name or record.domain
    if isinstance(record, Instance):
        return record.name or record.id.removeprefix("instance:")
    if isinstance(record, Pool | Network):
        return f"{record.host} {record.name}"
    if isinstance(record, Host | Machine | Source):
        return record.name
    return key


def whose(record: AnyRecord | None) -> str:
    """The cluster it is of; empty if it is of none."""
    return getattr(record, "cluster", "")


def mend_cell(concern: Concern) -> Cell:
    """The verb that mends it."""
    verb = BY_ID.get(concern.verb)
    return Cell(f"m {verb.label}" if verb is not None else "", "strong")


def since_cell(concern: Concern, now: float) -> Cell:
    """For how long it has been so."""
    return Cell(ago(concern.since, now) if concern.since else "", "dim")


def plain_line(concern: Concern, record: AnyRecord | None) -> str:
    """All of it in one sentence, for what is wider than a table."""
    return f"{name_of(record, concern.about)}: {concern.words}"


def concern_table(
    found: Iterable[Concern], records: Mapping[str, AnyRecord], now: float, colour: bool
) -> list[str]:
    """A line for each."""
    titles = ("WHAT", "WHERE", "CLUSTER", "SINCE", "MEND", "")
    columns = [Column(title, right=title == "SINCE") for title in titles]
    rows = []
    for one in found:
        record, verb = records.get(one.about), BY_ID.get(one.verb)
        mend = Cell(verb.label if verb is not None else "", "strong")
        where = Cell(name_of(record, one.about), "strong")
        rows.append((kind_cell(one), where, Cell(whose(record)), since_cell(one, now), mend, Cell(one.words)))
    return table(columns, rows, colour)
