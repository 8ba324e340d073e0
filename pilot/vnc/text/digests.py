"""Digests of bitmaps: what a glyph, or a cell of the screen, is known by.

A digest is the sum over the pixels of value times weight, modulo 2**64. It is linear, so that a whole screen
is digested row by row, the same glyph has the same digest wherever it stands, and a glyph of 8 columns keeps
its digest in a cell of 9 whose last column is empty. The weight of a pixel depends on its row and column
alone and never changes: `glyphs.bin` has digests that were made earlier.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pilot.vnc.framebuffer import Packed

Digests = npt.NDArray[np.uint64]
MAX_CELL = 64
"""Rows and columns of the largest cell."""


def _weights(seed: int) -> Digests:
    """Odd numbers that look random: SplitMix64 (Steele, Lea, Flood 2014), which needs no state."""
    mask, state, found = 2**64 - 1, seed, list[int]()
    for _ in range(MAX_CELL):
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        found.append(mixed ^ (mixed >> 31) | 1)
    return np.array(found, np.uint64)


ROW_WEIGHTS = _weights(1)
COLUMN_WEIGHTS = _weights(2)
"""A pixel weighs the weight of its row times that of its column."""


def of_bitmaps(bitmaps: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> Digests:
    """Digests of many bitmaps at once: N by rows by columns, of 0 and 1."""
    rows = bitmaps.astype(np.uint64) @ COLUMN_WEIGHTS[: bitmaps.shape[2]]
    found: Digests = rows @ ROW_WEIGHTS[: bitmaps.shape[1]]
    return found


def of_cells(packed: Packed, width: int, height: int) -> Digests:
    """Digests of a picture's cells: rows by columns of cells; the picture holds whole cells only."""
    rows, columns = packed.shape[0] // height, packed.shape[1] // width
    stacked = packed.reshape(rows, height, columns * width)
    # Row by row of the cells: the sums stay in the processor's cache.
    sums = np.zeros((rows, columns * width), np.uint64)
    for row in range(height):
        sums += stacked[:, row].astype(np.uint64) * ROW_WEIGHTS[row]
    return across(sums, width)


def across(sums: Digests, width: int) -> Digests:
    """Digests of cells from the sums of their columns."""
    found = np.zeros((sums.shape[0], sums.shape[1] // width), np.uint64)
    for column in range(width):
        found += sums[:, column::width] * COLUMN_WEIGHTS[column]
    return found


def anywhere(mask: npt.NDArray[np.bool_], width: int, height: int) -> Digests:
    """Digests of every place where a cell could begin: a row and column for each."""
    rows, columns = mask.shape[0] - height + 1, mask.shape[1] - width + 1
    bits = mask.astype(np.uint64)
    sums = np.zeros((rows, mask.shape[1]), np.uint64)
    for row in range(height):
        sums += bits[row : row + rows] * ROW_WEIGHTS[row]
    found = np.zeros((rows, columns), np.uint64)
    for column in range(width):
        found += sums[:, column : column + columns] * COLUMN_WEIGHTS[column]
    return found
