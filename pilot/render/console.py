"""A console's status as cells: whose it is, who types, who else looks, how the node is."""

from __future__ import annotations

from typing import Literal, Protocol

from pilot.people import People
from pilot.records import Node
from pilot.render import people
from pilot.render.guest import NARROW, away, where
from pilot.render.nodes import state_cell
from pilot.render.table import Cell, width
from pilot.render.times import ago, clock, duration

State = Literal["opening", "live", "lost", "ended"]


class Seen(Protocol):
    """What is drawn of a console session."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def why(self) -> str: ...
    @property
    def since(self) -> float: ...
    @property
    def writing(self) -> bool: ...
    @property
    def people(self) -> People | None: ...
    @property
    def loading(self) -> bool: ...


class Paste(Protocol):
    """What is worth asking about a paste, as `pilot.console.paste` finds it."""

    @property
    def lines(self) -> int: ...
    @property
    def characters(self) -> int: ...
    @property
    def controls(self) -> int: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def long_lines(self) -> bool: ...


def status(session: Seen, node: Node | None, now: float, room: int) -> tuple[list[Cell], list[Cell]]:
    """The left and right of a status line of so many columns."""
    right = where(node, now, room)
    if node is not None and node.recorded:
        right[:0] = [Cell("◉ recorded" if room >= NARROW else "◉", "bad"), Cell(" · ", "dim")]
    left = [Cell("⌁ ", "dim"), Cell(session.name, "strong"), Cell(" · ", "dim")]
    if session.state == "live":
        loading = [Cell(" · older lines: loading …", "dim")] if session.loading and room >= NARROW else []
        taken = sum(width(cell.text) for cell in (*left, *right, *loading)) + 3
        left += _people(session, node, now, room - taken) + loading
    elif session.state == "opening":
        left.append(Cell(f"◌ opening{f': {session.why}' if session.why else ' …'}", "busy"))
    else:
        left.append(away(session, now))
    return left, right


def _people(session: Seen, node: Node | None, now: float, room: int) -> list[Cell]:
    if session.people is not None:
        return people.status(session.people, session.writing, now, room)
    others = node.watchers - (0 if session.writing else 1) if node is not None else 0
    watchers = f", {others} other{'s' if others > 1 else ''} watch{'' if others > 1 else 'es'}"
    watching = Cell(watchers if others > 0 else "", "dim")
    if session.writing:
        return [Cell("you write", "good"), watching]
    writer = node.writer if node is not None and node.writer else "nobody"
    return [Cell(f"{writer} writes, you watch", "busy"), watching]


def off(node: Node, now: float) -> list[Cell]:
    """What is said at the console of a node that does not run; nothing of one that does."""
    if node.state not in ("off", "crashed"):
        return []
    return [
        state_cell(node, now),
        Cell(f" {ago(node.since, now)}: this is what it printed last", "dim"),
    ]


class Notice(Protocol):
    """What was told of a console."""

    @property
    def time(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def what(self) -> str: ...


NOTHING_TOLD = [Cell("nothing has been told yet: who comes and goes, power, and what people say", "dim")]


def said(notice: Notice) -> list[Cell]:
    """A notice by itself: what people say is no word of airboss's."""
    if notice.what == "chat":
        who, colon, words = notice.text.partition(": ")
        return [Cell(f"» {who}{colon}", "strong"), Cell(words)]
    return [Cell(f"⌁ {notice.text}", "busy" if notice.what == "limit" else "")]


def told(notice: Notice) -> list[Cell]:
    """A notice as a line of a list."""
    return [Cell(f"{clock(notice.time)}  ", "dim"), *said(notice)]


def paste_question(asked: Paste, seconds: float) -> tuple[str, str]:
    """What is to be pasted, and what to know before: how it is typed, and what is left out of it."""
    lines = f"{asked.lines:,} line{'s' if asked.lines != 1 else ''}"
    what = lines if asked.lines > 1 else f"{asked.characters:,} characters"
    words = ["It is typed as if by hand: whatever reads there takes it for keys."]
    if seconds >= 1:
        words.append(f"That takes {duration(seconds)}.")
    if asked.truncated:
        words.append("It is too long: only the beginning is typed.")
    if asked.controls:
        one = asked.controls == 1
        words.append(f"{asked.controls:,} control character{' is' if one else 's are'} left out.")
    if asked.long_lines:
        words.append("A line in it is longer than most guests take.")
    return what, " ".join(words)


def copied_words(text: str, whole: bool) -> str:
    """What went to the clipboard."""
    lines = text.count("\n") + 1
    said = f"copied {lines:,} lines" if lines > 1 else f"copied {len(text):,} characters"
    return said if whole else f"{said}, the rest is too long for a terminal's clipboard"
