"""Where the cells of a screen are: their size and where the first begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pilot.vnc.framebuffer import Packed
from pilot.vnc.text.cells import look_up, read_known
from pilot.vnc.text.digests import anywhere
from pilot.vnc.text.fonts import Fonts, Size
from pilot.vnc.text.screen import UNREAD, Grid, Numbers

BAND = 64
"""Pixel rows that are looked at: at least one whole row of the highest cells."""
WINDOW = 320
"""Pixel columns of a band where a glyph is looked for at every place."""
SAMPLES = 4096
"""Pixels by which a picture is told from text."""
COLOURS = 16
MANY = 0.25
"""A part of the samples in other than the most frequent colours that text does not reach, logos included."""
FEW = 3
"""Cells with a glyph: fewer are no proof of a grid."""
ANYWHERE = ((8, 16), (8, 19))
"""Sizes of cells that may begin anywhere: GRUB's, and those of UEFI, which has its text in the middle."""
LITTLE = 32
"""Pixels across and down of all that is on a screen that is next to empty."""
CELLS = 96
"""Cells of a band that are read to judge a grid."""
SOME = 0.2
"""The part of the filled cells that must be letters or digits: pictures have lines and blocks, too."""
ENOUGH = 0.6
"""The part of the cells with something in them that a grid must read."""


def is_picture(packed: Packed) -> bool:
    """Whether there are too many colours for text; a fraction of a millisecond."""
    step = max(1, int((packed.size / SAMPLES) ** 0.5))
    # An odd step meets the columns of cells in turn.
    sample = packed[:: step | 1, :: step | 1].ravel()
    counts = np.unique(sample, return_counts=True)[1]
    if counts.size <= COLOURS:
        return False
    counts.sort()
    return int(counts[:-COLOURS].sum()) > MANY * sample.size


def find(packed: Packed, fonts: Fonts) -> Grid | None:
    """The grid that reads most of the screen's fullest parts; None if there is no text that can be read.

    A screen with next to nothing on it has the grid that is usual for its size.
    """
    shape = packed.shape
    if not (sizes := _likely(fonts, shape)):
        return None
    bands = _bands(packed)
    best, best_score = None, 0.0
    for size in sizes:
        # The second one is for a screen whose fullest part is a logo.
        for top, bottom in bands if size in sizes[:3] else bands[:1]:
            found, filled = _aligned(packed[:bottom], size, top, fonts)
            if filled >= FEW and found >= max(FEW, ENOUGH * filled) and found / filled > best_score + 0.05:
                best, best_score = Grid.over(size, shape), found / filled
        if best_score > 0.95:
            return best
    if best is None and (grid := _unaligned(packed, *bands[0], fonts)) is not None:
        return grid
    if best is None and _nearly_empty(packed):
        return Grid.over(sizes[0], shape)
    return best


def _likely(fonts: Fonts, shape: tuple[int, ...]) -> list[Size]:
    """Sizes that leave less than a cell of the screen over, VGA's columns of 9 before 8 where they fit."""
    height, width = shape[0], shape[1]
    nine = width % 9 == 0 and width // 9 in (40, 80, 90, 100, 132)
    sizes = [
        size for size in fonts.sizes if (size[0] != 9 or nine) and size[0] <= width and size[1] <= height
    ]
    return sorted(sizes, key=lambda size: (nine and size[0] != 9, height % size[1] != 0 and nine))


def _bands(packed: Packed) -> list[tuple[int, int]]:
    """The two parts of the screen with the most in them, as first and last row; fewer if it is low."""
    # Every fourth column tells enough: strokes of letters are not that far apart.
    sample = packed[:, 1::3]
    ink = (sample[:, 1:] != sample[:, :-1]).sum(axis=1)
    starts = range(0, max(1, packed.shape[0] - BAND // 2), BAND)
    fullest = sorted(starts, key=lambda start: -int(ink[start : start + BAND].sum()))[:2]
    return [
        (start, min(start + BAND, packed.shape[0])) for start in fullest if ink[start : start + BAND].any()
    ] or [(0, min(BAND, packed.shape[0]))]


def _aligned(packed: Packed, size: Size, top: int, fonts: Fonts) -> tuple[int, int]:
    """How many cells with something in them were read if the first begins in the corner, and how many are."""
    width, height = size
    first, end = -(-top // height), packed.shape[0] // height
    columns = packed.shape[1] // width
    if end <= first or not columns:
        return 0, 0
    part = packed[first * height : end * height, : columns * width]
    stacked = part.reshape(end - first, height, columns, width).swapaxes(1, 2).reshape(-1, height, width)
    places = np.flatnonzero((stacked != stacked[:, :1, :1]).any(axis=(1, 2)))
    filled = stacked[places[:: places.size // CELLS + 1]]
    codes = read_known(filled, fonts.table(size)).codes
    if np.count_nonzero(_letters(codes)) < max(FEW, SOME * len(codes)):
        return 0, len(codes)
    return int(np.count_nonzero(codes != UNREAD)), len(codes)


def _unaligned(packed: Packed, top: int, bottom: int, fonts: Fonts) -> Grid | None:
    """A grid that begins elsewhere: glyphs are looked for at every place of a band."""
    band = packed[top:bottom]
    left = _fullest_window(band)
    band = band[:, left : left + WINDOW]
    background = _most_frequent(band)
    for size in ANYWHERE:
        if band.shape[0] < size[1] or band.shape[1] < size[0]:
            continue
        digests = anywhere(band != background, *size)
        rows, columns = np.nonzero(digests)
        codes = look_up(digests[rows, columns], fonts.table(size))[0]
        hit = _letters(codes)
        phases = (rows[hit] + top) % size[1] * size[0] + (columns[hit] + left) % size[0]
        if not phases.size:
            continue
        counts = np.bincount(phases)
        phase = int(counts.argmax())
        if counts[phase] >= 2 * FEW and counts[phase] > phases.size / 2:
            return Grid.over(size, packed.shape, phase % size[0], phase // size[0])
    return None


def _letters(codes: Numbers) -> npt.NDArray[np.bool_]:
    """Which are digits, or letters of ASCII, Latin-1 and what follows up to Cyrillic."""
    small = codes | 0x20
    return (
        ((codes >= ord("0")) & (codes <= ord("9")))
        | ((small >= ord("a")) & (small <= ord("z")))
        | ((codes >= 0xC0) & (codes < 0x460))
    )


def _fullest_window(band: Packed) -> int:
    ink = (band[1:] != band[:-1]).sum(axis=0)
    sums = np.concatenate([[0], np.cumsum(ink)])
    if sums.size <= WINDOW:
        return 0
    return int((sums[WINDOW:] - sums[:-WINDOW]).argmax())


def _most_frequent(band: Packed) -> np.uint32:
    colours, counts = np.unique(band[::3, ::3], return_counts=True)
    return np.uint32(colours[counts.argmax()])


def _nearly_empty(packed: Packed) -> bool:
    """Whether there is not more than a cursor and a word of two letters on it."""
    background = _most_frequent(packed[::8])
    ink = packed != background
    if (count := int(np.count_nonzero(ink))) == 0 or count > LITTLE**2:
        return count == 0
    rows, columns = np.nonzero(ink)
    return bool(np.ptp(rows) < LITTLE and np.ptp(columns) < LITTLE)
