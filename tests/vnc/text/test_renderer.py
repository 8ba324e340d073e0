"""Text in the view of a terminal."""

from __future__ import annotations

from pilot.console.engine import Cursor
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.renderer import Frame, Renderer, View
from pilot.vnc.text import TextRenderer
from tests.vnc.text.drawing import bar, write


def drawn() -> Framebuffer:
    screen = Framebuffer(640, 400)
    for row in range(25):
        write(screen, f"{row:02}" + "abcdefghijklmnopqrstuvwxyz" * 3, 0, row)
    return screen


def texts(frame: Frame | None) -> list[str]:
    assert frame is not None
    return ["".join(run.text for run in line) for line in frame.lines]


def test_all_of_it_fits() -> None:
    screen, renderer = drawn(), TextRenderer()
    assert isinstance(renderer, TextRenderer)
    shared: Renderer = renderer
    frame = shared.draw(screen, screen.take_dirty(), View(200, 50))
    assert texts(frame) == [f"{row:02}" + "abcdefghijklmnopqrstuvwxyz" * 3 for row in range(25)]
    assert frame is not None
    assert (frame.quality, frame.scale, frame.origin) == (1.0, (8.0, 16.0), (0, 0))


def test_a_smaller_terminal_sees_a_part() -> None:
    screen, renderer = drawn(), TextRenderer()
    bar(screen, 12, 20, 14, 16, turned=True)
    frame = renderer.draw(screen, screen.take_dirty(), View(10, 6, left=8 * 8 + 3, top=16 * 16))
    assert texts(frame) == ["ghijklmnop"] * 6
    assert frame is not None
    assert frame.origin == (64, 256)
    assert frame.cursor == Cursor(4, 4, True)
    frame = renderer.draw(screen, [], View(10, 6, left=5000, top=5000))
    assert texts(frame) == ["qrstuvwxyz"] * 6
    assert frame is not None
    assert frame.origin == (70 * 8, 19 * 16)
    assert frame.cursor is None


def test_lines_that_did_not_change_are_the_same_objects() -> None:
    screen, renderer, view = drawn(), TextRenderer(), View(80, 25)
    before = renderer.draw(screen, screen.take_dirty(), view)
    assert before is not None
    assert renderer.draw(screen, [], view) is before
    write(screen, "X", 3, 7)
    after = renderer.draw(screen, screen.take_dirty(), view)
    assert after is not None
    assert [row for row in range(25) if after.lines[row] is not before.lines[row]] == [7]
    assert after.lines[7][0].text.startswith("07aXc")
    assert renderer.text is not None
    assert renderer.text.find("07aXc")


def test_a_picture_is_left_to_others() -> None:
    screen, renderer = drawn(), TextRenderer()
    assert renderer.draw(screen, screen.take_dirty(), View(80, 25)) is not None
    screen.packed[:] = (screen.packed + 1).cumsum(axis=1, dtype="u4") * 7919 & 0xFFFFFF
    assert renderer.draw(screen, [screen.whole], View(80, 25)) is None
    assert renderer.text is None
    again = drawn()
    assert renderer.draw(again, [again.whole], View(80, 25)) is not None
