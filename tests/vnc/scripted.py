"""A VNC server that says what a test gives it, and keeps what it is told."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from pilot.vnc.encodings import PREFERRED
from pilot.vnc.framebuffer import Packed
from pilot.vnc.rfb import RfbClient

GREETING = b"RFB 003.008\n" + b"\x01\x01" + bytes(4)
"""Version 3.8, security none, and that it is fine."""


def server_init(width: int, height: int, name: bytes = b"a screen") -> bytes:
    return struct.pack("!HH16xI", width, height, len(name)) + name


def rectangle(x: int, y: int, width: int, height: int, encoding: int, data: bytes = b"") -> bytes:
    return struct.pack("!4Hi", x, y, width, height, encoding) + data


def update(*rectangles: bytes, count: int | None = None) -> bytes:
    return struct.pack("!BxH", 0, len(rectangles) if count is None else count) + b"".join(rectangles)


def raw(x: int, y: int, picture: Packed) -> bytes:
    """A rectangle with its pixels as they are; their fourth byte is rubbish, as it may be."""
    height, width = picture.shape
    return rectangle(x, y, width, height, 0, (picture | np.uint32(0xAB000000)).astype("<u4").tobytes())


class Zrle:
    """Compresses a connection's tiles, the test's own way round."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(6)

    def rectangle(self, x: int, y: int, width: int, height: int, tiles: bytes) -> bytes:
        data = self._zlib.compress(tiles) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        return rectangle(x, y, width, height, 16, struct.pack("!I", len(data)) + data)

    def picture(self, x: int, y: int, picture: Packed, kinds: Sequence[str]) -> bytes:
        """A whole picture, its tiles encoded by these kinds in turn where they can be."""
        height, width = picture.shape
        tiles = [
            picture[top : top + 64, left : left + 64]
            for top in range(0, height, 64)
            for left in range(0, width, 64)
        ]
        return self.rectangle(
            x, y, width, height, b"".join(tile(t, kinds[i % len(kinds)]) for i, t in enumerate(tiles))
        )


def cpixel(colour: int) -> bytes:
    return bytes([colour & 255, colour >> 8 & 255, colour >> 16 & 255])


def tile(part: Packed, kind: str) -> bytes:
    """One tile: "raw", "solid", "packed", "runs" or "palette runs"; raw if it has too many colours."""
    flat = [int(colour) for colour in part.ravel()]
    palette = list(dict.fromkeys(flat))
    colours = b"".join(map(cpixel, palette))
    if kind == "solid" and len(palette) == 1:
        return b"\x01" + colours
    if kind == "packed" and 2 <= len(palette) <= 16:
        bits = 1 if len(palette) == 2 else 2 if len(palette) <= 4 else 4
        rows = b""
        for row in part:
            line = "".join(f"{palette.index(int(colour)):0{bits}b}" for colour in row)
            line += "0" * (-len(line) % 8)
            rows += int(line, 2).to_bytes(len(line) // 8)
        return bytes([len(palette)]) + colours + rows
    runs = list[tuple[int, int]]()
    for colour in flat:
        if runs and runs[-1][0] == colour:
            runs[-1] = colour, runs[-1][1] + 1
        else:
            runs.append((colour, 1))
    if kind == "runs":
        return b"\x80" + b"".join(cpixel(colour) + run_length(length) for colour, length in runs)
    if kind == "palette runs" and 2 <= len(palette) <= 127:
        data = bytes([128 + len(palette)]) + colours
        for colour, length in runs:
            index = palette.index(colour)
            data += bytes([index]) if length == 1 else bytes([128 | index]) + run_length(length)
        return data
    return b"\x00" + b"".join(map(cpixel, flat))


def run_length(length: int) -> bytes:
    return b"\xff" * ((length - 1) // 255) + bytes([(length - 1) % 255])


class Scripted:
    """The stream of such a server: `feed` is what it sends, `sent` what it was sent."""

    def __init__(self, data: bytes = b"", *, ended: bool = False, chunk: int = 1 << 20) -> None:
        self.sent = bytearray()
        self.closed = False
        self.largest_read = chunk
        self._data = bytearray(data)
        self._ended = ended
        self._more = asyncio.Event()

    def feed(self, data: bytes) -> None:
        self._data += data
        self._more.set()

    def end(self) -> None:
        self._ended = True
        self._more.set()

    async def read(self) -> bytes:
        while not self._data and not self._ended:
            self._more.clear()
            await self._more.wait()
        part = bytes(self._data[: self.largest_read])
        del self._data[: len(part)]
        return part

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
        self.end()

    def take(self) -> bytes:
        """What was sent since this was last asked."""
        taken = bytes(self.sent)
        self.sent.clear()
        return taken


async def shaken(
    width: int = 40, height: int = 30, encodings: Sequence[int] = PREFERRED
) -> tuple[RfbClient, Scripted]:
    """A client whose handshake with such a server is done, and the server."""
    server = Scripted(GREETING + server_init(width, height))
    client = RfbClient(server, encodings=encodings)
    await client.handshake()
    server.take()
    return client, server


async def told(client: RfbClient, server: Scripted, *messages: bytes) -> None:
    """Let the client read messages, and then the end."""
    server.feed(b"".join(messages))
    server.end()
    await client.run()


def picture(width: int, height: int, colours: int = 1 << 24, seed: int = 1) -> Packed:
    """A picture in so many colours, in runs as long as a screen's are."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, 1 << 24, max(1, min(colours, 4096)), np.uint32)
    runs = random.integers(1, 12, width * height)
    flat = np.repeat(random.choice(chosen, width * height), runs)[: width * height]
    return flat.reshape(height, width).astype("<u4")
