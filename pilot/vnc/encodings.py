"""Rectangles as VNC servers send them, and what is asked for; ZRLE has a module of its own.

Pixels come in the format of messages.PIXEL_FORMAT: as in Framebuffer.packed, but for a highest byte that may
hold anything.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.errors import VncError
from pilot.vnc.framebuffer import PACKED, Framebuffer, Pixels, Rect
from pilot.vnc.stream import CHUNK, Reader

MAX_POINTER = 1024
"""Pixels across and down of a mouse pointer's picture."""

_COLOUR = np.uint32(0xFFFFFF)
_POSITION = struct.Struct("!HH")


class Encoding(IntEnum):
    """Encodings and pseudo-encodings, by their registered numbers."""

    RAW = 0
    COPY_RECT = 1
    ZRLE = 16
    DESKTOP_SIZE = -223
    LAST_RECT = -224
    CURSOR = -239
    COMPRESSION_1 = -255
    """Compression level 1: QEMU's default is 9, which costs its host more time than it saves."""
    QEMU_EXTENDED_KEY = -258
    QEMU_LED_STATE = -261
    DESKTOP_NAME = -307
    EXTENDED_DESKTOP_SIZE = -308
    FENCE = -312
    CONTINUOUS_UPDATES = -313


PREFERRED: tuple[Encoding, ...] = (
    Encoding.ZRLE,
    Encoding.COPY_RECT,
    Encoding.RAW,
    Encoding.CURSOR,
    Encoding.EXTENDED_DESKTOP_SIZE,
    Encoding.DESKTOP_SIZE,
    Encoding.LAST_RECT,
    Encoding.DESKTOP_NAME,
    Encoding.QEMU_EXTENDED_KEY,
    Encoding.QEMU_LED_STATE,
    Encoding.FENCE,
    Encoding.CONTINUOUS_UPDATES,
    Encoding.COMPRESSION_1,
)


class Pointer(NamedTuple):
    """The mouse pointer as the guest draws it; nothing if it hides it."""

    x: int
    """The pixel that points."""
    y: int
    pixels: Pixels
    mask: npt.NDArray[np.bool_]
    """Rows and columns: where the picture is not transparent."""


async def raw(reader: Reader, screen: Framebuffer, rect: Rect) -> None:
    """Pixels as they are."""
    rows = max(1, CHUNK // max(1, rect.width * 4))
    for top in range(0, rect.height, rows):
        part = screen.part(Rect(rect.x, rect.y + top, rect.width, min(rows, rect.height - top)))
        data = await reader.exactly(part.size * 4)
        np.bitwise_and(np.frombuffer(data, PACKED).reshape(part.shape), _COLOUR, out=part)
        await reader.rest()


async def copy_rect(reader: Reader, screen: Framebuffer, rect: Rect) -> None:
    """Pixels that are elsewhere on the screen already."""
    x, y = await reader.unpack(_POSITION)
    source = Rect(x, y, rect.width, rect.height)
    check_inside(source, screen)
    screen.part(rect)[...] = screen.part(source)  # numpy minds that they may overlap


async def cursor(reader: Reader, rect: Rect) -> Pointer:
    """The pointer's picture and mask.

    Raises:
        VncError: it is larger than any pointer is believed to be.
    """
    width, height = rect.width, rect.height
    if width > MAX_POINTER or height > MAX_POINTER:
        raise VncError(f"the VNC server sent a mouse pointer of {width} by {height} pixels")
    stride = (width + 7) // 8
    data = np.frombuffer(await reader.exactly(width * height * 4), np.uint8).reshape(height, width, 4)
    bits = np.frombuffer(await reader.exactly(stride * height), np.uint8).reshape(height, stride)
    mask = np.unpackbits(bits, axis=1)[:, :width].astype(np.bool_)
    return Pointer(
        min(rect.x, max(0, width - 1)), min(rect.y, max(0, height - 1)), data[..., :3].copy(), mask
    )


def check_inside(rect: Rect, screen: Framebuffer) -> None:
    """Raise VncError for a rectangle that is not wholly on the screen."""
    if rect.x + rect.width > screen.width or rect.y + rect.height > screen.height:
        raise VncError(
            f"the VNC server sent a rectangle of {rect.width} by {rect.height} pixels at {rect.x}, {rect.y},"
            f" outside of its screen of {screen.width} by {screen.height}"
        )
