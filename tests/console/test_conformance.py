"""The terminal engine shows what tmux shows: the same bytes of real programs in both, row by row."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from pilot.console.bittty_engine import BitttyEngine
from pilot.console.engine import Look
from tests.console.record import FOLDER, SESSIONS
from tests.console.replay import Shown, TmuxScreens

CHECKPOINTS = 8
"""Places in the middle of a recording that are compared besides its end."""


@pytest.fixture(scope="module")
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TmuxScreens]:
    with TmuxScreens(tmp_path_factory.mktemp("tmux")) as screens:
        yield screens


def test_there_are_recordings_of_all_sessions() -> None:
    assert {path.stem for path in FOLDER.glob("*.bytes")} == set(SESSIONS)


@pytest.mark.parametrize("name", SESSIONS)
def test_the_screen_is_as_in_tmux(name: str, tmux: TmuxScreens) -> None:
    data = (FOLDER / f"{name}.bytes").read_bytes()
    session = SESSIONS[name]
    for end in [*_checkpoints(data), len(data)]:
        engine = BitttyEngine(session.columns, session.rows)
        engine.feed(data[:end])
        _compare(engine, tmux.show(data[:end], session.columns, session.rows), f"{name} up to {end}")
        assert not engine.faults


@pytest.mark.parametrize("name", SESSIONS)
def test_how_it_is_cut_makes_no_difference(name: str) -> None:
    data = (FOLDER / f"{name}.bytes").read_bytes()
    session = SESSIONS[name]
    whole = BitttyEngine(session.columns, session.rows)
    whole.feed(data)
    for seed in range(3):
        chance = random.Random(seed)
        cut = BitttyEngine(session.columns, session.rows)
        place = 0
        while place < len(data):
            size = chance.choice((1, 2, 7, 100, 5000))
            cut.feed(data[place : place + size])
            place += size
        assert everything(cut) == everything(whole)


@pytest.mark.parametrize("name", SESSIONS)
def test_it_can_return_to_what_it_was(name: str) -> None:
    data = (FOLDER / f"{name}.bytes").read_bytes()
    session = SESSIONS[name]
    chance = random.Random(name)
    engine = BitttyEngine(session.columns, session.rows)
    places = sorted(chance.sample(range(len(data)), 4))
    states, then = [], []
    for begin, end in pairwise([0, *places]):
        engine.feed(data[begin:end])
        states.append(engine.state())
        then.append(everything(engine))
    engine.feed(data[places[-1] :])
    whole = everything(engine)
    for _ in range(6):
        at = chance.randrange(len(places))
        if chance.random() < 0.5:
            engine.reset()
            engine.resize(33, 7)
            engine.feed(data[: len(data) // 3])
        engine.return_to(states[at])
        assert everything(engine) == then[at]
        assert engine.take_changed() is None
        engine.feed(data[places[at] :])
        assert everything(engine) == whole


def test_the_scrollback_is_as_in_tmux(tmux: TmuxScreens) -> None:
    chance = random.Random(1)
    data = b"".join(
        b"\x1b[%dm%d\x1b[m %s\r\n" % (chance.choice((0, 1, 31, 44)), number, b"word " * chance.randrange(40))
        for number in range(300)
    )
    engine = BitttyEngine(80, 24)
    engine.feed(data)
    joined, begun = list[str](), ""
    for number in range(engine.history + engine.rows):
        begun += engine.text(number)
        if not engine.wrapped(number):
            joined.append(begun.rstrip(" "))
            begun = ""
    assert [line.rstrip(" ") for line in tmux.show(data, 80, 24).joined] == joined


def everything(engine: BitttyEngine) -> tuple[object, ...]:
    """All that an engine shows."""
    lines = [(engine.line(number), engine.wrapped(number)) for number in range(engine.history + engine.rows)]
    return lines, engine.cursor, engine.modes, engine.title, engine.bells, engine.dropped


def _checkpoints(data: bytes) -> list[int]:
    """Some places before an escape sequence: before such a one nothing is half said."""
    places = [match.start() for match in re.finditer(rb"(?<!\x1b)\x1b\[", data)]
    return sorted(random.Random(len(data)).sample(places, min(CHECKPOINTS, len(places))))


def _compare(engine: BitttyEngine, shown: Shown, what: str) -> None:
    first = engine.history
    rows = [engine.text(first + row).rstrip(" ") for row in range(engine.rows)]
    assert rows == shown.rows, what
    assert engine.cursor[:2] == shown.cursor, what
    for row, expected in enumerate(shown.looks):
        assert _visible(_looks(engine, first + row)) == _visible(expected), f"{what}, row {row}"


def _looks(engine: BitttyEngine, number: int) -> list[tuple[str, Look]]:
    return [(character, run.look) for run in engine.line(number) for character in run.text]


def _visible(cells: list[tuple[str, Look]]) -> list[tuple[str, Look]]:
    """Without what cannot be seen: how blanks are written; and without blanks at the end.

    tmux does not tell of those that were only erased, whatever their background is.
    """
    seen = [(text, _of_blank(look) if text == " " else look) for text, look in cells]
    while seen and seen[-1][0] == " ":
        seen.pop()
    return seen


def _of_blank(look: Look) -> Look:
    if look.reverse:
        return look._replace(bold=False, dim=False, italic=False, blink=False, conceal=False)
    return Look(background=look.background, underline=look.underline, strike=look.strike)
