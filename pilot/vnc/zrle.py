"""The ZRLE encoding (RFC 6143, 7.7.6): tiles of 64 by 64 pixels, run lengths and palettes, one zlib stream.

A pixel is three bytes here, red first: servers leave out the fourth of a format with 24 bits of colour.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque

import numpy as np

from pilot.errors import VncError
from pilot.vnc.framebuffer import PACKED, Framebuffer, Packed, Rect
from pilot.vnc.stream import CHUNK, Reader

TILE = 64
_LENGTH = struct.Struct("!I")
_SHORT = "the VNC server sent a ZRLE rectangle that ends before its last pixel"
_SPREAD = {
    bits: np.array(
        [[byte >> shift & (1 << bits) - 1 for shift in range(8 - bits, -1, -bits)] for byte in range(256)],
        np.uint8,
    )
    for bits in (1, 2, 4)
}
"""The indices that lie in each byte, by the bits of one."""
_PLACES = np.array([1, 1 << 8, 1 << 16], PACKED)
_ONE = tuple(bytes([index]) for index in range(128))


def most_bytes(rect: Rect) -> int:
    """The longest a rectangle can be before compression: all runs of one pixel, and full palettes."""
    across, down = -(-rect.width // TILE), -(-rect.height // TILE)
    return rect.width * rect.height * 4 + across * down * (1 + 127 * 3)


class Inflater:
    """The zlib stream of a connection. Gives no more at a time than was asked for, however little came in."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj()
        self._pieces = deque[bytes]()
        self.data = b""
        """What is there to be taken, from `at` on."""
        self.at = 0

    def feed(self, piece: bytes) -> None:
        """The next compressed bytes."""
        self._pieces.append(piece)

    def fill(self, count: int) -> None:
        """Inflate until `count` bytes can be taken, or as many as there are.

        Raises:
            VncError: what came is not the stream's next part.
        """
        if len(self.data) - self.at >= count:
            return
        parts = [self.data[self.at :]]
        missing = count - len(parts[0])
        while missing > 0 and (part := self._inflate(max(missing, CHUNK))):
            parts.append(part)
            missing -= len(part)
        self.data, self.at = b"".join(parts), 0

    def finish(self) -> None:
        """A rectangle is done: the stream must have come to its end, too.

        Raises:
            VncError: there is more.
        """
        if self.at < len(self.data) or self._inflate(1):
            raise VncError("the VNC server sent a ZRLE rectangle with more than its pixels")
        self.data, self.at = b"", 0

    def _inflate(self, most: int) -> bytes:
        """Some bytes; none if the compressed ones are used up."""
        while True:
            tail = self._zlib.unconsumed_tail
            piece = tail or (self._pieces.popleft() if self._pieces else b"")
            try:
                out = self._zlib.decompress(piece, most)
            except zlib.error:
                raise VncError("the VNC server's ZRLE data cannot be decompressed") from None
            if self._zlib.eof:
                raise VncError("the VNC server ended its ZRLE stream")
            if out or not (piece or self._pieces):
                return out


async def zrle(reader: Reader, inflater: Inflater, screen: Framebuffer, rect: Rect) -> None:
    """One rectangle.

    Raises:
        VncError: it is malformed, or longer than its pixels can be.
    """
    (length,) = await reader.unpack(_LENGTH)
    # zlib never makes data longer than this, its flushes included.
    if length > (most := most_bytes(rect)) + most // 64 + 1024:
        raise VncError(f"the VNC server sent {length:,} bytes for {rect.width} by {rect.height} pixels")
    for start in range(0, length, CHUNK):
        inflater.feed(await reader.exactly(min(CHUNK, length - start)))
    for top in range(0, rect.height, TILE):
        for left in range(0, rect.width, TILE):
            tile = Rect(
                rect.x + left,
                rect.y + top,
                min(TILE, rect.width - left),
                min(TILE, rect.height - top),
            )
            inflater.fill(most_bytes(tile))
            try:
                inflater.at = _tile(inflater.data, inflater.at, screen, tile)
            except (IndexError, ValueError):  # bytes, and what numpy makes of too few of them
                raise VncError(_SHORT) from None
        await reader.rest()
    inflater.finish()


def _tile(data: bytes, at: int, screen: Framebuffer, tile: Rect) -> int:
    """Draw one tile; where the next begins."""
    kind = data[at]
    at += 1
    count = tile.width * tile.height
    part = screen.part(tile)
    if kind == 0:
        pixels = np.frombuffer(data, np.uint8, count * 3, at)
        area = screen.pixels[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
        area[...] = pixels.reshape(tile.height, tile.width, 3)
        return at + count * 3
    if kind == 1:
        part[...] = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        return at + 3
    if kind <= 16:
        return _packed_palette(data, at, kind, part)
    if kind == 128:
        return _runs(data, at, part)
    if kind >= 130:
        return _palette_runs(data, at, kind - 128, part)
    raise VncError(f"the VNC server sent a ZRLE tile of kind {kind}, which there is none of")


def _palette(data: bytes, at: int, size: int, room: int) -> Packed:
    """Colours by index; those the server did not give are black."""
    colours: Packed = np.zeros(room, PACKED)
    colours[:size] = np.frombuffer(data, np.uint8, size * 3, at).reshape(size, 3) @ _PLACES
    return colours


def _packed_palette(data: bytes, at: int, size: int, part: Packed) -> int:
    height, width = int(part.shape[0]), int(part.shape[1])
    bits = 1 if size == 2 else 2 if size <= 4 else 4
    stride = (width * bits + 7) // 8
    colours = _palette(data, at, size, 1 << bits)
    at += size * 3
    packed = np.frombuffer(data, np.uint8, stride * height, at)
    indices = _SPREAD[bits].take(packed, axis=0).reshape(height, stride * 8 // bits)
    part[...] = colours.take(indices)[:, :width]
    return at + stride * height


def _runs(data: bytes, at: int, part: Packed) -> int:
    begin, left = at, part.size
    starts, lengths = list[int](), list[int]()
    while left > 0:
        starts.append(at - begin)
        at += 3
        length = 1
        while (more := data[at]) == 255:
            length += 255
            at += 1
        length += more
        at += 1
        lengths.append(length)
        left -= length
    if left:
        raise VncError("the VNC server sent a ZRLE run that is longer than its tile")
    values = np.frombuffer(data, np.uint8, at - begin, begin).astype(PACKED)
    first = np.array(starts)
    colours = values[first] | values[first + 1] << 8 | values[first + 2] << 16
    part[...] = np.repeat(colours, lengths).reshape(part.shape)
    return at


def _palette_runs(data: bytes, at: int, size: int, part: Packed) -> int:
    colours = _palette(data, at, size, 128)
    at += size * 3
    count = part.size
    indices = bytearray()
    while len(indices) < count:
        index = data[at]
        at += 1
        if index < 128:
            indices.append(index)
            continue
        length = 1
        while (more := data[at]) == 255:
            length += 255
            at += 1
        at += 1
        if length > count:
            break
        indices += _ONE[index - 128] * (length + more)
    if len(indices) != count:
        raise VncError("the VNC server sent a ZRLE run that is longer than its tile")
    part[...] = colours.take(np.frombuffer(indices, np.uint8)).reshape(part.shape)
    return at
