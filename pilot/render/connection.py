"""The link to a site as cells: its light, its lag, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pilot.errors import PilotError
from pilot.records import Role
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import ago, clock, duration, took

LinkState = Literal["connecting", "live", "lost", "refused"]

_LIGHTS: dict[LinkState, tuple[str, Tone]] = {
    "connecting": ("◌", "busy"),
    "live": ("●", "good"),
    "lost": ("✕", "bad"),
    "refused": ("✕", "bad"),
}
SLOW_SECONDS = 1.0
"""From here on the lag is amber."""


class Seen(Protocol):
    """What is drawn of a live site."""

    @property
    def name(self) -> str: ...
    @property
    def principal(self) -> str: ...
    @property
    def state(self) -> LinkState: ...
    @property
    def since(self) -> float: ...
    @property
    def error(self) -> PilotError | None: ...
    @property
    def lag(self) -> float | None: ...
    @property
    def next_attempt(self) -> float | None: ...
    def role_in(self, cluster: str) -> Role | None: ...
    def clusters(self) -> Sequence[str]: ...


def title(live: Seen, scope: str, readonly: bool, now: float) -> tuple[list[Cell], list[Cell]]:
    """The title line's left and right: light, site, scope, role; lag and time of day."""
    glyph, tone = _LIGHTS[live.state]
    role = live.role_in(scope) if live.principal else None
    left = [
        Cell(f"{glyph} ", tone),
        Cell(live.name, "strong"),
        Cell(f"   {scope or _whole_scope(live)}"),
    ]
    if role is not None:
        left.append(Cell(f" · {role}", "dim"))
    if live.principal:
        left.append(Cell(f" · {live.principal}", "dim"))
    if readonly:
        left.append(Cell("   read only", "busy"))
    right = []
    if live.state == "live" and live.lag is not None:
        right.append(Cell(f"lag {took(live.lag)}", "busy" if live.lag >= SLOW_SECONDS else "dim"))
    elif live.state != "live":
        right.append(Cell(live.state, tone))
    right.append(Cell(f"   {clock(now)}", "dim"))
    return left, right


def _whole_scope(live: Seen) -> str:
    if not live.principal:
        return ""
    clusters = live.clusters()
    return clusters[0] if len(clusters) == 1 else "all your clusters"


def light(live: Seen, now: float) -> list[Cell] | None:
    """What is wrong with the link, in words; None while it is live."""
    if live.state == "live":
        return None
    if live.state == "connecting":
        return [Cell("◌ ", "busy"), Cell(f"connecting to {live.name} …")]
    # Why comes last: a narrow screen cuts it, and not what to do.
    why = [Cell(f": {live.error.message}", "dim")] if live.error is not None else []
    if live.state == "refused":
        return [Cell("✕ ", "bad"), Cell("not connected, R tries again"), *why]
    next_one = ""
    if live.next_attempt is not None:
        next_one = f", next try in {duration(max(0.0, live.next_attempt - now))}, R tries now"
    return [Cell("✕ ", "bad"), Cell(f"link lost {ago(live.since, now)} ago{next_one}"), *why]
