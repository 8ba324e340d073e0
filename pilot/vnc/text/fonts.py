"""The fonts that screens are read with: digests of glyphs, by the size of the cell.

No font is part of this project, nor needed on the user's machine. `glyphs.bin` has the digests of glyphs
that consoles usually show, from which no glyph can be drawn; what this machine has of fonts, or somebody
hands over as bytes, is added to them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from wcwidth import wcwidth

from pilot.vnc.text.digests import Digests, of_bitmaps
from pilot.vnc.text.faces import MAX_BYTES, Face, parse

Size = tuple[int, int]
"""Columns and rows of a cell, in pixels."""
Codes = npt.NDArray[np.uint32]
"""Characters as Unicode numbers; 0 is none."""

BUILT_IN = Path(__file__).parent / "glyphs.bin"
MAGIC = b"glyphs 1"

PLACES = (
    ("/usr/share/seabios", "vgabios*.bin"),
    ("/usr/share/qemu", "vgabios*.bin"),
    ("/opt/homebrew/share/qemu", "vgabios*.bin"),
    ("/usr/local/share/qemu", "vgabios*.bin"),
    ("/usr/lib/kbd/consolefonts", "*.psf*"),
    ("/usr/share/kbd/consolefonts", "*.psf*"),
    ("/usr/share/consolefonts", "*.psf*"),
    ("/usr/share/grub", "*.pf2"),
    ("/usr/share/unifont", "unifont*.hex"),
)
MAX_FILES = 600

VGA_ROWS = (8, 14, 16)
WIDE = 9
"""Columns of a cell of VGA text whose glyphs have 8."""


class Table(NamedTuple):
    """The glyphs of one size. Digests are of the pixels that differ from the upper left one."""

    upright: Digests
    """In rising order: glyphs whose upper left pixel is background, as nearly all have it."""
    upright_codes: Codes
    turned: Digests
    """In rising order: glyphs whose upper left pixel is foreground."""
    turned_codes: Codes


EMPTY = Table(np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.uint64), np.zeros(0, np.uint32))


class Fonts:
    """Glyphs of every size that is known. Adding changes what later screens are read with."""

    def __init__(self, tables: dict[Size, Table] | None = None) -> None:
        self._tables = dict(tables or {})
        self.version = 0
        """Grows when glyphs were added."""

    @classmethod
    def built_in(cls) -> Fonts:
        """The usual glyphs; takes a few milliseconds the first time."""
        return cls(_built_in())

    @classmethod
    def from_bytes(cls, *files: bytes) -> Fonts:
        """The usual glyphs and those of font files that somebody handed over; what is no font is left out."""
        fonts = cls.built_in()
        for data in files:
            fonts.add(data)
        return fonts

    @property
    def sizes(self) -> list[Size]:
        """Of the cells that can be read, the most usual first."""
        return sorted(self._tables, key=lambda size: (_USUAL.get(size, len(_USUAL)), size))

    def table(self, size: Size) -> Table:
        """The glyphs of one size."""
        return self._tables.get(size, EMPTY)

    def add(self, data: bytes) -> int:
        """Add a font file's glyphs; gives how many faces it had, 0 if it is no font.

        A glyph that is known keeps its meaning.
        """
        try:
            faces = parse(data)
        except ValueError:
            return 0
        self.add_faces(faces)
        return len(faces)

    def search(self, places: Iterable[tuple[str, str]] = PLACES) -> int:
        """Add the fonts of this machine; gives how many files. Takes up to a second: call it in a thread."""
        faces = list[Face]()
        count = 0
        for path in _files(places):
            try:
                if path.stat().st_size <= MAX_BYTES:
                    faces += parse(path.read_bytes())
                    count += 1
            except (OSError, ValueError):
                continue
        self.add_faces(faces)
        return count

    def add_faces(self, faces: list[Face]) -> None:
        """Add glyphs; one that is known keeps its meaning."""
        found: dict[Size, list[tuple[Digests, Codes, npt.NDArray[np.bool_]]]] = {}
        for face in faces:
            for size, glyphs in _glyphs(face):
                found.setdefault(size, []).append(glyphs)
        tables = dict(self._tables)
        for size, parts in found.items():
            tables[size] = _merge(tables.get(size, EMPTY), parts)
        # In one go: another thread may be reading.
        self._tables = tables
        self.version += 1


def _files(places: Iterable[tuple[str, str]]) -> Iterator[Path]:
    count = 0
    for folder, pattern in places:
        for path in sorted(Path(folder).glob(pattern)):
            if (count := count + 1) > MAX_FILES:
                return
            yield path


_USUAL = {
    size: rank
    for rank, size in enumerate([(8, 16), (9, 16), (8, 14), (9, 14), (8, 19), (8, 8), (9, 8), (16, 32)])
}


def _is_seen(character: str) -> bool:
    """Whether it fills a cell. Some fonts draw controls, too: a guest that shows these would be obeyed."""
    return character != " " and character.isprintable() and wcwidth(character) > 0


def _glyphs(face: Face) -> Iterator[tuple[Size, tuple[Digests, Codes, npt.NDArray[np.bool_]]]]:
    """The digests, characters and whether they are turned, by size of the cell."""
    codes: Codes = np.frombuffer(face.characters.encode("utf-32-le"), np.uint32)
    known = np.fromiter(map(_is_seen, face.characters), np.bool_, len(codes))
    bitmaps, codes, positions = face.bitmaps[known], codes[known], face.positions[known] & 0xFF
    rows, columns = face.bitmaps.shape[1:]
    yield (columns, rows), _digested(bitmaps, codes)
    if columns == 8 and rows in VGA_ROWS:
        # VGA text has cells of 9 columns. The last is empty, or repeats the one before in 0xC0 to 0xDF so
        # that lines join; QEMU begins at 0xB0.
        empty = np.pad(bitmaps, ((0, 0), (0, 0), (0, 1)))
        lines = (positions >= 0xB0) & (positions <= 0xDF)
        joined = np.concatenate([bitmaps, bitmaps[:, :, -1:]], axis=2)[lines]
        yield (WIDE, rows), _digested(np.concatenate([empty, joined]), np.concatenate([codes, codes[lines]]))


def _digested(bitmaps: npt.NDArray[np.uint8], codes: Codes) -> tuple[Digests, Codes, npt.NDArray[np.bool_]]:
    turned = bitmaps[:, 0, 0] != 0
    return of_bitmaps(bitmaps ^ turned[:, None, None].astype(np.uint8)), codes, turned


def _merge(table: Table, parts: list[tuple[Digests, Codes, npt.NDArray[np.bool_]]]) -> Table:
    upright = _first(
        [table.upright, *(digests[~turned] for digests, _, turned in parts)],
        [table.upright_codes, *(codes[~turned] for _, codes, turned in parts)],
    )
    turned = _first(
        [table.turned, *(digests[turned] for digests, _, turned in parts)],
        [table.turned_codes, *(codes[turned] for _, codes, turned in parts)],
    )
    return Table(*upright, *turned)


def _first(digests: list[Digests], codes: list[Codes]) -> tuple[Digests, Codes]:
    """Each digest once, with its first meaning; ASCII before all others, which only look like it."""
    every, meaning = np.concatenate(digests), np.concatenate(codes)
    order = np.argsort(meaning >= 0x7F, kind="stable")
    order = order[every[order] != 0]
    unique, first = np.unique(every[order], return_index=True)
    return unique, meaning[order][first]


@cache
def _built_in() -> dict[Size, Table]:
    return load(BUILT_IN.read_bytes())


def load(data: bytes) -> dict[Size, Table]:
    """Tables from the form that `dump` gives."""
    assert data.startswith(MAGIC)
    tables, at = dict[Size, Table](), len(MAGIC)
    while at < len(data):
        width, height, upright, turned = struct.unpack_from("<BBHH", data, at)
        at += 6
        digests, codes = list[Digests](), list[Codes]()
        for count in (upright, turned):
            digests.append(np.frombuffer(data, "<u8", count, at).astype(np.uint64))
            codes.append(np.frombuffer(data, "<u2", count, at + 8 * count).astype(np.uint32))
            at += 10 * count
        tables[width, height] = Table(digests[0], codes[0], digests[1], codes[1])
    for (width, height), table in tables.items():
        if width == WIDE and (narrow := tables.get((8, height))):
            upright = _first([narrow.upright, table.upright], [narrow.upright_codes, table.upright_codes])
            tables[width, height] = Table(*upright, table.turned, table.turned_codes)
    return tables


def dump(fonts: Fonts) -> bytes:
    """All tables, but what cells of 9 columns share with those of 8 once.

    Little-endian: width, height, how many upright and turned; of either digests, then 16-bit characters.
    """
    data = bytearray(MAGIC)
    for size in fonts.sizes:
        table = fonts.table(size)
        if size[0] == WIDE:
            new = ~np.isin(table.upright, fonts.table((8, size[1])).upright)
            table = table._replace(upright=table.upright[new], upright_codes=table.upright_codes[new])
        data += struct.pack("<BBHH", *size, len(table.upright), len(table.turned))
        for digests, codes in ((table.upright, table.upright_codes), (table.turned, table.turned_codes)):
            data += digests.astype("<u8").tobytes() + codes.astype("<u2").tobytes()
    return bytes(data)
