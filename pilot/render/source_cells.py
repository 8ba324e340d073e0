"""Regions, pools and files that airboss asks by turns, as cells."""

from __future__ import annotations

from pilot.records import Source
from pilot.render.table import Cell
from pilot.render.times import ago


def state_cell(source: Source, now: float) -> Cell:
    """Whether it answers; if not, how old what is shown is."""
    if source.state == "connecting":
        return Cell("◌ asking", "busy")
    if source.state == "down":
        old = f", {ago(source.good, now)} old" if source.good else ""
        return Cell(f"✕ silent{old}", "bad")
    if source.type == "file":
        return Cell("◇ a file of ads", "busy")
    return Cell("◇ pretended", "busy") if source.pretended else Cell("● answers", "good")


def words_cell(source: Source) -> Cell:
    """Why it does not answer; that it is not the real thing."""
    if source.state == "down":
        return Cell(source.words or source.detail, "bad")
    if source.pretended:
        known = {"ec2": "not the real EC2", "file": "no pool is asked, and nothing can be drained"}
        return Cell(source.detail or known.get(source.type, "not the real thing"), "busy")
    return Cell("")
