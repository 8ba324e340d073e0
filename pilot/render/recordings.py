"""Recordings of consoles as cells and lines: of which node, by whom, when, how long, and how they ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilot.filtering import lines
from pilot.recording_seals import Finding
from pilot.render.table import Cell, Column, table
from pilot.render.times import UNKNOWN, day, local, position
from pilot.wire import Recording, plain

COLUMNS = (
    Column("ID"),
    Column("NODE"),
    Column("BY"),
    Column("BEGAN"),
    Column("LASTED", right=True),
    Column("SIZE", right=True),
    Column("ENDED"),
)


def recordings_table(recordings: Sequence[Recording], now: float, colour: bool) -> list[str]:
    """A line for each, under a heading."""
    return table(COLUMNS, [cells(recording, now) for recording in recordings], colour)


def cells(recording: Recording, now: float) -> tuple[Cell, ...]:
    """One as a row under COLUMNS."""
    return (
        Cell(recording.id),
        Cell(recording.name, "strong"),
        by_cell(recording),
        began_cell(recording),
        lasted_cell(recording, now),
        Cell(size(recording.size)),
        ended_cell(recording),
    )


def by_cell(recording: Recording) -> Cell:
    """Who began it."""
    return Cell(recording.principal)


def began_cell(recording: Recording) -> Cell:
    """When."""
    return Cell(day(recording.started), "dim")


def lasted(recording: Recording, now: float) -> float:
    """How long it took, in seconds; until now if it goes on."""
    return max(0.0, (recording.ended or now) - recording.started)


def lasted_cell(recording: Recording, now: float) -> Cell:
    """How long it took."""
    seconds = lasted(recording, now)
    return Cell(position(seconds) if seconds < 10**9 else "?")


def ended_cell(recording: Recording) -> Cell:
    """Why it ended, and whether what was typed is in it."""
    typed = ", with what was typed" if recording.input else ""
    if not recording.ended:
        return Cell(f"◉ goes on{typed}", "bad")
    return Cell(f"{plain(recording.why_ended) or 'ended'}{typed}", "dim")


def size(count: int) -> str:
    """`512 B`, `64 K`, `2.5 M`."""
    if count < 1000:
        return f"{count} B"
    if count < 1000 * 1024:
        return f"{count / 1024:.0f} K"
    return f"{count / 1024 / 1024:.1f} M"


def headline(recording: Recording) -> str:
    """What it is, in a few words."""
    return f"{plain(recording.name)}, recorded {day(recording.started)} by {plain(recording.principal)}"


def checked_cell(recording: Recording, finding: Finding | None, why: str) -> Cell:
    """What holding it against the journal showed; if that was not done, why."""
    if finding is None:
        return Cell(f"not checked: {why}", "busy")
    if finding.trouble:
        return Cell(f"not what was recorded: {finding.words}", "bad")
    if not recording.ended:
        return Cell(
            f"goes on; its {finding.sealed:,} bytes so far are as the journal has them sealed", "good"
        )
    return Cell(f"as the journal has it sealed: all {finding.sealed:,} bytes", "good")


def file_name(recording: Recording) -> str:
    """What its file is called: letters that no shell and no system minds."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in recording.name)
    began = local(recording.started, "%Y%m%d-%H%M%S")
    began = "undated" if began == UNKNOWN else began
    id = "".join(c for c in recording.id[:8] if c.isascii() and c.isalnum())
    return f"{safe.strip('._-')[:80] or 'console'}-{began}-{id}.cast"


RECORDING_FIELDS: Mapping[str, Callable[[Recording], Sequence[str]]] = {
    "id": lambda one: (one.id,),
    "node": lambda one: (one.name,),
    "who": lambda one: (one.principal,),
    "cluster": lambda one: (one.cluster,),
    "began": lambda one: (day(one.started),),
    "state": lambda one: ("ended",) if one.ended else ("on", "recording"),
    "why": lambda one: (one.why_ended,) if one.why_ended else (),
}
"""The fields that a filter over recordings knows, and their values."""


class RecordingHaystack:
    """A recording as filters see it."""

    __slots__ = ("recording",)

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    @property
    def title(self) -> str:
        """Of which node it is."""
        return self.recording.name

    @property
    def text(self) -> str:
        """The values of all fields, a line each."""
        return lines([value for name in RECORDING_FIELDS for value in self.field(name)])

    def field(self, name: str) -> Sequence[str]:
        """The values of one of RECORDING_FIELDS."""
        return RECORDING_FIELDS[name](self.recording)
