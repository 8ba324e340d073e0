"""Screens that are drawn here: sizes, origins, colours, cursors, half-drawn ones, and pictures."""

from __future__ import annotations

import numpy as np
import pytest

from pilot.console.engine import Cursor, Look
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.text import Decoder, Fonts, TextScreen
from pilot.vnc.text.screen import UNREAD
from tests.vnc.text.drawing import BLACK, GREY, bar, bios_face, write

WORDS = "The quick brown fox jumps over the lazy dog; 0123456789 {}[]()"


def drawn(width: int = 1024, height: int = 768, rows: int = 20, **how: object) -> Framebuffer:
    """A screen with lines of text."""
    screen = Framebuffer(width, height)
    for row in range(rows):
        write(screen, f"{row:2} {WORDS}", 0, row, **how)  # type: ignore[arg-type]
    return screen


def decode(screen: Framebuffer) -> TextScreen | None:
    return Decoder(Fonts.built_in()).decode(screen.packed)


@pytest.mark.parametrize("height", [16, 14, 8])
def test_sizes_of_cells(height: int) -> None:
    text = decode(drawn(640, 480, face=bios_face(height)))
    assert text is not None
    assert (text.cell, text.columns, text.rows) == ((8, height), 80, 480 // height)
    assert text.hit_rate == 1.0
    assert text.text(7) == f" 7 {WORDS}"


@pytest.mark.parametrize(("left", "top"), [(0, 0), (10, 12), (3, 5), (7, 15)])
def test_any_origin(left: int, top: int) -> None:
    text = decode(drawn(800, 600, origin=(left, top)))
    assert text is not None
    assert text.origin == (left % 8, top % 16)
    assert text.text(top // 16).strip() == f"0 {WORDS}"
    assert text.hit_rate == 1.0


def test_a_rest_at_the_right_and_below() -> None:
    text = decode(drawn(1366, 769))
    assert text is not None
    assert (text.columns, text.rows, text.hit_rate) == (170, 48, 1.0)


def test_any_two_colours() -> None:
    screen = drawn()
    write(screen, "odd colours ", 5, 30, ink=0x123456, paper=0xFEDCBA)
    write(screen, "turned", 20, 30, ink=BLACK, paper=GREY)
    text = decode(screen)
    assert text is not None
    assert text.hit_rate == 1.0
    runs = {run.text.strip(): run.look for run in text.line(30) if run.text.strip()}
    assert runs == {
        "odd colours": Look((0x56, 0x34, 0x12), (0xBA, 0xDC, 0xFE)),
        "turned": Look(0, 7),
    }


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("letter", " agpjy,Q|")
@pytest.mark.parametrize(("first", "end"), [(13, 15), (14, 16)])
def test_cursor_over_a_letter(letter: str, first: int, end: int, turned: bool) -> None:
    screen = drawn()
    write(screen, letter, 12, 30)
    bar(screen, 12, 30, first, end, turned=turned)
    text = decode(screen)
    assert text is not None
    assert text.cursor == Cursor(12, 30, True)
    assert text.text(30).strip() == letter.strip()
    assert text.hit_rate == 1.0


def test_cursor_that_fills_its_cell() -> None:
    screen = drawn()
    write(screen, "login: x", 0, 30)
    write(screen, "x", 7, 30, ink=BLACK, paper=GREY)
    text = decode(screen)
    assert text is not None
    assert text.cursor == Cursor(7, 30, True)
    assert text.line(30)[0].text.rstrip() == "login: x"


def test_cursor_over_a_low_line_that_was_seen_before() -> None:
    screen, decoder = drawn(), Decoder(Fonts.built_in())
    write(screen, "_", 12, 30)
    decoder.decode(screen.packed)
    bar(screen, 12, 30, 13, 15, turned=False)
    text = decoder.decode(screen.packed)
    assert text is not None
    assert text.cursor == Cursor(12, 30, True)
    assert text.text(30).strip() == "_"


def test_cursor_stays_while_it_blinks_and_goes_when_text_comes() -> None:
    screen, decoder = drawn(), Decoder(Fonts.built_in())
    bar(screen, 3, 30, 14, 16, turned=True)
    text = decoder.decode(screen.packed)
    assert text is not None
    assert text.cursor == Cursor(3, 30, True)
    bar(screen, 3, 30, 14, 16, turned=True)
    text = decoder.decode(screen.packed)
    assert text is not None
    assert text.cursor == Cursor(3, 30, True)
    write(screen, "a", 3, 30)
    text = decoder.decode(screen.packed)
    assert text is not None
    assert text.cursor is None


def test_only_what_is_dirty_is_read() -> None:
    screen, decoder = drawn(), Decoder(Fonts.built_in())
    first = decoder.decode(screen.packed, screen.take_dirty())
    assert first is not None
    assert decoder.decode(screen.packed, []) is first
    write(screen, "new", 0, 40)
    write(screen, "unseen", 0, 3)
    text = decoder.decode(screen.packed, [Rect(0, 645, 8, 2)])
    assert text is not None
    assert text.text(40) == "new"
    assert "unseen" not in text.plain()
    text = decoder.decode(screen.packed, screen.take_dirty())
    assert text is not None
    assert text.text(3).startswith("unseen")


def test_another_size_is_another_screen() -> None:
    decoder = Decoder(Fonts.built_in())
    assert decoder.decode(drawn().packed) is not None
    text = decoder.decode(drawn(640, 400, face=bios_face(8)).packed, [])
    assert text is not None
    assert text.cell == (8, 8)


def test_grid_changes_on_a_screen_of_the_same_size() -> None:
    decoder = Decoder(Fonts.built_in())
    assert decoder.decode(drawn().packed) is not None
    text = decoder.decode(drawn(origin=(10, 12)).packed)
    assert text is not None
    assert text.origin == (2, 12)
    assert text.hit_rate == 1.0


def test_an_empty_screen_is_text() -> None:
    text = decode(Framebuffer(720, 400))
    assert text is not None
    assert (text.columns, text.rows) == (80, 25)
    assert text.plain() == "\n" * 25


def test_pictures_are_no_text() -> None:
    noise = Framebuffer(1024, 768)
    noise.packed[:] = np.random.default_rng(1).integers(0, 2**24, noise.packed.shape)
    assert decode(noise) is None
    desktop = Framebuffer(1024, 768)
    desktop.packed[:] = 0x806040
    for number in range(12):
        desktop.packed[number * 50 : number * 50 + 137, number * 80 : number * 80 + 211] = 0xE0E0E0 - number
        desktop.packed[number * 50 : number * 50 + 23, number * 80 : number * 80 + 211] = 0x302010
        circle = np.hypot(*np.mgrid[-20:20, -20:20]) < 20
        desktop.packed[number * 50 + 40 : number * 50 + 80, number * 80 + 9 : number * 80 + 49][circle] = (
            number
        )
    assert decode(desktop) is None


def test_a_logo_stays_a_picture_in_the_text() -> None:
    screen = drawn(rows=30)
    screen.packed[640:720, 80:160] = np.random.default_rng(1).integers(0, 2**24, (80, 80))
    text = decode(screen)
    assert text is not None
    assert 1 - text.hit_rate == pytest.approx(50 / (128 * 48))
    assert text.text(42)[10:20] == "\ufffd" * 10
    assert (text.codes[40:45, 10:20] == UNREAD).all()
    assert text.text(29) == f"29 {WORDS}"
    assert "▀" in "".join(run.text for run in text.line(42))


def test_half_drawn_screens_do_not_raise() -> None:
    chance = np.random.default_rng(7)
    old, new, decoder = drawn(), drawn(rows=33, origin=(0, 0)), Decoder(Fonts.built_in())
    for _ in range(60):
        screen = Framebuffer(1024, 768)
        screen.packed[:] = old.packed
        cut, shift = int(chance.integers(768)), int(chance.integers(64))
        screen.packed[:cut] = np.roll(new.packed[:cut], -shift, axis=0)
        screen.packed[cut : cut + 9, :500] = chance.integers(
            0, 2**24, screen.packed[cut : cut + 9, :500].shape
        )
        decoder.decode(screen.packed)
    text = decoder.decode(old.packed)
    assert text is not None
    assert text.hit_rate == 1.0


@pytest.mark.parametrize("size", [(1, 1), (7, 200), (200, 7), (8, 16), (9, 16), (8192, 2)])
def test_tiny_screens(size: tuple[int, int]) -> None:
    decode(Framebuffer(*size))
    screen = Framebuffer(*size)
    screen.packed[::2, ::3] = GREY
    decode(screen)


def test_words_are_found() -> None:
    text = decode(drawn())
    assert text is not None
    assert [(hit.row, hit.column, hit.length) for hit in text.find("LAZY")][:2] == [(0, 38, 4), (1, 38, 4)]
    assert text.find("LAZY", same_case=True) == []
    assert text.find("") == []
