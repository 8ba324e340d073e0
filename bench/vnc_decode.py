"""Whole screens taken from a VNC server: how long the client's event loop is busy with one.

Beside it what cannot be saved: the same bytes copied (raw), the same stream inflated (ZRLE).
"""

from __future__ import annotations

import time
import zlib

import numpy as np

from bench.result import Row, below, median
from bench.workshop import Workshop
from pilot.vnc.framebuffer import PACKED, Packed
from pilot.vnc.rfb import RfbClient
from tests.vnc.scripted import GREETING, Scripted, Zrle, raw, server_init, tile, update

ROUNDS = 15
KINDS = ("solid", "packed", "palette runs", "runs", "raw")
CONSOLE = np.array([0xAAAAAA, 0xAAAAAA, 0xAAAAAA, 0x55FF55, 0x5555FF, 0x55FFFF], np.uint32)
"""Colours of words on a console: most are grey."""


async def measure(workshop: Workshop) -> list[Row]:
    """Text in two sizes and a photograph, by both encodings."""
    rows = list[Row]()
    sizes = list[str]()
    for what, picture, limit in (
        ("720x400, full of text", _text(720, 400), 5.0),
        ("1024x768, full of text", _text(1024, 768), 10.0),
        ("1024x768, a photograph", _photograph(1024, 768), 40.0),
    ):
        copied = update(raw(0, 0, picture))
        tiles = _tiles(picture)
        packed = zlib.compress(tiles, 1)
        runs = update(Zrle().rectangle(0, 0, picture.shape[1], picture.shape[0], tiles))
        sizes.append(f"{what}: {len(copied) / 1000:,.0f} kB raw, {len(runs) / 1000:,.0f} kB ZRLE")
        rows.append(
            below(f"VNC raw, {what}", await _decoded(picture, copied), "ms", limit, "copied", _copied(copied))
        )
        rows.append(
            below(
                f"VNC ZRLE, {what}", await _decoded(picture, runs), "ms", limit, "inflated", _inflated(packed)
            )
        )
    workshop.notes.append(
        f"VNC: one update of the whole screen, encoded as the server finds it shortest. {'; '.join(sizes)}."
    )
    return rows


async def _decoded(picture: Packed, message: bytes) -> float:
    """Milliseconds for a message that has arrived."""
    height, width = picture.shape
    times = list[float]()
    for _ in range(ROUNDS):
        server = Scripted(GREETING + server_init(width, height))
        client = RfbClient(server)
        await client.handshake()
        server.feed(message)
        server.end()
        begin = time.perf_counter()
        await client.run()
        times.append((time.perf_counter() - begin) * 1000)
        assert (client.screen.packed == picture).all()
    return median(times)


def _copied(message: bytes) -> float:
    times = list[float]()
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        bytearray(message)
        times.append((time.perf_counter() - begin) * 1000)
    return median(times)


def _inflated(packed: bytes) -> float:
    times = list[float]()
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        zlib.decompress(packed)
        times.append((time.perf_counter() - begin) * 1000)
    return median(times)


def _tiles(picture: Packed) -> bytes:
    """Each tile in the shortest way, as QEMU chooses."""
    height, width = picture.shape
    return b"".join(
        min((tile(picture[y : y + 64, x : x + 64], kind) for kind in KINDS), key=len)
        for y in range(0, height, 64)
        for x in range(0, width, 64)
    )


def _text(width: int, height: int) -> Packed:
    """Cells of 8 by 16: words in some colours, glyphs of a quarter of their pixels, no line empty."""
    random = np.random.default_rng(1)
    glyphs = random.random((64, 16, 8)) < 0.25
    rows, columns = height // 16, width // 8
    letters = random.integers(0, 64, (rows, columns))
    colours = np.repeat(random.choice(CONSOLE, (rows, columns // 8 + 1)), 8, axis=1)[:, :columns]
    colours[random.random((rows, columns)) < 0.15] = 0  # spaces
    cells = glyphs[letters] * colours[..., None, None]
    picture = np.zeros((height, width), PACKED)
    picture[: rows * 16, : columns * 8] = cells.transpose(0, 2, 1, 3).reshape(rows * 16, columns * 8)
    return picture


def _photograph(width: int, height: int) -> Packed:
    """Smooth shades with some noise: no run and no palette helps."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[0:height, 0:width]
    noise = random.integers(0, 8, (height, width, 3))
    red, green, blue = (x // 5 % 200, y // 4 % 200, (x + y) // 8 % 200)
    picture = (red + noise[..., 0]) | (green + noise[..., 1]) << 8 | (blue + noise[..., 2]) << 16
    packed: Packed = picture.astype(PACKED)
    return packed
