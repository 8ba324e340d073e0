"""What was asked in the app, as lines: one for the list, and all that is known of it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from pilot.asked import Activity, Request, Target
from pilot.render.nodes import natural
from pilot.render.outcomes import RESULTS
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import clock, took
from pilot.wire import Result, plain

Cells = tuple[Cell, ...]

_ORDER: tuple[Result, ...] = ("done", "refused", "failed", "unknown")
_WORST: tuple[Result, ...] = ("failed", "refused", "unknown")
_LONGEST = 600
_HASH = 12
"""Hex digits of a hash that are shown: enough to find the record that it belongs to."""


class Line(NamedTuple):
    """Cells at the left, which may be cut, and at the right, which stay whole."""

    left: Cells
    right: Cells = ()

    @property
    def text(self) -> str:
        """All of it, without tones."""
        return "".join(cell.text for cell in (*self.left, *self.right))


def title(activity: Activity) -> str:
    """The verb and of whom: `off compute-0-1`, `off 12 nodes`."""
    targets = activity.targets
    whom = plain(targets[0].name) if len(targets) == 1 else f"{len(targets)} {activity.verb.scope}s"
    return f"{activity.verb.label} {whom}"


def line(activity: Activity, now: float, undoable: bool = False) -> Line:
    """One line: when, what, how far it is, and whether `u` takes it back."""
    glyph = _glyph(activity)
    head = (Cell(f"{clock(activity.asked_at)} ", "dim"), glyph, Cell(f" {title(activity)}", "strong"))
    if activity.state == "withdrawn":
        return Line((*head, Cell(f" · {activity.note}", "dim")))
    if activity.state == "held":
        left = max(0, math.ceil(activity.held_until - now))
        said = Cell(f" · asked by you{_arguments(activity)}")
        return Line((*head, said), (Cell("u", "strong"), Cell(f" undo ({left} s)")))
    undo = (Cell("u", "strong"), Cell(" undo")) if undoable else ()
    if activity.state == "asked":
        progress = (Cell(f" · asked by you{_arguments(activity)}"), *_progress(activity))
        back = (Cell("  "), Cell("u", "strong"), Cell(" take back")) if undoable else ()
        return Line((*head, *progress), (Cell(took(activity.took(now)), "dim"), *back))
    note = (Cell(f" · {activity.note}", "dim"),) if activity.note else ()
    return Line((*head, Cell(" · "), *_sum(activity), *note), undo)


def details(activity: Activity, now: float, width: int) -> list[Cells]:
    """All that is known of it, in lines of so many columns: what went wrong comes first."""
    width = max(20, width)
    where = ", ".join(plain(cluster) for cluster in activity.clusters)
    lines: list[Cells] = [(Cell(f"{title(activity)} of {where}" if where else title(activity), "strong"),)]
    facts = [f"asked by {plain(activity.who) or 'you'} at {clock(activity.asked_at)}"]
    if activity.state == "done":
        facts.append(f"took {took(activity.took(now))}")
    lines += _wrapped(" · ".join(facts) + _arguments(activity), width, tone="dim")
    if activity.state == "held":
        lines += _wrapped("Held back: not sent yet. u takes it back.", width, tone="busy")
        lines += _wrapped("  ".join(_names(activity.targets)), width)
        return lines
    if activity.note:
        lines += _wrapped(_sentence(activity.note), width, tone="busy")
    if activity.state == "withdrawn":
        return [*lines, *_wrapped("  ".join(_names(activity.targets)), width)]
    if len(activity.targets) > 1:
        lines.append(_sum(activity))
    for group in _groups(activity.targets):
        lines += [(), *_group_lines(group, width)]
    return [*lines, (), *_receipts(activity.requests, width)]


def empty(width: int) -> list[Cells]:
    """What is said while nothing was asked."""
    said = "Nothing was asked yet. What you ask of nodes (p) is listed here, with its outcome and receipt."
    return _wrapped(said, max(20, width), tone="dim")


def _glyph(activity: Activity) -> Cell:
    """The worst of it at a glance."""
    if activity.state == "withdrawn":
        return Cell("○", "dim")
    counts = activity.counts()
    worst = next((result for result in _WORST if counts[result]), None)
    if worst is None:
        return Cell("✓", "good") if activity.state == "done" else Cell("◐", "busy")
    word, tone = RESULTS[worst]
    return Cell(word[0], tone)


def _word(result: Result) -> tuple[str, Tone]:
    """The result without its glyph, which stands at the line's beginning."""
    word, tone = RESULTS[result]
    return word.split(" ", 1)[1], tone


def _arguments(activity: Activity) -> str:
    said = ""
    for argument in activity.verb.args:
        value = activity.args.get(argument.name, argument.default)
        if argument.name == "grace":
            said += f" · grace {value:g} s"
        elif value != argument.default:
            said += f" · {argument.name} {value}"
    return said


