"""What happened, as cells."""

from __future__ import annotations

from pilot.records import Happening
from pilot.render.table import Cell
from pilot.render.times import clock, day

_DAY = 86_400


def time_cell(one: Happening, now: float) -> Cell:
    """When: the time of day, with the date once that is another."""
    return Cell(clock(one.time) if now - one.time < _DAY / 2 else day(one.time), "dim")


def words_cell(one: Happening) -> Cell:
    """What happened."""
    return Cell(one.words, one.tone)


def cluster_cell(one: Happening) -> Cell:
    """Whose it is; `-` for what is the site's."""
    return Cell(one.cluster or "-", "" if one.cluster else "dim")
