"""What all trees show alike."""

from __future__ import annotations

from pilot.render.palette import Tone
from pilot.render.table import Cell

OPEN, CLOSED, LEAF = "▾ ", "▸ ", "  "


def outlined(name: str, depth: int, branch: bool, opened: bool, tone: Tone = "") -> Cell:
    """A line's name, as far to the right as it is deep, with an arrow if something is below it."""
    sign = (OPEN if opened else CLOSED) if branch else LEAF
    return Cell(f"{'  ' * depth}{sign}{name}", tone)
