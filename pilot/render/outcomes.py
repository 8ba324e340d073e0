"""Outcomes, progress and refusals as lines."""

from __future__ import annotations

from collections.abc import Sequence

from pilot.render.palette import Tone
from pilot.render.table import Cell, Column, table
from pilot.render.times import took
from pilot.wire import Outcome, Result

RESULTS: dict[Result, tuple[str, Tone]] = {
    "done": ("✓ done", "good"),
    "refused": ("✕ refused", "bad"),
    "failed": ("✕ failed", "bad"),
    "unknown": ("? not known", "busy"),
}
"""Glyph and word for each result, and what it means."""

_COLUMNS = (Column("NODE"), Column("RESULT"), Column("STATE"), Column("TOOK", right=True), Column(""))


def outcome_table(outcomes: Sequence[Outcome], colour: bool) -> list[str]:
    """One line a target; why it did not work is said there."""
    rows = []
    for outcome in outcomes:
        word, tone = RESULTS[outcome.result]
        said = outcome.fault.message if outcome.fault else outcome.note
        rows.append(
            (
                Cell(outcome.target, "strong"),
                Cell(word, tone),
                Cell(outcome.state if outcome.node else ""),
                Cell(took(outcome.seconds) if outcome.node else ""),
                Cell(said),
            )
        )
    return table(_COLUMNS, rows, colour)


def hints(outcomes: Sequence[Outcome]) -> list[str]:
    """What to do next, each hint once."""
    found = {outcome.fault.hint: None for outcome in outcomes if outcome.fault and outcome.fault.hint}
    return list(found)
