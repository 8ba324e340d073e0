"""Who is at a console, as words for a status line and as rows of a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pilot.people import People
from pilot.render.table import Cell, width
from pilot.render.times import duration
from pilot.wire import Person, plain

IDLE_SECONDS = 60.0
"""From so many seconds on it is said that one who writes has typed nothing."""
_NAME = 40
"""Characters of a principal that are shown."""


def name(person: Person) -> str:
    """A principal, fit for a terminal."""
    return plain(person.principal, _NAME)


def status(people: People, writing: bool, now: float, room: int) -> list[Cell]:
    """Who writes and who watches: the fullest words that so many columns hold."""
    said = list[Cell]()
    for said in _candidates(people, writing, now):
        if sum(width(cell.text) for cell in said) <= room:
            break
    return said


def _candidates(people: People, writing: bool, now: float) -> list[list[Cell]]:
    writers = [person for person in people.others if person.writing]
    watchers = [person for person in people.others if not person.writing]
    watch = f", {_names(watchers)} watch{'es' if len(watchers) == 1 else ''}" if watchers else ""
    counted = f", {len(watchers)} watching" if watchers else ""
    here = f"{len(people.presence.people)} here"
    if writing:
        me = Cell("you write", "good")
        idle = f", {_names(writers, people, now)} {'too' if len(writers) == 1 else 'as well'}"
        short = f", {_names(writers)} {'too' if len(writers) == 1 else 'as well'}"
        if not writers:
            idle = short = ""
        ends = [idle + watch, short + watch, short + counted, f", {here}" if people.others else "", ""]
        return [[me, Cell(end, "dim")] for end in ends]
    who = _names(writers) if writers else "nobody"
    verb = "write" if len(writers) > 1 else "writes"
    whole = f"{_names(writers, people, now) if writers else 'nobody'} {verb}, you watch"
    short = f"{who} {verb}, you watch"
    return [
        [Cell(whole, "busy"), Cell(watch, "dim")],
        [Cell(short, "busy"), Cell(watch, "dim")],
        [Cell(short, "busy"), Cell(counted, "dim")],
        [Cell("you watch", "busy"), Cell(f", {here}", "dim")],
        [Cell("you watch", "busy")],
    ]


def _names(persons: Sequence[Person], people: People | None = None, now: float = 0.0) -> str:
    """`bob`, `bob and carol`, `bob, carol and dave`; one who is there several times with a number."""
    counts = Counter(name(person) for person in persons)
    words = list[str]()
    for called, count in counts.items():
        word = f"{called} x{count}" if count > 1 else called
        if people is not None:
            quiet = min(people.idle(person, now) for person in persons if name(person) == called)
            word += f" (idle {duration(quiet)})" if quiet >= IDLE_SECONDS else ""
        words.append(word)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def row(people: People, person: Person, now: float) -> tuple[list[Cell], list[Cell]]:
    """A person as a line of a list: who it is and what it does; since when, and for how long it was quiet."""
    mine = person.id == people.presence.you
    does = Cell("✎ writes ", "good") if person.writing else Cell("  watches", "dim")
    may = "" if person.may_write else "may only watch"
    left = [does, Cell("  "), Cell(name(person), "strong"), Cell(" (you)" if mine else "", "dim")]
    typed = f"idle {duration(people.idle(person, now))}" if person.typed else "typed nothing yet"
    right = [Cell(f"{may}  " if may else "", "dim")] if may else []
    return left, [*right, Cell(f"{typed}  here {duration(people.attached(person, now))}", "dim")]
