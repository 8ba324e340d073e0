"""Whether a terminal is asked for graphics, what its answers mean, and that they are no keys."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App

from pilot.widgets.faithful_keys import FaithfulParser
from pilot.widgets.graphics import TerminalGraphics
from pilot.widgets.terminal_answers import LONGEST, AnswerFilter, TerminalAnswered

OK, NAME = "\x1b_Gi=31;OK\x1b\\", "\x1bP>|kitty(0.40.1)\x1b\\"
PLAIN = {"TERM": "xterm-256color"}


class Terminal:
    """An app's terminal as far as graphics go."""

    is_headless = False
    no_color = False

    def __init__(self, colours: str = "truecolor") -> None:
        self.written = ""
        self.console = self
        self.color_system = colours
        self._driver = self

    def write(self, text: str) -> None:
        self.written += text


def graphics(
    wanted: str = "auto", environment: dict[str, str] | None = None, colours: str = "truecolor"
) -> tuple[TerminalGraphics, Terminal]:
    terminal = Terminal(colours)
    app = cast("App[Any]", terminal)
    return TerminalGraphics(app, wanted, environment=PLAIN if environment is None else environment), terminal


def found_out(found: TerminalGraphics, *answers: str) -> tuple[bool, int]:
    """Whether it is capable after these answers, and how often that was told."""
    told: list[int] = []
    found.find_out(lambda: told.append(1))
    for answer in answers:
        found.answered(answer)
    return found.capable, len(told)


def is_busy(found: TerminalGraphics) -> bool:
    return found.busy


def test_graphics_and_a_name_that_is_known() -> None:
    for answers in ((OK, NAME), (NAME, OK)):
        found, terminal = graphics()
        assert found_out(found, *answers) == (True, 1)
        assert terminal.written.count("a=q") == 1
        assert found_out(found) == (True, 1), "who comes later is told at once, and nothing is asked again"
        assert terminal.written.count("a=q") == 1


@pytest.mark.parametrize(
    "answers", [(), (OK,), (NAME,), (OK, "\x1bP>|WezTerm 2024\x1b\\"), (NAME, "\x1b_Gi=31;ENOSYS\x1b\\")]
)
def test_less_than_that_is_not_enough(answers: tuple[str, ...]) -> None:
    assert found_out(graphics()[0], *answers) == (False, 0)


def test_the_environment_may_name_it() -> None:
    for environment in (
        {"TERM": "xterm-kitty"},
        {"TERM": "xterm-ghostty"},
        {**PLAIN, "KITTY_WINDOW_ID": "1"},
    ):
        assert found_out(graphics(environment=environment)[0], OK) == (True, 1)


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "linux"}, {"TERM": "dumb"}, {"TERM": "tmux-256color"}, {**PLAIN, "TMUX": "/tmp/x"},
     {**PLAIN, "TERM_PROGRAM": "Apple_Terminal"}],
)  # fmt: skip
def test_who_is_not_asked(environment: dict[str, str]) -> None:
    found, terminal = graphics(environment=environment)
    assert found_out(found) == (False, 0)
    assert not terminal.written


def test_a_setting_that_wants_it_or_does_not() -> None:
    found, terminal = graphics("kitty", {"TERM": "tmux-256color", "TMUX": "/tmp/x"})
    assert found_out(found) == (True, 1)
    assert found.in_tmux
    assert not terminal.written
    for wanted in ("text", "blocks"):
        found, terminal = graphics(wanted)
        assert found_out(found, OK, NAME) == (True, 1), "unasked, but it has said so"
        assert not terminal.written
    assert found_out(graphics("kitty", colours="256")[0]) == (False, 0), "an id is a colour of 24 bits"


def test_one_frame_on_its_way() -> None:
    found, terminal = graphics()
    found_out(found, OK, NAME)
    terminal.written = ""
    found.send(b"pictures", 70_000)
    assert terminal.written == "\x1b[?2026hpictures\x1b[?2026l"
    assert is_busy(found)
    found.answered("\x1b_Gi=70001,p=1;OK\x1b\\")
    assert is_busy(found)
    found.answered("\x1b_Gi=70000,p=1;OK\x1b\\")
    assert not is_busy(found)
    found.send(b"", 70_000)
    assert not is_busy(found)
    found.answered("\x1b_Gi=70000,p=1;ENOSPC\x1b\\")
    assert not found.capable


@given(st.lists(st.sampled_from(["a", "é", "\x1b[A", "\x1b_", "\x1bP", OK, NAME]), max_size=8), st.data())
def test_answers_are_parted_from_keys_however_they_are_cut(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    # A terminal writes an answer at once: its first bytes are not cut apart.
    starts = [
        at
        for at in range(len(text))
        if not any(text[at - n : at + 6 - n] in (OK[:6], NAME[:6]) for n in range(1, 6))
    ]
    cuts = sorted(data.draw(st.sets(st.sampled_from(starts or [0]), max_size=4)))
    keys, answers, whole = "", [], AnswerFilter()
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        for piece in whole.split(text[begin:end]):
            if isinstance(piece, TerminalAnswered):
                answers.append(piece.text)
            else:
                keys += piece
    assert answers == [part for part in parts if part in (OK, NAME)]
    assert keys == "".join(part for part in parts if part not in (OK, NAME))


def test_what_never_ends_is_no_answer() -> None:
    held = AnswerFilter()
    assert list(held.split("\x1b_Gi=1;" + "x" * 100)) == []
    assert "".join(str(piece) for piece in held.split("x" * LONGEST)).startswith("\x1b_Gi=1;")


def test_keys_around_an_answer() -> None:
    parser = FaithfulParser()
    got = [*parser.feed(f"a{OK[:9]}"), *parser.feed(f"{OK[9:]}{NAME}b")]
    keys = [event.key for event in got if isinstance(event, events.Key)]
    assert keys == ["a", "b"]
    assert [event.text for event in got if isinstance(event, TerminalAnswered)] == [OK, NAME]
