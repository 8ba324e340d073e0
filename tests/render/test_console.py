"""A console's status line, and the words about pastes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pilot.console import paste
from pilot.records import Node
from pilot.render.console import State, copied_words, paste_question, status
from tests.client.stand_in import NOW, node


@dataclass
class Session:
    name: str = "compute-0-0"
    state: State = "live"
    why: str = ""
    since: float = NOW - 12
    writing: bool = True


def said(session: Session, record: Node | None = None, room: int = 100) -> tuple[str, str]:
    left, right = status(session, record, NOW, room)
    return "".join(cell.text for cell in left), "".join(cell.text for cell in right)


@pytest.mark.parametrize(
    ("session", "record", "words"),
    [
        (Session(), node(0), "you write"),
        (Session(), node(0, watchers=1), "you write, 1 other watches"),
        (Session(), node(0, watchers=3), "you write, 3 others watch"),
        (Session(writing=False), node(0, writer="bob", watchers=1), "bob writes, you watch"),
        (Session(writing=False), node(0, writer="bob", watchers=2), "bob writes, you watch, 1 other watches"),
        (Session(writing=False), node(0), "nobody writes, you watch"),
        (Session(writing=False), None, "nobody writes, you watch"),
        (Session(state="opening"), node(0), "◌ opening …"),
        (Session(state="lost", why="airboss stops"), node(0), "▲ lost 12 s ago: airboss stops; trying again"),
        (Session(state="ended", why="not yours any more"), node(0), "✕ not yours any more"),
    ],
)
def test_who_is_there_and_how_it_is(session: Session, record: Node | None, words: str) -> None:
    assert said(session, record)[0] == f"⌁ compute-0-0 · {words}"


def test_the_node_stands_at_the_right_as_far_as_there_is_room() -> None:
    record = node(0, state="on", since=NOW - 7200)
    assert said(Session(), record)[1] == "● on 2 h · h0"
    assert said(Session(), record, room=40)[1] == "● on"
    assert said(Session(), None)[1] == ""


def test_a_paste_says_what_is_lost_of_it() -> None:
    asked = paste.question("echo one\n" * 120 + "\x1b[2J")
    assert asked is not None
    what, words = paste_question(asked, 12)
    assert what == "121 lines"
    assert "That takes 12 s." in words
    assert "1 control character is left out." in words
    long = paste.question("x" * 5000)
    assert long is not None
    assert paste_question(long, 0.5)[0] == "5,000 characters"


def test_what_was_copied() -> None:
    assert copied_words("a\nb", True) == "copied 2 lines"
    assert copied_words("abc", True) == "copied 3 characters"
    assert "too long" in copied_words("abc", False)
