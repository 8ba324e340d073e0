"""Screens by Kitty's graphics protocol: what a terminal shows is the guest's picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.vnc import kitty, kitty_protocol
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.kitty import KittyTiles
from pilot.vnc.kitty_protocol import Ids, question, read_answer
from pilot.vnc.renderer import Frame, View
from tests.vnc.kitty_terminal import MARKS, KittyTerminal
from tests.vnc.scripted import picture

CELL = (8, 16)


def screen_of(width: int, height: int, seed: int = 1) -> Framebuffer:
    screen = Framebuffer(width, height)
    screen.packed[...] = picture(width, height, seed=seed)
    return screen


def draw(tiles: KittyTiles, terminal: KittyTerminal, screen: Framebuffer, view: View) -> Frame:
    """Draw all of it, frame by frame, each only when the terminal has said that it has the one before."""
    while True:
        frame = tiles.draw(screen, screen.take_dirty(), view)
        assert frame is not None
        terminal.take(frame.graphics)
        if tiles.awaited is not None:
            assert terminal.answers.pop() == f"\x1b_Gi={tiles.awaited},p=1;OK\x1b\\"
        assert not terminal.answers
        if not tiles.behind:
            return frame


def one_to_one(columns: int, rows: int) -> View:
    return View(columns, rows, *CELL, zoom=1.0)


def test_the_marks_follow_unicodes_rule() -> None:
    assert list(kitty_protocol.MARKS) == MARKS[: kitty_protocol.MOST_CELLS]


def test_the_terminal_shows_the_guests_pixels() -> None:
    screen, terminal = screen_of(640, 400), KittyTerminal(CELL)
    frame = draw(KittyTiles(), terminal, screen, one_to_one(80, 25))
    assert len(frame.lines) == 25
    assert frame.scale == (8.0, 16.0)
    assert np.array_equal(terminal.seen(frame.lines), screen.pixels)


def test_only_tiles_that_changed_are_sent() -> None:
    screen, terminal, tiles = screen_of(640, 400), KittyTerminal(CELL), KittyTiles()
    view = one_to_one(80, 25)
    before = draw(tiles, terminal, screen, view)
    terminal.received = 0
    assert draw(tiles, terminal, screen, view).lines == before.lines
    assert terminal.received == 0
    screen.packed[130:140, 260:270] ^= 0xFFFFFF
    screen.touch(Rect(260, 130, 10, 10))
    frame = draw(tiles, terminal, screen, view)
    assert terminal.received == 1
    assert np.array_equal(terminal.seen(frame.lines), screen.pixels)
    # Touched, but as it was.
    screen.touch(Rect(0, 0, 640, 400))
    draw(tiles, terminal, screen, view)
    assert terminal.received == 1


def test_few_tiles_at_once_and_then_what_they_look_like_by_then() -> None:
    screen, terminal, tiles = screen_of(1280, 1024), KittyTerminal(CELL), KittyTiles()
    view = one_to_one(160, 64)
    first = tiles.draw(screen, screen.take_dirty(), view)
    assert first is not None
    terminal.take(first.graphics)
    terminal.answers.clear()
    assert terminal.received == kitty.MOST_TILES
    assert tiles.behind
    # The guest goes on meanwhile: what was not sent yet is sent as it is now, once.
    screen.packed[...] = picture(1280, 1024, seed=2)
    screen.touch(screen.whole)
    draw(tiles, terminal, screen, view)
    assert terminal.received <= 2 * 80
    final = draw(tiles, terminal, screen, view)
    assert np.array_equal(terminal.seen(final.lines), screen.pixels)


def test_what_changes_all_the_time_keeps_no_tile_waiting() -> None:
    screen, terminal, tiles = screen_of(1280, 1024), KittyTerminal(CELL), KittyTiles()
    for _ in range(4):
        frame = tiles.draw(screen, (screen.whole,), one_to_one(160, 64))
        assert frame is not None
        terminal.take(frame.graphics)
        screen.packed[:512] ^= 0xFFFFFF
    assert len(terminal.images) == 80


def test_another_view_and_the_end() -> None:
    screen, terminal, tiles = screen_of(640, 400), KittyTerminal(CELL), KittyTiles(ids=Ids(0xFFFFFE))
    draw(tiles, terminal, screen, one_to_one(80, 25))
    assert len(terminal.images) == 5 * 4
    assert all(0x10000 <= id <= 0xFFFFFF for id in terminal.images)
    small = View(40, 20, *CELL, zoom=1.0, left=100, top=60)
    frame = draw(tiles, terminal, screen, small)
    assert len(terminal.images) == 3 * 3
    assert frame.origin == (100, 60)
    assert np.array_equal(terminal.seen(frame.lines), screen.pixels[60:380, 100:420])
    assert all(tiles.owns(id) for id in terminal.images)
    terminal.take(tiles.close())
    assert not terminal.images
    again = draw(tiles, terminal, screen, small)
    assert np.array_equal(terminal.seen(again.lines), screen.pixels[60:380, 100:420])


def test_what_the_terminal_lost_is_sent_again() -> None:
    screen, terminal, tiles = screen_of(320, 200), KittyTerminal(CELL), KittyTiles()
    draw(tiles, terminal, screen, one_to_one(40, 13))
    terminal.images.clear()
    tiles.forget()
    frame = draw(tiles, terminal, screen, one_to_one(40, 13))
    assert np.array_equal(terminal.seen(frame.lines)[:200], screen.pixels)


def test_the_last_cells_are_black_beside_the_screen() -> None:
    screen, terminal = screen_of(100, 50), KittyTerminal((10, 20))
    frame = draw(KittyTiles(), terminal, screen, View(200, 100, 10, 20, zoom=1.0))
    assert len(frame.lines) == 3
    seen = terminal.seen(frame.lines)
    assert np.array_equal(seen[:50, :100], screen.pixels)
    assert not seen[50:].any()


def test_through_tmux_nothing_is_awaited() -> None:
    screen, terminal, tiles = screen_of(200, 200), KittyTerminal(CELL), KittyTiles(passthrough=True)
    frame = tiles.draw(screen, (), one_to_one(25, 13))
    assert frame is not None
    assert tiles.awaited is None
    parts = frame.graphics.split(b"\x1bPtmux;")
    assert parts[0] == b""
    for part in parts[1:]:
        assert part.endswith(b"\x1b\\")
        inner = part[:-2]
        assert b"\x1b" not in inner.replace(b"\x1b\x1b", b"")
        terminal.take(inner.replace(b"\x1b\x1b", b"\x1b"))
    assert not terminal.answers
    assert np.array_equal(terminal.seen(frame.lines)[:200], screen.pixels)


@given(
    st.integers(1, 300), st.integers(1, 200), st.integers(1, 60), st.integers(1, 20),
    st.integers(3, 30), st.integers(6, 40), st.sampled_from([0.0, 0.3, 1.0, 2.5]), st.integers(-50, 400),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_any_size_is_covered(
    width: int, height: int, columns: int, rows: int, across: int, down: int, zoom: float, left: int
) -> None:
    screen, terminal, tiles = screen_of(width, height), KittyTerminal((across, down)), KittyTiles()
    view = View(columns, rows, across, down, zoom, left, left)
    frame = draw(tiles, terminal, screen, view)
    assert 1 <= len(frame.lines) <= rows
    seen = terminal.seen(frame.lines)
    assert seen.shape[1] <= columns * across
    x, y = min(width - 1, width // 2), min(height - 1, height // 2)
    screen.packed[y : y + 1, x : x + 1] ^= 0xFFFFFF
    screen.touch(Rect(x, y, 1, 1))
    part = draw(tiles, terminal, screen, view)
    whole = KittyTerminal((across, down))
    anew = draw(KittyTiles(), whole, screen, view)
    assert np.array_equal(terminal.seen(part.lines), whole.seen(anew.lines))


def test_answers() -> None:
    assert question().startswith(b"\x1b_Ga=q,i=31,")
    assert read_answer("\x1b_Gi=31;OK\x1b\\") == (31, "OK")
    assert read_answer("\x1b_Gi=70000,p=1;ENOSPC:too much\x1b\\") == (70000, "ENOSPC:too much")
    for other in ("\x1bP>|kitty(0.40)\x1b\\", "\x1b_Gi=x;OK\x1b\\", "\x1b_Gi=1;OK", ""):
        assert read_answer(other) is None


@pytest.mark.parametrize("cells", [(1, 1), (30, 30)])
def test_a_row_of_cells(cells: tuple[int, int]) -> None:
    columns, rows = cells
    text = kitty_protocol.cells(rows - 1, columns)
    assert len(text) == 3 * columns
    assert {text[at] for at in range(1, len(text), 3)} == {MARKS[rows - 1]}
