"""Fonts as files have them: PSF of Linux' console, PF2 of GRUB, HEX of GNU Unifont, and VGA BIOS images.

Sources: the layouts of PSF 1 and 2 are those of the Linux kbd project (psf.h); PF2 is described in GRUB's
developer manual ("PFF2 font format"); a VGA BIOS has its tables as IBM's VGA did: 256 glyphs of 16, 14 or 8
bytes in the order of code page 437.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.vnc.text.digests import MAX_CELL

MAX_BYTES = 8 * 2**20
"""Of one font file, unpacked; GRUB's unicode.pf2 has 2.4 MB."""
MAX_GLYPHS = 70_000

CODE_PAGE_437 = "\0☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" + bytes(range(32, 256)).decode("cp437").replace(
    "\x7f", "⌂"
)


class Face(NamedTuple):
    """The glyphs of one size in one font."""

    bitmaps: npt.NDArray[np.uint8]
    """Glyphs by rows by columns, of 0 and 1."""
    characters: str
    """What each glyph stands for; "\\0" if that is not known."""
    positions: npt.NDArray[np.int64]
    """Where the glyph is in the font: VGA hardware repeats the last column of some positions."""


def parse(data: bytes) -> list[Face]:
    """The faces in a font file or BIOS image; gzip's packing is undone.

    Raises:
        ValueError: it is none of the known formats, is damaged, or has bounds that no console font has.
    """
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(31).decompress(data, MAX_BYTES)
        except zlib.error as error:
            raise ValueError(f"a font that cannot be unpacked: {error}") from None
    if len(data) > MAX_BYTES:
        raise ValueError("a font file of more than 8 MiB")
    try:
        if data.startswith(b"\x36\x04"):
            return [_psf1(data)]
        if data.startswith(b"\x72\xb5\x4a\x86"):
            return [_psf2(data)]
        if data.startswith(b"FILE\0\0\0\4PFF2"):
            return _pf2(data)
        if data.startswith(b"\x55\xaa"):
            return list(_bios(data))
        if data[4:5] == b":" or data[6:7] == b":":
            return _hex(data)
    except (struct.error, IndexError) as error:
        raise ValueError(f"a font file that ends too early: {error}") from None
    raise ValueError("a file that is no font of a known format")


