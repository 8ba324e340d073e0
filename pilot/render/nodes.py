"""A node as cells and lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pilot.records import Node, NodeState
from pilot.render.palette import Tone, paint
from pilot.render.table import Cell, Column, table
from pilot.render.times import ago, duration, memory
from pilot.wire import plain

_STATES: dict[NodeState, tuple[str, str, Tone]] = {
    "on": ("●", "on", "good"),
    "off": ("○", "off", "dim"),
    "paused": ("◫", "paused", "busy"),
    "stopping": ("◐", "shutting down", "busy"),
    "crashed": ("✕", "crashed", "bad"),
    "suspended": ("◌", "suspended", "busy"),
    "unknown": ("?", "unknown", "bad"),
}

COLUMNS = (
    Column("NODE"),
    Column("STATE"),
    Column("SINCE", right=True),
    Column("HOST"),
    Column("CPU", right=True),
    Column("MEM", right=True),
    Column("CONSOLE"),
    Column("MAC"),
    Column("VLAN", right=True),
)


def state_cell(node: Node, now: float) -> Cell:
    """Glyph and word. A hung or unreachable node says so, and for how long."""
    glyph, word, tone = _STATES[node.state]
    if node.stale_since is not None:
        return Cell(f"? {word}, {ago(node.stale_since, now)} ago", "dim")
    if node.hung_ms is not None:
        return Cell(f"▲ hung {duration(node.hung_ms / 1000)}", "bad")
    return Cell(f"{glyph} {word}", tone)


def console_cell(node: Node) -> Cell:
    """Who types there, how many watch, and whether it is recorded."""
    if not node.serial:
        return Cell("none", "dim")
    watching = f"{node.watchers} watching" if node.watchers else ""
    who = ", ".join(part for part in (node.writer, watching) if part)
    sign = "◉ " if node.recorded else ""
    return Cell(f"{sign}{who}") if who else Cell(f"{sign}free", "dim")


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts compute-0-2 before compute-0-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def in_order(nodes: Iterable[Node]) -> list[Node]:
    """By cluster, then by name as people count."""
    return sorted(nodes, key=lambda node: (node.cluster, natural(node.name)))


def node_table(nodes: Sequence[Node], now: float, colour: bool) -> list[str]:
    """The table of nodes; with their cluster where there are several."""
    several = len({node.cluster for node in nodes}) > 1
    columns = (Column("CLUSTER"), *COLUMNS) if several else COLUMNS
    rows = []
    for node in nodes:
        nic = next(iter(node.nics), None)
        cells = (
            Cell(node.name or node.domain, "strong"),
            state_cell(node, now),
            Cell(ago(node.since, now) if node.state != "unknown" else ""),
            Cell(node.host),
            Cell(str(node.vcpus) if node.vcpus else ""),
            Cell(memory(node.memory) if node.memory else ""),
            console_cell(node),
            Cell(nic.mac if nic else "", "dim"),
            Cell(str(nic.vlan) if nic and nic.vlan is not None else "", "dim"),
        )
        rows.append((Cell(node.cluster or "-"), *cells) if several else cells)
    return table(columns, rows, colour)


def change_text(before: Node | None, after: Node | None, now: float, colour: bool) -> str:
    """What happened to a node, in a few words; empty for what is not worth a line."""

    def shown(node: Node) -> str:
        cell = state_cell(node, now)
        return paint(plain(cell.text), cell.tone, colour)

    if after is None:
        return "gone"
    if before is None:
        return f"new  {shown(after)}"
    words = []
    if (before.state, before.stale_since, before.hung_ms is None) != (
        after.state,
        after.stale_since,
        after.hung_ms is None,
    ):
        words.append(f"{shown(before)} → {shown(after)}")
    if before.host != after.host:
        words.append(f"moved from {plain(before.host)} to {plain(after.host)}")
    if before.name != after.name:
        words.append(f"was called {plain(before.name)}")
    if (before.writer, before.watchers) != (after.writer, after.watchers):
        words.append(f"console {plain(console_cell(after).text)}")
    if before.recorded != after.recorded:
        words.append("recorded" if after.recorded else "recorded no more")
    return ", ".join(words)
