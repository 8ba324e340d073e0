"""How fast text is read from a VM's screen, by what the app and `pilot screen --text` use.

Beside it: the same cells looked up one by one in a dictionary of bitmaps, as one would write it first.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bench.result import Row, below, median
from bench.workshop import Workshop
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.text import Decoder, Fonts
from pilot.vnc.text.faces import Face, parse

ROUNDS = 30
BIOS = Path("/usr/share/seabios/vgabios-stdvga.bin")
COLOURS = (0xAAAAAA, 0xAAAAAA, 0xAAAAAA, 0x5555FF, 0xFFFFFF)


async def measure(workshop: Workshop) -> list[Row]:
    """Whole frames that scrolled, a first frame, one changed line, and a picture that is no text."""
    rows = list[Row]()
    face = next(face for face in parse(BIOS.read_bytes()) if face.bitmaps.shape[1] == 16)
    for width, height, cell, limit in ((720, 400, 9, 5), (1024, 768, 8, 10)):
        rows += _sizes(width, height, cell, limit, face)
    picture = _desktop()
    refused = [_milliseconds(partial(_fresh, picture)) for _ in range(ROUNDS)]
    rows.append(below("text decode: a desktop of 1024x768 is no text", median(refused), "ms", 5))
    return rows


def _sizes(width: int, height: int, cell: int, limit: int, face: Face) -> list[Row]:
    """Text on a screen of one size."""
    size = f"{width}x{height}"
    screen, decoder, naive = _boot(width, height, cell, face), Decoder(Fonts.built_in()), _Naive(face, cell)
    ours, beside = list[float](), list[float]()
    for turn in range(ROUNDS):
        screen.packed[:] = np.roll(screen.packed, -16, axis=0)
        ours.append(_milliseconds(partial(_lines, decoder, screen)))
        if turn % 10 == 0:  # it is slow
            beside.append(_milliseconds(partial(naive.read, screen)))
    first = [_milliseconds(partial(_fresh, screen)) for _ in range(ROUNDS)]
    changed = [_milliseconds(partial(_changed, decoder, screen, cell)) for _ in range(ROUNDS)]
    what = f"text decode: {size}"
    other = "cell by cell in Python, without colours"
    return [
        below(f"{what}, whole frame", median(ours), "ms", limit, other, median(beside)),
        below(f"{what}, first frame", median(first), "ms", 2 * limit),
        below(f"{what}, one changed line", median(changed), "ms", 1),
    ]


def _fresh(screen: Framebuffer) -> None:
    """Read a screen that was not seen before."""
    Decoder(Fonts.built_in()).decode(screen.packed)


def _lines(decoder: Decoder, screen: Framebuffer) -> None:
    text = decoder.decode(screen.packed)
    assert text is not None
    assert text.hit_rate == 1.0
    text.lines()


def _changed(decoder: Decoder, screen: Framebuffer, cell: int) -> None:
    """A letter more in one line."""
    screen.packed[160:176, cell:] = screen.packed[160:176, :-cell]
    decoder.decode(screen.packed, [Rect(0, 160, screen.width, 16)])


def _milliseconds(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


def _boot(width: int, height: int, cell: int, face: Face) -> Framebuffer:
    """A screen full of a kernel's words, some of them coloured."""
    chance, screen = random.Random(1), Framebuffer(width, height)
    for row in range(height // 16):
        words = (
            f"[{row:5}.{chance.randrange(10**6):06}] pci 0000:00:{row:02x}.0: BAR {row % 6}: assigned [mem "
        )
        words += f"0x{chance.getrandbits(32):08x}-0x{chance.getrandbits(32):08x} 64bit pref]"
        for column, character in enumerate(words[: width // cell]):
            bitmap = face.bitmaps[ord(character)]
            place = screen.packed[row * 16 : row * 16 + 16, column * cell : column * cell + 8]
            place[:] = np.where(bitmap, COLOURS[(row + column // 12) % len(COLOURS)], 0)
    return screen


def _desktop() -> Framebuffer:
    """Windows of one colour each, with frames."""
    screen = Framebuffer(1024, 768)
    screen.packed[:] = 0x806040
    for number in range(12):
        left, top = number * 70, number * 45
        screen.packed[top : top + 140, left : left + 210] = 0xE0E0E0 - number
        screen.packed[top : top + 22, left : left + 210] = 0x302010
        screen.packed[top : top + 140, left] = screen.packed[top, left : left + 210] = 0xFFFFFF
    return screen


class _Naive:
    """Each cell's bitmap as bytes, looked up in a dictionary."""

    def __init__(self, face: Face, cell: int) -> None:
        self._cell = cell
        self._known = {
            bytes(np.pad(bitmap, ((0, 0), (0, cell - 8))).ravel()): character
            for bitmap, character in zip(face.bitmaps, face.characters, strict=True)
        }

    def read(self, screen: Framebuffer) -> list[str]:
        """The text on the screen."""
        lines = list[str]()
        for top in range(0, screen.height - 15, 16):
            line = ""
            for left in range(0, screen.width - self._cell + 1, self._cell):
                cell = screen.packed[top : top + 16, left : left + self._cell]
                line += self._known.get((cell != cell[0, 0]).astype(np.uint8).tobytes(), "?")
            lines.append(line)
        return lines
