"""Whose answer is another one."""

from __future__ import annotations

from pilot.console.bittty_engine import BitttyEngine
from pilot.live.differing import ANSWER_LINES, NAME, Mark, differing, usual


def asked(name: str, answer: str, *, before: str = "old\r\n" * 30) -> tuple[str, ...]:
    """What a terminal makes of an answer at its prompt."""
    engine = BitttyEngine(80, 24, scrollback=500)
    engine.feed(f"{before}root@{name}:~# ".encode())
    mark = Mark(engine)
    engine.feed(f"uptime\r\n{answer}root@{name}:~# ".encode())
    return mark.answer(name)


def test_an_answer_is_what_came_since_without_the_nodes_own_name() -> None:
    assert asked("compute-0-1", "compute-0-1 up\r\n") == (
        f"root@{NAME}:~# uptime",
        f"{NAME} up",
        f"root@{NAME}:~#",
    )
    assert asked("compute-0-1", "compute-0-10 up\r\n")[1] == "compute-0-10 up"
    assert asked("compute-0-1", "ok\r\n") == asked("compute-0-2", "ok\r\n")
    assert asked("a", "ok\r\n", before="") == asked("b", "ok\r\n"), "where on the screen it is counts nothing"


def test_a_node_that_is_named_in_the_typed_line_is_the_same_line_for_all() -> None:
    names = ("compute-0-1", "compute-0-2")
    answers = []
    for name in names:
        engine = BitttyEngine(80, 24)
        engine.feed(f"root@{name}:~# ".encode())
        mark = Mark(engine)
        engine.feed(f"ping compute-0-2\r\ncompute-0-2 is there\r\nroot@{name}:~# ".encode())
        answers.append(mark.answer(name, names))
    assert {answer[0] for answer in answers} == {f"root@{NAME}:~# ping {NAME}"}
    assert [answer[1] for answer in answers] == ["compute-0-2 is there", f"{NAME} is there"]


def test_a_long_answer_is_compared_by_its_first_lines() -> None:
    long = asked("a", "".join(f"{line}\r\n" for line in range(400)))
    assert len(long) == ANSWER_LINES
    assert long[1:3] == ("0", "1")
    assert len(asked("a", "x\r\n" * 5000)) == ANSWER_LINES


def test_a_cleared_screen_and_a_program_of_the_whole_screen_are_compared_as_they_stand() -> None:
    assert asked("a", "\x1b[H\x1b[2Jnew\r\n") == ("new", f"root@{NAME}:~#")
    engine = BitttyEngine(80, 24, scrollback=500)
    engine.feed(b"before\r\n" * 50)
    mark = Mark(engine)
    engine.feed(b"top\r\n\x1b[?1049h\x1b[Htasks 3")
    assert mark.answer("a") == ("tasks 3",)


def test_who_differs_from_most() -> None:
    answers = {"a": ("x",), "b": ("x",), "c": ("y",)}
    assert differing(answers) == {"c"}
    assert usual(answers) == ("x",)
    assert differing({"a": ("x",), "b": ("y",)}) == {"b"}, "of two the second is the other one"
    assert not differing({"a": ("x",)})
    assert not differing({})
    assert usual({}) is None
