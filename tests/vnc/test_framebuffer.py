"""The pixels of a screen, and which of them changed."""

from __future__ import annotations

import pytest

from pilot.vnc.framebuffer import MAX_DIRTY, Framebuffer, Rect, around
from tests.vnc.scripted import picture


def test_both_views_are_of_the_same_pixels() -> None:
    screen = Framebuffer(4, 3)
    screen.pixels[1, 2] = (1, 2, 3)
    assert screen.packed[1, 2] == 0x030201
    screen.part(Rect(0, 0, 2, 1))[...] = 0x0A0B0C
    assert screen.pixels[0].tolist() == [[12, 11, 10], [12, 11, 10], [0, 0, 0], [0, 0, 0]]


def test_a_copy_lies_in_memory_as_it_is_read() -> None:
    screen = Framebuffer(40, 30)
    screen.packed[...] = picture(40, 30)
    assert (screen.rgb() == screen.pixels).all()
    part = screen.rgb(Rect(3, 4, 5, 6))
    assert part.flags.c_contiguous
    assert (part == screen.pixels[4:10, 3:8]).all()


def test_many_changes_become_the_one_around_them() -> None:
    screen = Framebuffer(500, 500)
    assert screen.take_dirty() == [screen.whole]
    for at in range(MAX_DIRTY):
        screen.touch(Rect(at, 2 * at, 3, 4))
    assert len(screen.take_dirty()) == MAX_DIRTY
    assert screen.take_dirty() == []
    for at in range(MAX_DIRTY + 1):
        screen.touch(Rect(10 + at, 20, 3, 4))
    assert screen.take_dirty() == [Rect(10, 20, MAX_DIRTY + 3, 4)]
    assert around([Rect(5, 9, 1, 1), Rect(2, 10, 2, 5)]) == Rect(2, 9, 4, 6)


def test_another_size_is_a_change_of_everything() -> None:
    screen = Framebuffer(40, 30)
    screen.packed[...] = picture(40, 30)
    before = screen.packed.copy()
    screen.take_dirty()
    screen.resize(20, 60)
    assert screen.take_dirty() == [Rect(0, 0, 20, 60)]
    assert (screen.packed[:30] == before[:, :20]).all()
    assert not screen.packed[30:].any()


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (8193, 1), (1, 8193), (8192, 8192), (-1, 5)])
def test_no_screen_is_of_such_a_size(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a screen of"):
        Framebuffer(*size)
