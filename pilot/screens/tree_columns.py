"""Columns of trees: as of a table, without an order of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilot.render.table import Cell
from pilot.trees.entries import Entry
from pilot.widgets.table import TableColumn


def column(
    key: str, title: str, cell: Callable[[Entry, float], Cell], width: int, **more: Any
) -> TableColumn[Entry]:
    """One column."""
    return TableColumn(key, title, cell, lambda _: 0, width, **more)
