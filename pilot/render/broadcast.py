"""What is said of consoles that are typed at together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pilot.people import People
from pilot.records import Node
from pilot.render.nodes import in_order, state_cell
from pilot.render.table import Cell
from pilot.wire import plain

State = Literal["opening", "live", "lost", "ended"]
MANY_DIFFER = 3
"""So many names are said of those that differ."""


class Seen(Protocol):
    """What is drawn of a console session."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def why(self) -> str: ...
    @property
    def writing(self) -> bool: ...
    @property
    def people(self) -> People | None: ...


def head(session: Seen, node: Node, chosen: bool, differs: bool, now: float) -> tuple[list[Cell], list[Cell]]:
    """Both ends of the line over a tile."""
    left = [Cell("▸ " if chosen else "  ", "good" if session.writing and runs(node) else "dim")]
    left.append(Cell(session.name, "strong" if chosen else "dim"))
    if differs:
        left.append(Cell(" ≠", "bad"))
    if word := trouble(session):
        left.append(Cell(f" · {word}", "busy"))
    elif not chosen:
        left.append(Cell(" · left out", "dim"))
    return left, [state_cell(node, now)]


def trouble(session: Seen) -> str:
    """Why what is typed does not arrive there; empty if it does."""
    if session.state != "live":
        return f"{session.state}: {session.why}" if session.why else f"{session.state} …"
    if session.writing:
        return ""
    others = session.people.others if session.people is not None else ()
    who = ", ".join(dict.fromkeys(plain(one.principal) for one in others if one.writing))
    return f"{who} type{'' if ',' in who else 's'}" if who else "you watch"


def typing(at: int, count: int) -> str:
    """How many of how many get what is typed."""
    return f"typing to {at} of {count} ▸"


def differ(names: Sequence[str]) -> str:
    """Who answered differently; empty if nobody did."""
    if not names:
        return ""
    shown = ", ".join(plain(name) for name in names[:MANY_DIFFER])
    more = f" and {len(names) - MANY_DIFFER} more" if len(names) > MANY_DIFFER else ""
    return f"≠ {shown}{more} answered differently"


def consequence(nodes: Sequence[Node], without: Sequence[Node]) -> str:
    """What to know before one types at these."""
    said = ["Each key goes to all of them. Where somebody else types, you watch until you take or join."]
    if idle := [plain(node.name or node.domain) for node in in_order(nodes) if not runs(node)]:
        said.append(f"Not on, left out until you choose them: {', '.join(idle)}.")
    if hung := [plain(node.name or node.domain) for node in in_order(nodes) if node.hung_ms is not None]:
        said.append(f"Hung, left out until you choose them: {', '.join(hung)}.")
    if others := [
        f"{plain(node.name or node.domain)} ({plain(node.writer)})" for node in in_order(nodes) if node.writer
    ]:
        said.append(f"Somebody types at: {', '.join(others)}.")
    if without:
        names = ", ".join(plain(node.name or node.domain) for node in in_order(without))
        said.append(f"No serial console: {names}.")
    return " ".join(said)


def runs(node: Node) -> bool:
    """Whether anybody is there to type at, hung or not."""
    return node.state not in ("off", "crashed")
