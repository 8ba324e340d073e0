"""A console's status line, and the words about pastes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pilot import wire
from pilot.console import paste
from pilot.people import People
from pilot.records import Node
from pilot.render import people as render_people
from pilot.render.console import State, copied_words, off, paste_question, status
from tests.client.stand_in import NOW, node


@dataclass
class Session:
    name: str = "compute-0-0"
    state: State = "live"
    why: str = ""
    since: float = NOW - 12
    writing: bool = True
    people: People | None = None
    loading: bool = False


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


def person(number: int, principal: str, *, writing: bool = False, typed: float = NOW - 5) -> wire.Person:
    return wire.Person(number, principal, writing, NOW - 3700, typed, number != 9)


ADA = person(1, "ada")
BOB = person(2, "bob", writing=True, typed=NOW - 200)
CAROL = person(3, "carol")
DAVE = person(9, "dave", typed=0.0)


@pytest.mark.parametrize(
    ("people", "writing", "room", "words"),
    [
        ((ADA,), True, 100, "you write"),
        ((ADA,), False, 100, "nobody writes, you watch"),
        ((ADA, BOB), True, 100, "you write, bob (idle 3 min) too"),
        ((ADA, BOB, CAROL), False, 100, "bob (idle 3 min) writes, you watch, carol watches"),
        ((ADA, BOB, CAROL, DAVE), True, 100, "you write, bob (idle 3 min) too, carol and dave watch"),
        ((ADA, BOB, CAROL, DAVE), True, 66, "you write, bob too, carol and dave watch"),
        ((ADA, BOB, CAROL, DAVE), True, 55, "you write, bob too, 2 watching"),
        ((ADA, BOB, CAROL, DAVE), True, 38, "you write, 4 here"),
        ((ADA, BOB, CAROL, DAVE), True, 10, "you write"),
        ((ADA, BOB, CAROL), False, 53, "bob writes, you watch, 1 watching"),
        ((ADA, CAROL, CAROL, CAROL), True, 100, "you write, carol x3 watch"),
        ((ADA, person(4, "x\x1b[2Jy")), True, 100, "you write, x\ufffd[2Jy watches"),
    ],
)
def test_people_are_named_as_far_as_there_is_room(
    people: tuple[wire.Person, ...], writing: bool, room: int, words: str
) -> None:
    session = Session(writing=writing, people=People(wire.Presence(people, 1, NOW), NOW))
    assert said(session, None, room)[0] == f"⌁ compute-0-0 · {words}"


def test_rows_of_people_say_since_when_and_how_long_quiet() -> None:
    people = People(wire.Presence((ADA, BOB, DAVE), 1, NOW), NOW - 1000)
    rows = [
        tuple("".join(cell.text for cell in cells).strip() for cells in render_people.row(people, one, NOW))
        for one in people.presence.people
    ]
    assert rows == [
        ("watches  ada (you)", "idle 16 min  here 1 h"),
        ("✎ writes   bob", "idle 20 min  here 1 h"),
        ("watches  dave", "may only watch  typed nothing yet  here 1 h"),
    ]


def test_what_else_stands_in_the_status_line() -> None:
    assert said(Session(loading=True))[0] == "⌁ compute-0-0 · you write · older lines: loading …"
    assert said(Session(loading=True), room=50)[0] == "⌁ compute-0-0 · you write"
    assert said(Session(), node(0, state="on", recorded=True))[1].startswith("◉ recorded · ● on")
    assert off(node(0, state="on"), NOW) == []
    assert off(node(0, state="off", since=NOW - 7200), NOW)[1].text == " 2 h: this is what it printed last"


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
