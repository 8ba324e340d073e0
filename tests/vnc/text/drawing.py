"""Draws text on a screen as a console does, for tests that need no machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.text.faces import Face, parse

BIOS = Path("/usr/share/seabios/vgabios-stdvga.bin")
"""Comes with QEMU."""
GREY, BLACK = 0xAAAAAA, 0


def bios_face(height: int = 16) -> Face:
    """A font of VGA's."""
    return next(face for face in parse(BIOS.read_bytes()) if face.bitmaps.shape[1] == height)


def write(
    screen: Framebuffer, text: str, column: int, row: int, *, ink: int = GREY, paper: int = BLACK,
    face: Face | None = None, origin: tuple[int, int] = (0, 0),
) -> None:  # fmt: skip
    """Write text into cells; colours are packed as the screen has them."""
    face = face or bios_face()
    height, width = face.bitmaps.shape[1:]
    for number, character in enumerate(text):
        left, top = origin[0] + (column + number) * width, origin[1] + row * height
        bitmap = face.bitmaps[face.characters.index(character) if character != " " else 32]
        screen.packed[top : top + height, left : left + width] = np.where(bitmap, ink, paper)
    place = Rect(origin[0] + column * width, origin[1] + row * height, len(text) * width, height)
    screen.touch(place)


def bar(screen: Framebuffer, column: int, row: int, first: int, end: int, *, turned: bool) -> None:
    """A cursor over pixel rows of a cell of 8 by 16: turned around, or all in the text's colour."""
    part = screen.packed[row * 16 + first : row * 16 + end, column * 8 : column * 8 + 8]
    part[:] = np.where(part == GREY, BLACK, GREY) if turned else GREY
