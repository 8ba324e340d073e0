"""A node on the wall: how old what is shown is, and the part of it that there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pilot.console.engine import Run
from pilot.records import Node
from pilot.render.nodes import state_cell
from pilot.render.table import Cell
from pilot.render.times import ago, duration

if TYPE_CHECKING:
    from pilot.vnc.renderer import Frame

Line = tuple[Run, ...]


def age_cell(node: Node, live: bool, updated: float | None, now: float) -> Cell:
    """`● now`, `▲ 14 s`, `○ off 2 h`: the state, and how old what is shown is."""
    if node.hung_ms is not None:
        return Cell(f"▲ hung {duration(node.hung_ms / 1000)}", "bad")
    if node.stale_since is not None:
        return Cell(f"? {ago(node.stale_since, now)}", "dim")
    if node.state != "on":
        state = state_cell(node, now)
        return Cell(f"{state.text} {ago(node.since, now)}", state.tone)
    if live:
        return Cell("● now", "good")
    return Cell(
        "● …" if updated is None else f"● {ago(updated, now)} ago", "dim" if updated is None else "busy"
    )


def shrunk(frame: Frame, rows: int) -> list[Line]:
    """The last lines of a text screen that are not blank, the cursor's among them if it is near."""
    filled = [line for line in frame.lines if any(run.text.strip() for run in line)]
    return filled[-rows:] if rows > 0 else []


def plain_text(lines: Sequence[Line]) -> list[str]:
    """The characters of lines, without their colours."""
    return ["".join(run.text for run in line).rstrip() for line in lines]
