"""A table's columns: what they are, which of them fit, and text cut to their width."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from rich.cells import cell_len, set_cell_size

from pilot.render.table import Cell
from pilot.wire import plain

Row = TypeVar("Row")

GUTTER = 3
"""Cells before the first column: the cursor's bar, the mark, a space."""
GAP = 2
MARGIN = 1
"""Cells behind the last column."""
_LONGEST = 500
# What a terminal does not show as a character of one or two cells: format characters, lone surrogates,
# line and paragraph separators, and variation selectors, whose effect on the width no two terminals share.
_UNSHOWN = frozenset({"Cf", "Cs", "Cn", "Zl", "Zp"})
_SELECTORS = range(0xFE00, 0xFE10)


@dataclass(frozen=True)
class TableColumn(Generic[Row]):
    """A column. Its width does not depend on what is in it, so that nothing jumps when rows change."""

    key: str
    title: str
    cell: Callable[[Row, float], Cell]
    """What it shows of a row, at a moment (seconds since the epoch)."""
    sort: Callable[[Row], Any]
    """What rows are sorted by: values of one type that can be compared with `<`."""
    width: int
    """Cells that it needs."""
    weight: int = 0
    """Its share of what is left of the line; with 0 it stays as wide as it is."""
    widest: int = 0
    """Cells beyond which it does not grow; 0: no limit."""
    right: bool = False
    """Whether its text lines up on the right."""
    priority: int = 0
    """Where not all fit, columns with a higher number are left out first."""
    timed: bool = False
    """Whether what it shows changes by time alone: looked at each second."""
    flashes: bool = True
    """Whether a change of its text stands out for a moment."""


class Placed(NamedTuple, Generic[Row]):
    """A column in its place."""

    column: TableColumn[Row]
    x: int
    """Where its text begins."""
    width: int


def place(columns: Sequence[TableColumn[Row]], width: int) -> list[Placed[Row]]:
    """The columns that fit on a line, widened to fill it. The most important one is there in any case."""
    room = max(1, width - GUTTER - MARGIN)
    ranked = sorted(columns, key=lambda column: column.priority)
    chosen: set[str] = set()
    used = -GAP
    for column in ranked:
        if chosen and used + GAP + column.width > room:
            break
        chosen.add(column.key)
        used += GAP + column.width
    widths = {column.key: min(column.width, room) for column in columns if column.key in chosen}
    _widen([column for column in columns if column.key in chosen], widths, room - used)
    placed, x = [], GUTTER
    for column in columns:
        if column.key in chosen:
            placed.append(Placed(column, x, widths[column.key]))
            x += widths[column.key] + GAP
    return placed


def _widen(columns: Sequence[TableColumn[Row]], widths: dict[str, int], left: int) -> None:
    """Share what is left by weight; what one column may not take goes to the others."""
    growing = [column for column in columns if column.weight]
    while left > 0 and growing:
        total, spread = sum(column.weight for column in growing), left
        for column in growing:
            more = min(left, max(1, spread * column.weight // total))
            if column.widest:
                more = min(more, max(0, column.widest - widths[column.key]))
            widths[column.key] += more
            left -= more
        growing = [column for column in growing if not column.widest or widths[column.key] < column.widest]


def fit(text: str, width: int, right: bool = False) -> str:
    """Text of anybody made fit for exactly so many cells: cleaned, cut with `…`, or filled up with spaces."""
    if width <= 0:
        return ""
    text = clean(text)
    if text.isascii():
        if len(text) <= width:
            return text.rjust(width) if right else text.ljust(width)
        return text[: width - 1] + "…"
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)
    return " " * (width - cells) + text if right else text + " " * (width - cells)


def clean(text: str) -> str:
    """Text without what a terminal would obey instead of show, on one line."""
    text = plain(text, _LONGEST)
    if text.isascii():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _UNSHOWN else character
        for character in text
        if ord(character) not in _SELECTORS
    )
