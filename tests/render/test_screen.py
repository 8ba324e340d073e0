"""A screen's status in words."""

from __future__ import annotations

import msgspec
import pytest

from pilot.records import Node
from pilot.render import screen
from pilot.render.screen import State
from pilot.render.table import Cell

NOW = 1_800_000_000.0


class Seen(msgspec.Struct):
    name: str = "compute-0-0"
    state: State = "live"
    why: str = ""
    since: float = NOW - 14
    updated: float | None = NOW - 3
    controlling: bool = True
    exclusive: bool = False
    others: int = 0


NODE = Node("id", "compute-0-0", "vc1", "h0", "domain", "on", NOW - 120, screen=True)


def said(seen: Seen, node: Node | None = NODE, room: int = 100) -> tuple[str, str]:
    left, right = screen.status(seen, node, NOW, room, (720, 400))
    return _text(left), _text(right)


def _text(cells: list[Cell]) -> str:
    return "".join(cell.text for cell in cells)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Seen(), "▣ compute-0-0 · you control · 720x400"),
        (Seen(controlling=False), "▣ compute-0-0 · you watch · 720x400"),
        (Seen(exclusive=True, others=1), "▣ compute-0-0 · you control, alone · 720x400"),
        (Seen(others=1), "▣ compute-0-0 · you control, 1 other looks too · 720x400"),
        (Seen(others=2), "▣ compute-0-0 · you control, 2 others look too · 720x400"),
        (Seen(state="opening"), "▣ compute-0-0 · ◌ connecting …"),
        (Seen(state="opening", why="no link"), "▣ compute-0-0 · ◌ connecting: no link"),
        (Seen(state="waiting", why="○ it is off"), "▣ compute-0-0 · ○ it is off"),
        (Seen(state="lost", why="no link"), "▣ compute-0-0 · ▲ lost 14 s ago: no link; trying again"),
        (Seen(state="ended", why="not yours"), "▣ compute-0-0 · ✕ not yours"),
    ],
)
def test_each_state_has_a_sign_and_words(seen: Seen, words: str) -> None:
    assert said(seen) == (words, "● on 2 min · h0")


def test_little_room_and_no_node() -> None:
    assert said(Seen(), room=40) == ("▣ compute-0-0 · you control", "● on")
    assert said(Seen(), None)[1] == ""


def test_a_node_that_hangs() -> None:
    hung = msgspec.structs.replace(NODE, hung_ms=14_000)
    left, right = said(Seen(), hung)
    assert left == "▣ compute-0-0 · ▲ it hangs: the picture is the last before"
    assert right.startswith("▲ hung 14 s")
    assert screen.age(Seen(), True, NOW) == "as it was 3 s ago"
    assert screen.age(Seen(), False, NOW) == ""
    assert screen.age(Seen(state="lost"), False, NOW) == "as it was 3 s ago"
    assert screen.age(Seen(state="lost", updated=None), False, NOW) == ""


def test_why_it_is_not_opened() -> None:
    def why(**fields: object) -> str:
        return screen.why_closed(msgspec.structs.replace(NODE, **fields))

    assert why() == ""
    assert why(state="paused") == ""
    assert why(hung_ms=1).startswith("▲ it hangs")
    assert why(state="off").startswith("○ it is off")
    assert why(screen=False) == "it has no screen"


def test_how_it_is_drawn() -> None:
    assert screen.drawn("text", 1.0, 0.0).text == "text 100 %"
    assert screen.drawn("text", 0.9996, 12.2).text == "text 99.9 % · 12/s"
    assert screen.drawn("kitty", None, 20.0).text == "graphics · 20/s"
    assert screen.drawn("blocks", 0.4, 0.0).text == "half blocks"
