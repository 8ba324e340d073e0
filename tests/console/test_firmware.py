"""A PC's firmware turns wrapping off on its serial console and leaves it so: the kernel's lines are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot.agent.consoles.modes import AT_REST
from pilot.agent.consoles.ring import Ring
from pilot.console.bittty_engine import BitttyEngine
from pilot.terminal_filter import TerminalFilter
from tests.console.replay import TmuxScreens

PRINTED = (Path(__file__).parent / "seabios.bytes").read_bytes()
"""SeaBIOS 1.16.2 on its serial console, iPXE, SYSLINUX and the first lines of Linux, as a VM printed them."""
BEGINS = b"\x1bc\x1b[?7l"
LINE = "(debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld"


def rows(engine: BitttyEngine) -> list[str]:
    return [engine.text(engine.history + row).rstrip() for row in range(engine.rows)]


def whole(engine: BitttyEngine) -> str:
    """All lines, those that were wrapped in one."""
    lines = range(engine.history + engine.rows)
    return "".join(engine.text(line) + ("" if engine.wrapped(line) else "\n") for line in lines)


def test_a_terminal_cuts_the_kernels_lines_and_here_they_are_whole(tmp_path: Path) -> None:
    assert PRINTED.count(BEGINS) == 2, "once for itself, and once when it hands over"
    engine = BitttyEngine(80, 24)
    engine.feed(PRINTED)
    assert LINE in whole(engine)
    with TmuxScreens(tmp_path) as tmux:
        assert LINE not in "".join(tmux.show(PRINTED, 80, 24).joined), "a real terminal does as it is told"
        shown = tmux.show(PRINTED.replace(BEGINS, b"\x1bc"), 80, 24)
    assert rows(engine) == shown.rows, "and shows what is here if it is not told to"
    assert engine.cursor[:2] == shown.cursor


def test_what_the_firmware_itself_shows_is_the_same(tmp_path: Path) -> None:
    with TmuxScreens(tmp_path) as tmux:
        for end in (200, 350, PRINTED.index(BEGINS, 1)):
            engine = BitttyEngine(80, 24)
            engine.feed(PRINTED[:end])
            shown = tmux.show(PRINTED[:end], 80, 24)
            assert rows(engine) == shown.rows
            assert engine.cursor[:2] == shown.cursor


@pytest.mark.parametrize("size", [1, 3, 4, 7, 100_000])
def test_however_it_is_cut_neither_a_terminal_nor_a_later_viewer_is_told(size: int) -> None:
    pieces = [PRINTED[at : at + size] for at in range(0, len(PRINTED), size)]
    filtered, ring = TerminalFilter(), Ring(1024, 512)
    out = b"".join(filtered.feed(piece) for piece in pieces)
    assert b"?7l" not in out
    assert filtered.reset_sequence() == b"", "there is nothing to put back"
    for piece in pieces:
        ring.append(piece)
    assert ring.state().modes == AT_REST
    assert b"?7l" not in ring.entry().prelude


@pytest.mark.parametrize("between", [b" ", b"\r", b"\x1b[m", b"\x1b[2J", b"\x1b]0;x\x07", b"\x1b7"])
def test_who_turns_wrapping_off_at_another_moment_gets_it(between: bytes) -> None:
    data = b"\x1bc" + between + b"\x1b[?7l"
    for size in (1, 2, len(data)):
        filtered, ring = TerminalFilter(), Ring()
        for at in range(0, len(data), size):
            filtered.feed(data[at : at + size])
            ring.append(data[at : at + size])
        assert b"\x1b[?7h" in filtered.reset_sequence()
        assert ring.state().modes.changed == {7}
    assert b"?7l" in TerminalFilter().feed(b"\x1b[?7l")
