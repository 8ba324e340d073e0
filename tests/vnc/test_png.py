"""PNG files, taken apart again by the standard's rules."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.png import png


def test_the_same_pixels_come_out() -> None:
    screen = Framebuffer(37, 21)
    screen.pixels[:] = np.random.default_rng(1).integers(0, 256, screen.pixels.shape)
    data = png(screen)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = list[tuple[bytes, bytes]](), 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + content),)
        chunks.append((kind, content))
        at += size + 12
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[0][1]) == (37, 21, 8, 2, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[1][1]), np.uint8).reshape(21, 1 + 37 * 3)
    assert (rows[:, 0] == 2).all()
    assert np.array_equal(rows[:, 1:].cumsum(axis=0, dtype=np.uint8).reshape(21, 37, 3), screen.pixels)
