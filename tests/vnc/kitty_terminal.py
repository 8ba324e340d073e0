"""A terminal that knows Kitty's graphics protocol as far as placeholders go: it rebuilds the picture that a
person would see from the bytes that it is sent and the cells that are drawn."""

from __future__ import annotations

import base64
import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pilot.console.engine import Run
from pilot.vnc.framebuffer import Pixels

_COMMAND = re.compile(rb"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\")
# The rule behind the table in kitty's documentation: marks above (combining class 230) that no character is
# composed with, in the order of Unicode.
_COMPOSED = {
    ord(part)
    for code in range(0x110000)
    if (parts := unicodedata.decomposition(chr(code))) and not parts.startswith("<")
    for part in "".join(chr(int(number, 16)) for number in parts.split())
}
MARKS = [
    chr(code)
    for code in range(0x300, 0x370)
    if unicodedata.combining(chr(code)) == 230
    and code not in _COMPOSED
    and not unicodedata.decomposition(chr(code))
]


class Image(NamedTuple):
    """A picture with the cells that it fills."""

    pixels: Pixels
    columns: int
    rows: int
    placement: int


class KittyTerminal:
    """What it has, and what it says."""

    def __init__(self, cell: tuple[int, int]) -> None:
        self.cell = cell
        self.images: dict[int, Image] = {}
        self.answers: list[str] = []
        self.received = 0
        """Pictures that came, whole."""
        self._begun: dict[bytes, bytes] | None = None
        self._data = b""

    def take(self, data: bytes) -> None:
        """Bytes beside the cells: nothing but commands."""
        assert _COMMAND.sub(b"", data) == b"", "something else than commands was sent"
        for match in _COMMAND.finditer(data):
            assert len(match[2] or b"") <= 4096
            self._command(dict(pair.split(b"=", 1) for pair in match[1].split(b",")), match[2] or b"")

    def _command(self, keys: dict[bytes, bytes], data: bytes) -> None:
        if keys.get(b"a") == b"d":
            assert keys[b"d"] == b"I"
            del self.images[int(keys[b"i"])]
            return
        if self._begun is None:
            assert (keys[b"a"], keys[b"U"], keys[b"f"], keys[b"o"]) == (b"T", b"1", b"24", b"z")
            self._begun, self._data = keys, b""
        else:
            assert set(keys) <= {b"m", b"q"}
        self._data += data
        if keys[b"m"] == b"0":
            self._finish(self._begun)
            self._begun = None

    def _finish(self, keys: dict[bytes, bytes]) -> None:
        id, width, height = int(keys[b"i"]), int(keys[b"s"]), int(keys[b"v"])
        pixels = zlib.decompress(base64.b64decode(self._data, validate=True))
        picture = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        self.images[id] = Image(picture, int(keys[b"c"]), int(keys[b"r"]), int(keys[b"p"]))
        self.received += 1
        if keys.get(b"q") != b"2":
            self.answers.append(f"\x1b_Gi={id},p={int(keys[b'p'])};OK\x1b\\")

    def seen(self, lines: Sequence[tuple[Run, ...]]) -> Pixels:
        """The picture that these cells show; black where there is none."""
        width, height = self.cell
        columns = max(sum(len(run.text) // 3 for run in line) for line in lines)
        picture = np.zeros((len(lines) * height, columns * width, 3), np.uint8)
        for row, line in enumerate(lines):
            column = 0
            for run in line:
                assert isinstance(run.look.foreground, tuple)
                red, green, blue = run.look.foreground
                image = self.images.get(red << 16 | green << 8 | blue)
                for start in range(0, len(run.text), 3):
                    cell, down, across = tuple(run.text[start : start + 3])
                    assert cell == "\U0010eeee"
                    if image is not None:
                        top, left = MARKS.index(down) * height, MARKS.index(across) * width
                        # Tiles are made for the cells that they fill: nothing is to be scaled.
                        assert image.pixels.shape == (image.rows * height, image.columns * width, 3)
                        picture[row * height : (row + 1) * height, column * width : (column + 1) * width] = (
                            image.pixels[top : top + height, left : left + width]
                        )
                    column += 1
        return picture
