"""Cells that were not met before: their two colours, and the character whose glyph they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.vnc.framebuffer import Packed
from pilot.vnc.text.digests import Digests, of_bitmaps
from pilot.vnc.text.fonts import Codes, Table
from pilot.vnc.text.screen import SPACE, UNREAD, Numbers


class Cells(NamedTuple):
    """What cells are, one number each."""

    codes: Numbers
    """Characters; SPACE for one colour, UNREAD for what is no glyph."""
    inks: Numbers
    """Packed pixels: the colour of the glyph; of what is unread, of the upper half."""
    papers: Numbers
    """The colour behind it; of what is unread, of the lower half."""


def read(pixels: Packed, table: Table) -> Cells:
    """Read cells: N by rows by columns of pixels."""
    codes, inks, papers = read_known(pixels, table)
    unread = codes == UNREAD
    if unread.any():
        half = pixels.shape[1] // 2
        inks[unread], papers[unread] = _mean(pixels[unread, :half]), _mean(pixels[unread, half:])
    return Cells(codes, inks, papers)


def read_known(pixels: Packed, table: Table) -> Cells:
    """The same, but without the colours of cells that were not read."""
    corner = pixels[:, 0, 0]
    differs = pixels != corner[:, None, None]
    # Where all that differ are of one colour, the least and the greatest of them are the same.
    other = np.where(differs, pixels, 0).max(axis=(1, 2))
    least = np.where(differs, pixels, 0xFFFFFFFF).min(axis=(1, 2))
    empty = ~differs.any(axis=(1, 2))
    two = other == least
    codes, turned = look_up(of_bitmaps(differs), table, dark=other == 0)
    codes[~two] = 0
    inks, papers = np.where(turned, corner, other), np.where(turned, other, corner)
    codes[empty] = SPACE
    inks[empty], papers[empty] = corner[empty], corner[empty]
    codes[codes == 0] = UNREAD
    return Cells(codes, inks.astype(np.uint32), papers.astype(np.uint32))


def look_up(
    digests: Digests, table: Table, dark: npt.NDArray[np.bool_] | None = None
) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """The characters of digests (0 for none), and whether the glyph's upper left pixel is of its own colour.

    Some are either, like the two half blocks: then `dark` says where the other colour is more likely that of
    the background.
    """
    codes = _in(digests, table.upright, table.upright_codes)
    either = _in(digests, table.turned, table.turned_codes)
    turned = (either != 0) & ((codes == 0) | (dark if dark is not None else False))
    return np.where(turned, either, codes), turned


def _in(digests: Digests, known: Digests, codes: Codes) -> Codes:
    if not known.size:
        return np.zeros(digests.shape, np.uint32)
    at = np.searchsorted(known, digests)
    at[at == known.size] = 0
    return np.where(known[at] == digests, codes[at], 0).astype(np.uint32)


def _mean(pixels: Packed) -> Numbers:
    mean = np.zeros(pixels.shape[0], np.uint32)
    for shift in (0, 8, 16):
        channel = (pixels >> shift & 0xFF).mean(axis=(1, 2))
        mean |= channel.astype(np.uint32) << np.uint32(shift)
    return mean
