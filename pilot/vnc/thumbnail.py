"""A node on the wall: how old what is shown is, and the part of it that there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import set_cell_size

from pilot.console.engine import Look, Run
from pilot.records import Node
from pilot.render.nodes import state_cell
from pilot.render.palette import paint
from pilot.render.table import Cell, width
from pilot.render.times import ago, duration
from pilot.wire import plain

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


class Seen(NamedTuple):
    """What was found in one look at a node."""

    lines: tuple[Line, ...]
    why: str = ""
    """Why there are none."""
    live: bool = False
    time: float | None = None
    """When it was so; None for now, or if that is not known."""

    @classmethod
    def of_words(cls, words: Sequence[str], moment: float | None) -> Seen:
        """The last lines of a serial console."""
        return cls(tuple((Run(line, Look()),) for line in words), "" if words else "silent", False, moment)


def grid(
    nodes: Sequence[Node],
    seen: Sequence[Seen],
    across: int,
    room: int,
    rows: int,
    now: float,
    colour: bool,
) -> Iterator[str]:
    """All of them side by side, as lines of a terminal of so many columns."""
    wide = max(12, (room + 2) // across - 2)
    for first in range(0, len(nodes), across):
        part = range(first, min(first + across, len(nodes)))
        yield "  ".join(_heading(nodes[at], seen[at], wide, now, colour) for at in part).rstrip()
        bodies = [plain_text(seen[at].lines) or [seen[at].why] for at in part]
        for row in range(rows):
            cells = (fit(plain(body[row], 400) if row < len(body) else "", wide) for body in bodies)
            yield "  ".join(cells).rstrip()
        yield ""


def fit(text: str, room: int) -> str:
    """A text in exactly so many columns."""
    return set_cell_size(text, room) if width(text) <= room else set_cell_size(text, room - 1) + "…"


def _heading(node: Node, seen: Seen, wide: int, now: float, colour: bool) -> str:
    age = age_cell(node, seen.live, seen.time, now)
    name = fit(node.name or node.domain, max(1, wide - width(age.text) - 1))
    return paint(name, "strong", colour) + " " + paint(age.text, age.tone, colour)