def _progress(activity: Activity) -> Cells:
    targets = activity.targets
    if len(targets) == 1:
        return (Cell(f" · {plain(targets[0].text)}", "busy"),) if targets[0].text else ()
    counts = activity.counts()
    wrong = sum(counts[result] for result in _ORDER[1:])
    so_far = Cell(f" · {counts.total()} of {len(targets)}", "busy")
    return (so_far, Cell(f", {wrong} not done", "bad")) if wrong else (so_far,)


def _sum(activity: Activity) -> Cells:
    """How it ended, in as few words as will do."""
    targets, counts = activity.targets, activity.counts()
    if len(targets) == 1 and (outcome := targets[0].outcome) is not None:
        word, tone = _word(outcome.result)
        said = plain(outcome.fault.message if outcome.fault else outcome.note, _LONGEST)
        return (
            (Cell(word, tone), Cell(f": {said}" if outcome.fault else f", {said}"))
            if said
            else (Cell(word, tone),)
        )
    cells: list[Cell] = []
    for result in _ORDER:
        if counts[result]:
            word, tone = _word(result)
            cells += [Cell(", ")] if cells else []
            cells.append(Cell(f"{counts[result]} {word}", tone))
    waiting = len(targets) - counts.total()
    if waiting:
        cells += [Cell(", ")] if cells else []
        cells.append(Cell(f"{waiting} waiting", "busy"))
    return tuple(cells)


class _Group(NamedTuple):
    """Targets of which the same is to be said."""

    targets: list[Target]
    said: str
    hint: str


def _groups(targets: Sequence[Target]) -> list[_Group]:
    """The targets by what became of them; trouble first, then what is under way."""
    found: dict[tuple[object, ...], list[Target]] = {}
    for target in targets:
        outcome = target.outcome
        if outcome is None:
            found.setdefault((_rank(None), target.text, "", ""), []).append(target)
        elif outcome.fault is not None:
            # Messages name their node: without that, those of all nodes in the same trouble are one.
            alike = outcome.fault.message.replace(target.name, "…")
            found.setdefault((_rank(outcome.result), alike, outcome.fault.hint, ""), []).append(target)
        else:
            found.setdefault((_rank(outcome.result), outcome.note, "", outcome.state), []).append(target)
    groups = []
    for key in sorted(found, key=lambda key: (key[0], -len(found[key]))):
        members = sorted(found[key], key=lambda target: natural(target.name))
        said, hint = str(key[1]), str(key[2])
        fault = members[0].outcome.fault if members[0].outcome else None
        if fault is not None:
            said = fault.message if len(members) == 1 else said
        groups.append(_Group(members, plain(said, _LONGEST), plain(hint, _LONGEST)))
    return groups


def _rank(result: Result | None) -> int:
    order: tuple[Result | None, ...] = ("unknown", "failed", "refused", None, "done")
    return order.index(result)


def _group_lines(group: _Group, width: int) -> list[Cells]:
    first = group.targets[0].outcome
    word, tone = RESULTS[first.result] if first is not None else ("◐ waiting", "busy")
    count = len(group.targets)
    facts = [f"{count} nodes"] if count > 1 else []
    if first is not None and first.result == "done":
        facts.append(f"now {first.state}")
    slowest = max((target.outcome.seconds for target in group.targets if target.outcome), default=0.0)
    if slowest:
        facts.append(took(slowest) if count == 1 else f"{took(slowest)} at most")
    names = _names(group.targets)
    lines: list[Cells] = []
    if count == 1:
        lines.append((Cell(word, tone), Cell(f"  {names[0]}", "strong"), Cell(_joined(facts), "dim")))
    else:
        lines.append((Cell(word, tone), Cell(_joined(facts), "dim")))
        lines += _wrapped("  ".join(names), width, "    ")
    if group.said:
        lines += _wrapped(group.said, width, "    ", tone if tone == "bad" else "")
    if group.hint:
        lines += _wrapped(f"→ {group.hint}", width, "    ")
    return lines


def _joined(facts: Sequence[str]) -> str:
    return "".join(f" · {fact}" for fact in facts)


def _receipts(requests: Sequence[Request], width: int) -> list[Cells]:
    lines: list[Cells] = []
    for request in requests:
        receipt = request.receipt
        whom = f" for {len(request.targets)} nodes" if len(requests) > 1 else ""
        if receipt is not None:
            said = f"receipt{whom}: journal no. {receipt.journal_id}, {plain(receipt.head)[:_HASH]}"
            lines += _wrapped(said, width, tone="dim")
        elif request.answered:
            said = "No receipt: airboss's disk has not taken the outcome. Tell the site's admin."
            lines += _wrapped(said, width, tone="bad")
    return lines


def _names(targets: Sequence[Target]) -> list[str]:
    return [plain(t.name) for t in sorted(targets, key=lambda target: natural(target.name))]


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _wrapped(text: str, width: int, indent: str = "", tone: Tone = "") -> list[Cells]:
    wrapped = textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
    return [(Cell(piece, tone),) for piece in wrapped]
