"""A screen's status as cells: who sees it, how it is, how it is drawn."""

from __future__ import annotations

from typing import Literal, Protocol

from pilot.records import Node
from pilot.render.guest import NARROW, away, where
from pilot.render.table import Cell
from pilot.render.times import ago, clock

State = Literal["waiting", "opening", "live", "lost", "ended"]
NAMES = {"text": "text", "kitty": "graphics", "blocks": "half blocks"}
"""What the renderers are called."""


class Seen(Protocol):
    """What is drawn of a screen session."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def why(self) -> str: ...
    @property
    def since(self) -> float: ...
    @property
    def updated(self) -> float | None: ...
    @property
    def controlling(self) -> bool: ...
    @property
    def exclusive(self) -> bool: ...
    @property
    def others(self) -> int: ...


def status(
    session: Seen, node: Node | None, now: float, room: int, size: tuple[int, int] | None
) -> tuple[list[Cell], list[Cell]]:
    """The left and right of a status line of so many columns."""
    left = [Cell("▣ ", "dim"), Cell(session.name, "strong"), Cell(" · ", "dim")]
    hung = node is not None and node.hung_ms is not None
    if session.state == "live" and hung:
        left.append(Cell("▲ it hangs: the picture is the last before", "bad"))
    elif session.state == "live":
        left.append(Cell("you control", "good") if session.controlling else Cell("you watch", "busy"))
        left.append(_company(session))
        left.append(Cell(f" · {size[0]}x{size[1]}" if size and room >= NARROW else "", "dim"))
    elif session.state == "opening":
        left.append(Cell(f"◌ connecting{f': {session.why}' if session.why else ' …'}", "busy"))
    elif session.state == "waiting":
        left.append(Cell(session.why, "bad" if hung else "dim"))
    else:
        left.append(away(session, now))
    return left, where(node, now, room)


def _company(session: Seen) -> Cell:
    if session.exclusive:
        return Cell(", alone", "busy")
    others = f", {session.others} other{'s look' if session.others > 1 else ' looks'} too"
    return Cell(others if session.others else "", "dim")


def why_closed(node: Node) -> str:
    """Why a node's screen is not to be opened now; empty if it may. A hung QEMU answers nobody."""
    if node.hung_ms is not None:
        return "▲ it hangs: its screen is opened once it answers"
    if node.state in ("off", "crashed"):
        return "○ it is off: its screen is opened once it is on"
    if not node.screen:
        return "it has no screen"
    return ""


def age(session: Seen, hung: bool, now: float) -> str:
    """What is said over a picture that is not as it is now; empty if it is."""
    if session.updated is None or (session.state == "live" and not hung):
        return ""
    return f"as it was {ago(session.updated, now)} ago"


def picture_status(session: Seen, now: float, size: tuple[int, int] | None) -> tuple[list[Cell], list[Cell]]:
    """The left and right of a picture's status line."""
    left = [Cell("▣ ", "dim"), Cell(session.name, "strong"), Cell(" · ", "dim")]
    if session.state == "opening":
        left.append(Cell("◌ taking a picture …", "busy"))
    elif session.state == "ended":
        left.append(Cell(f"no picture: {session.why}", "bad"))
    else:
        taken = clock(session.updated) if session.updated is not None else ""
        left.append(Cell(f"picture of {taken}, not live", "busy"))
        left.append(Cell(f" · {size[0]}x{size[1]}" if size else "", "dim"))
    return left, [Cell("r", "strong"), Cell(" takes another")]


def picture_age(session: Seen, now: float) -> str:
    """What is said over a picture that was taken; empty if there is none."""
    if session.updated is None:
        return ""
    return f"not live: as it was {ago(session.updated, now)} ago"


def drawn(kind: str, quality: float | None, per_second: float) -> Cell:
    """How it is drawn, how much of a text was read, and how often it changes."""
    said = NAMES.get(kind, kind)
    if kind == "text" and quality is not None:
        # Rounded down: 100 % is all of it.
        said = f"{said} {int(quality * 1000) / 10:.4g} %"
    return Cell(f"{said} · {per_second:.0f}/s" if per_second >= 0.5 else said, "dim")
