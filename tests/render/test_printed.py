"""Lines as a person would have seen them."""

from __future__ import annotations

import random
import time

import pytest

from pilot.render.printed import printed


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"plain\r\n", "plain"),
        ("grün ✓\n".encode(), "grün ✓"),
        (b"bad \xff utf-8", "bad \N{REPLACEMENT CHARACTER} utf-8"),
        (b"10%\r 20%\r100%\n", "100%"),
        (b"login: rooot\b\b\x1b[Kt\r\n", "login: root"),
        (b"ls -l\b\b\b\x1b[3P -a", "ls -a"),
        (b"ac\x1b[D\x1b[@b", "abc"),
        (b"a\tb", "a       b"),
        (b"a\x1b[5Cb", "a     b"),
        (b"abc\x1b[2Gx", "axc"),
        (b"\x1b[2J\x1b[Hclear", "clear"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]52;c;aGk=\x1b\\text", "text"),
        (b"\x1bP+q544e\x1b\\text\x1b(B", "text"),
        (b"\x1b[31mred\x1b[0m", "red"),
        ("a\u202eb\u2066c\u2028d".encode(), "abcd"),
        (b"bell\x07\x00", "bell"),
        (b"cut\x1b", "cut"),
        (b"cut\x1b[1;3", "cut"),
        (b"", ""),
        (b"\r\n", ""),
    ],
)
def test_what_is_seen(data: bytes, seen: str) -> None:
    assert printed(data) == seen


def test_colours_stay_where_they_are_wanted_and_end_with_the_line() -> None:
    assert printed(b"\x1b[1m\x1b[31mred\x1b[m plain\r\n", True) == "\x1b[0m\x1b[1m\x1b[31mred\x1b[0m plain"
    assert printed(b"\x1b[31mred", True) == "\x1b[0m\x1b[31mred\x1b[0m"
    assert printed(b"\x1b[2m[pilot]\x1b[m", True) == "\x1b[0m\x1b[2m[pilot]\x1b[0m"


def test_nothing_that_a_terminal_obeys_passes_and_nothing_takes_long() -> None:
    chance = random.Random(4)
    pieces = [*b"\x1b[]mK@PC\r\bx\x9b", b"0;", b"999999999", b"\xc2\x9b"]
    controls = {chr(code) for code in (*range(32), *range(127, 160))}
    begun = time.monotonic()
    for _ in range(300):
        chosen = (chance.choice(pieces) for _ in range(500))
        data = b"".join(bytes([one]) if isinstance(one, int) else one for one in chosen)
        assert controls.isdisjoint(printed(data))
    for hostile in (b"\x1b[999@", b"x\x1b[1K", b"x\x1b[999C", b"x\x1b[1;2;3m", b"\x1b[P", b"\x1b]"):
        text = printed(hostile * (8192 // len(hostile)), True)
        assert len(text) < 1_000_000
    assert time.monotonic() - begun < 30


def test_a_line_without_an_end_takes_no_longer_than_it_is_long() -> None:
    data = b"x" * 240_000 + b"\r" + b"\x1b[P" * 80_000
    begun = time.process_time()
    shown = printed(data, colour=True)
    assert time.process_time() - begun < 3
    assert set(shown) <= {"x", "[", "P"}
