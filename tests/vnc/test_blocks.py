"""Half blocks: small pictures as they must come out, and only lines that changed made anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pilot.console.engine import Look, Run
from pilot.vnc.blocks import HalfBlocks
from pilot.vnc.framebuffer import Framebuffer, Pixels, Rect
from pilot.vnc.renderer import Frame, View
from pilot.vnc.scaling import fitting_zoom, window
from tests.vnc.scripted import picture

RED, GREEN, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 0), (255, 255, 255)


def screen_of(rows: list[list[tuple[int, int, int]]], each: tuple[int, int] = (8, 8)) -> Framebuffer:
    """Blocks of one colour, each of so many pixels."""
    pixels = np.array(rows, np.uint8).repeat(each[1], axis=0).repeat(each[0], axis=1)
    screen = Framebuffer(pixels.shape[1], pixels.shape[0])
    screen.pixels[...] = pixels
    return screen


def draw(screen: Framebuffer, view: View, blocks: HalfBlocks | None = None) -> Frame:
    frame = (blocks or HalfBlocks()).draw(screen, screen.take_dirty(), view)
    assert frame is not None
    return frame


def seen(frame: Frame) -> Pixels:
    """The picture that the cells show, two pixels of each."""
    rows = []
    for line in frame.lines:
        upper, lower = [], []
        for run in line:
            assert set(run.text) <= {"▀", " "}
            for cell in run.text:
                upper.append(run.look.foreground if cell == "▀" else run.look.background)
                lower.append(run.look.background)
        rows += [upper, lower]
    return np.array(rows, np.uint8)


def test_golden() -> None:
    screen = screen_of([[RED, RED, GREEN, BLACK], [BLACK, BLACK, GREEN, BLACK]])
    frame = draw(screen, View(4, 1))
    assert frame.lines == (
        (
            Run("▀▀", Look(RED, BLACK)),
            Run(" ", Look(background=GREEN)),
            Run(" ", Look(background=BLACK)),
        ),
    )
    assert (frame.scale, frame.origin) == ((8.0, 16.0), (0, 0))


def test_it_fits_and_averages_by_area() -> None:
    screen = screen_of([[WHITE, BLACK], [BLACK, WHITE]], (80, 80))
    frame = draw(screen, View(5, 2, 8, 16))
    # 160 pixels in 4 half blocks of 40: nothing is mixed.
    assert seen(frame).shape == (4, 4, 3)
    assert seen(frame)[0, 0].tolist() == list(WHITE)
    frame = draw(screen, View(1, 1, 8, 16))
    assert seen(frame)[0, 0].tolist() == [132, 132, 132], "half white, with five bits kept"


def test_neighbours_that_nobody_tells_apart_are_one_run() -> None:
    screen = screen_of([[(100, 100, 100), (102, 101, 100)], [BLACK, BLACK]])
    assert len(draw(screen, View(2, 1)).lines[0]) == 1


def test_only_lines_that_changed_are_made() -> None:
    screen, blocks, view = Framebuffer(640, 400), HalfBlocks(), View(80, 25)
    screen.packed[...] = picture(640, 400)
    before = draw(screen, view, blocks)
    assert draw(screen, view, blocks) is before
    screen.packed[100:104, 30:40] ^= 0xFFFFFF
    screen.touch(Rect(30, 100, 10, 4))
    after = draw(screen, view, blocks)
    changed = [
        n for n, (old, new) in enumerate(zip(before.lines, after.lines, strict=True)) if old is not new
    ]
    assert changed == [6]
    assert after.lines == draw(screen, view).lines


def test_zoom_and_pan() -> None:
    screen = Framebuffer(640, 400)
    screen.packed[...] = picture(640, 400)
    view = View(10, 5, 8, 16, zoom=8.0, left=100, top=50)
    frame = draw(screen, view)
    assert frame.origin == (100, 50)
    assert frame.scale == (1.0, 2.0)
    kept = (screen.pixels[50:60, 100:110] & 0xF8) | (screen.pixels[50:60, 100:110] >> 5)
    assert np.array_equal(seen(frame), kept)
    far = draw(screen, view._replace(left=10_000, top=10_000))
    assert far.origin == (630, 390)


def test_windows() -> None:
    assert fitting_zoom(640, 400, View(80, 25)) == 1.0
    assert fitting_zoom(320, 200, View(100, 30)) == 2.0, "whole numbers where there is room"
    assert fitting_zoom(1280, 400, View(80, 25)) == 0.5
    assert window(640, 400, View(80, 25)) == (0.0, 0.0, 1.0, 80, 25)
    assert window(640, 400, View(10, 5, left=600, top=0, zoom=1.0)).left == 560.0


@given(
    st.integers(1, 200), st.integers(1, 200), st.integers(1, 40), st.integers(1, 20),
    st.sampled_from([0.0, 0.2, 1.0, 3.0]), st.integers(0, 150), st.integers(0, 150),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_any_size(width: int, height: int, columns: int, rows: int, zoom: float, left: int, top: int) -> None:
    screen, blocks = Framebuffer(width, height), HalfBlocks()
    screen.packed[...] = 0x808080
    view = View(columns, rows, 8, 16, zoom, left, top)
    frame = draw(screen, view, blocks)
    assert 1 <= len(frame.lines) <= rows
    assert all(1 <= sum(len(run.text) for run in line) <= columns for line in frame.lines)
    screen.packed[height // 2, width // 2] = 0xFFFFFF
    screen.touch(Rect(width // 2, height // 2, 1, 1))
    assert draw(screen, view, blocks).lines == draw(screen, view).lines


def test_tiny_tiles_of_a_wall() -> None:
    screen = Framebuffer(1024, 768)
    screen.packed[...] = picture(1024, 768)
    frame = draw(screen, View(16, 4))
    assert len(frame.lines) <= 4
    assert sum(len(run.text) for run in frame.lines[0]) <= 16
