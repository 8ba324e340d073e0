"""What the status lines of a console and of a screen say in the same words."""

from __future__ import annotations

from typing import Protocol

from pilot.records import Node
from pilot.render.nodes import state_cell
from pilot.render.table import Cell
from pilot.render.times import ago

NARROW = 60
"""Columns below which the host is left out."""


class Away(Protocol):
    """A session that is not open, whatever it is of."""

    @property
    def state(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def since(self) -> float: ...


def away(session: Away, now: float) -> Cell:
    """Why nothing new is to be seen: it was lost and is tried again, or it has ended."""
    if session.state == "lost":
        return Cell(f"▲ lost {ago(session.since, now)} ago: {session.why}; trying again", "busy")
    return Cell(f"✕ {session.why}", "bad")


def where(node: Node | None, now: float, room: int) -> list[Cell]:
    """How the node is and, with enough room, since when and on which host."""
    if node is None:
        return []
    cells = [state_cell(node, now)]
    if room >= NARROW:
        since = f" {ago(node.since, now)}" if node.state != "unknown" else ""
        cells.append(Cell(f"{since} · {node.host}", "dim"))
    return cells