def code_page(bitmaps: bytes, width: int, height: int) -> Face:
    """256 glyphs in the order of code page 437, row by row in whole bytes."""
    return _face(bitmaps[: 256 * height * ((width + 7) // 8)], width, height, CODE_PAGE_437)


def _face(data: bytes, width: int, height: int, characters: str) -> Face:
    if not (0 < width <= MAX_CELL and 0 < height <= MAX_CELL):
        raise ValueError(f"glyphs of {width} by {height} pixels")
    row = (width + 7) // 8
    count = min(len(data) // (row * height), MAX_GLYPHS)
    octets = np.frombuffer(data[: count * row * height], np.uint8).reshape(count, height, row)
    bits = np.unpackbits(octets, axis=2)[:, :, :width]
    return Face(bits, characters[:count].ljust(count, "\0"), np.arange(count))


def _psf1(data: bytes) -> Face:
    mode, height = data[2], data[3]
    count = 512 if mode & 1 else 256
    end = 4 + count * height
    if not mode & 6:
        return _face(data[4:end], 8, height, "")
    units = struct.unpack_from(f"<{(len(data) - end) // 2}H", data, end)
    meanings, these, sequence = list[str](), list[int](), False
    for unit in units:
        if unit == 0xFFFF:
            meanings.append(_preferred(these))
            these, sequence = [], False
        elif unit == 0xFFFE:
            sequence = True
        elif not sequence:
            these.append(unit)
    return _face(data[4:end], 8, height, "".join(meanings))


def _psf2(data: bytes) -> Face:
    _, head, flags, count, size, height, width = struct.unpack_from("<7I", data, 4)
    if count > MAX_GLYPHS or size != height * ((width + 7) // 8) or not size:
        raise ValueError("a font whose numbers do not fit together")
    end = head + count * size
    meanings = list[str]()
    if flags & 1:
        for entry in data[end:].split(b"\xff")[:count]:
            single = entry.split(b"\xfe")[0].decode("utf-8", "ignore")
            meanings.append(_preferred([ord(character) for character in single]))
    return _face(data[head:end], width, height, "".join(meanings))


def _preferred(codes: list[int]) -> str:
    """Of the characters that share a glyph, the one that is meant most often."""
    usable = [code for code in codes if 0x20 < code < 0xD800 or 0xF8FF < code < 0x110000]
    return chr(min(usable, key=lambda code: code >= 0x7F, default=0))


def _pf2(data: bytes) -> list[Face]:
    sections, at = dict[bytes, bytes](), 0
    while at + 8 <= len(data):
        name, (size,) = data[at : at + 4], struct.unpack_from(">I", data, at + 4)
        if name == b"DATA":
            break
        sections[name] = data[at + 8 : at + 8 + size]
        at += 8 + size
    ascent, descent = (struct.unpack(">H", sections.get(name, b"")[:2])[0] for name in (b"ASCE", b"DESC"))
    height = ascent + descent
    if not 0 < height <= MAX_CELL:
        raise ValueError(f"a font of {height} rows")
    index = sections.get(b"CHIX", b"")
    by_width: dict[int, list[tuple[int, npt.NDArray[np.uint8]]]] = {}
    for code, flags, offset in struct.iter_unpack(">IBI", index[: len(index) // 9 * 9][: 9 * MAX_GLYPHS]):
        width, rows, left, bottom, advance = struct.unpack_from(">HHhhh", data, offset)
        top = ascent - bottom - rows
        fits = (
            min(left, top) >= 0
            and advance > 0
            and left + width <= advance <= MAX_CELL
            and top + rows <= height
        )
        if flags or not fits or not 0x20 < code < 0x110000 or 0xD800 <= code < 0xE000:
            continue
        packed = np.frombuffer(data[offset + 10 : offset + 10 + (width * rows + 7) // 8], np.uint8)
        cell = np.zeros((height, advance), np.uint8)
        bits = np.unpackbits(packed)[: width * rows]
        cell[top : top + rows, left : left + width] = bits.reshape(rows, width)
        by_width.setdefault(advance, []).append((code, cell))
    return [
        Face(
            np.stack([cell for _, cell in cells]),
            "".join(chr(c) for c, _ in cells),
            np.zeros(len(cells), int),
        )
        for cells in by_width.values()
    ]


def _hex(data: bytes) -> list[Face]:
    narrow, characters = bytearray(), list[str]()
    for line in data.splitlines()[:MAX_GLYPHS]:
        code, _, bits = line.partition(b":")
        # The wide ones take two cells: no console that is read here shows them.
        if len(bits.strip()) == 32 and not 0xD800 <= int(code, 16) < 0xE000:
            narrow += bytes.fromhex(bits.decode("ascii"))
            characters.append(chr(int(code, 16)))
    return [_face(bytes(narrow), 8, 16, "".join(characters))]


BIOS_LETTER_A = {
    16: bytes.fromhex("000010386cc6c6fec6c6c6c600000000"),
    14: bytes.fromhex("000010386cc6c6fec6c6c6000000"),
    8: bytes.fromhex("3078ccccfccccc00"),
}
"""The letter A of IBM's VGA, by which its tables are found in a BIOS."""


def _bios(data: bytes) -> Iterator[Face]:
    for height, letter in BIOS_LETTER_A.items():
        start = data.find(letter) - ord("A") * height
        # A table begins with the empty glyph.
        if start >= 0 and not any(data[start : start + height]):
            yield code_page(data[start:], 8, height)
