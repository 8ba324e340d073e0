"""A picture of a screen as a PNG file, by zlib alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from pilot.vnc.framebuffer import Framebuffer

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
"""The filter of each row: what differs from the row above. Screens have many rows that are alike."""


def png(screen: Framebuffer, level: int = 6) -> bytes:
    """The screen as it is, 8 bits each of red, green and blue (PNG, ISO/IEC 15948)."""
    pixels = screen.rgb().reshape(screen.height, -1)
    rows = np.empty((screen.height, pixels.shape[1] + 1), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])  # modulo 256, as PNG has it
    header = struct.pack(">IIBBBBB", screen.width, screen.height, 8, 2, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), level))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
