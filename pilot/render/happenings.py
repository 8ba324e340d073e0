"""What happened, as cells."""

from __future__ import annotations

from pilot.records import Happening
from pilot.render.palette import paint
from pilot.render.table import Cell
from pilot.render.times import clock, day
from pilot.wire import plain

_DAY = 86_400
_LONGEST = 500


def time_cell(one: Happening, now: float) -> Cell:
    """When: the time of day, with the date once that is another."""
    return Cell(clock(one.time) if now - one.time < _DAY / 2 else day(one.time), "dim")


def words_cell(one: Happening) -> Cell:
    """What happened."""
    return Cell(one.words, one.tone)


def cluster_cell(one: Happening) -> Cell:
    """Whose it is; `-` for what is the site's."""
    return Cell(one.cluster or "-", "" if one.cluster else "dim")


def plain_line(one: Happening, now: float, colour: bool) -> str:
    """All of it on one line."""
    whose = f" of {one.cluster}" if one.cluster else ""
    words = paint(plain(one.words, _LONGEST), one.tone, colour)
    return f"{time_cell(one, now).text}  {plain(one.name, _LONGEST)}{plain(whose, _LONGEST)}: {words}"
