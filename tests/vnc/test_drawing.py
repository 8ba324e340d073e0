"""Which renderer draws: text that can be read, else pixels, else half blocks; and how one changes that."""

from __future__ import annotations

from collections.abc import Sequence

from pilot.console.engine import Look, Run
from pilot.vnc.blocks import HalfBlocks
from pilot.vnc.decoded import FrameLines
from pilot.vnc.drawing import AGAIN_SECONDS, Drawing
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.kitty import KittyTiles
from pilot.vnc.renderer import Frame, Kind, View

VIEW = View(40, 12)
LINE = (Run("login:", Look()),)


class Reads:
    """A text renderer that reads as well as it is told to."""

    kind: Kind = "text"

    def __init__(self) -> None:
        self.quality: float | None = 1.0
        self.dirty: list[Sequence[Rect]] = []

    def draw(self, _screen: Framebuffer, dirty: Sequence[Rect], _view: View) -> Frame | None:
        self.dirty.append(list(dirty))
        return None if self.quality is None else Frame((LINE,), quality=self.quality)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def is_unread(drawing: Drawing) -> bool:
    return drawing.unread


def test_text_while_it_is_read_well() -> None:
    text, clock, screen = Reads(), Clock(), Framebuffer(64, 48)
    drawing = Drawing({"text": text, "blocks": HalfBlocks()}, monotonic=clock)
    assert drawing.draw(screen, VIEW).kind == "text"
    text.quality = 0.9
    assert drawing.draw(screen, VIEW).kind == "text", "it does not flap"
    text.quality = 0.8
    assert drawing.draw(screen, VIEW).kind == "blocks"
    assert drawing.quality == 0.8
    text.quality = 0.94
    clock.now += AGAIN_SECONDS
    assert drawing.draw(screen, VIEW).kind == "blocks"
    text.quality = 0.96
    clock.now += AGAIN_SECONDS
    assert drawing.draw(screen, VIEW).kind == "text"


def test_a_picture_is_not_read_again_and_again() -> None:
    text, clock, screen = Reads(), Clock(), Framebuffer(64, 48)
    text.quality = None
    drawing = Drawing({"text": text, "blocks": HalfBlocks()}, monotonic=clock)
    assert drawing.draw(screen, VIEW).kind == "blocks"
    assert not is_unread(drawing)
    screen.touch(Rect(1, 2, 3, 4))
    assert drawing.draw(screen, VIEW).kind == "blocks"
    assert len(text.dirty) == 1
    assert is_unread(drawing), "somebody has to draw again"
    screen.touch(Rect(5, 6, 1, 1))
    clock.now += AGAIN_SECONDS
    drawing.draw(screen, VIEW)
    assert text.dirty[-1] == [Rect(1, 2, 3, 4), Rect(5, 6, 1, 1)], "all that it has missed"
    assert not is_unread(drawing)


def test_pixels_where_the_terminal_has_them() -> None:
    text, screen = Reads(), Framebuffer(64, 48)
    text.quality = None
    drawing = Drawing({"text": text, "blocks": HalfBlocks()}, monotonic=Clock())
    assert drawing.choices == ("auto", "text", "blocks")
    drawing.draw(screen, VIEW)
    drawing.add(KittyTiles())
    drawn = drawing.draw(screen, VIEW)
    assert drawn.kind == "kitty"
    assert drawn.frame.graphics
    drawing.remove("kitty")
    assert drawing.draw(screen, VIEW).kind == "blocks"


def test_a_choice_is_kept() -> None:
    text, screen = Reads(), Framebuffer(64, 48)
    renderers = {"text": text, "blocks": HalfBlocks(), "kitty": KittyTiles()}
    drawing = Drawing(renderers, monotonic=Clock())  # type: ignore[arg-type]
    kinds = []
    for _ in range(4):
        kinds.append((drawing.choice, drawing.draw(screen, VIEW).kind))
        drawing.cycle()
    assert kinds == [("auto", "text"), ("text", "text"), ("kitty", "kitty"), ("blocks", "blocks")]
    assert drawing.choice == "auto"
    drawing.choose("text")
    text.quality = 0.2
    assert drawing.draw(screen, VIEW).kind == "text", "chosen, though little can be read"
    text.quality = None
    assert drawing.draw(screen, VIEW).kind == "kitty"


def test_text_of_a_frame_for_the_clipboard() -> None:
    screen = Framebuffer(64, 48)
    read = Reads().draw(screen, [screen.whole], VIEW)
    assert read is not None
    lines = FrameLines()
    lines.show((*read.lines, (), ()))
    assert lines.all_text() == "login:"
    assert (lines.rows, lines.columns) == (3, 6)


def test_lines_of_wide_characters() -> None:
    lines = FrameLines()
    lines.show(((Run("a漢b", Look()), Run("  ", Look(bold=True))), ()))
    assert lines.cells(0) == ("a", "漢", "", "b", " ", " ")
    assert (lines.text(0), lines.text(1), lines.text(7)) == ("a漢b", "", "")
    assert lines.columns == 6
