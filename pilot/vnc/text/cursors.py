"""The guest's text cursor: a bar or block that is drawn over a cell, and makes it another bitmap."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pilot.vnc.framebuffer import Packed
from pilot.vnc.text.cells import look_up
from pilot.vnc.text.digests import COLUMN_WEIGHTS, ROW_WEIGHTS, Digests, of_bitmaps
from pilot.vnc.text.fonts import Codes, Table
from pilot.vnc.text.screen import SPACE, UNREAD, Numbers

MAX_TRIED = 8
"""Unread cells on a screen among which a cursor is looked for: there is one cursor."""
BARS = "▁▂▬▄█"
"""Characters that look like a cursor in some font; one of them by itself is taken for it."""


class Covered(NamedTuple):
    """What stands under a cursor."""

    code: int
    ink: int
    paper: int


def uncover(pixels: Packed, table: Table) -> Covered | None:
    """The character of an unread cell, if it is one with a cursor's bar over it.

    Linux' framebuffer console turns the bar's pixels around, VGA makes all of them the text's colour.
    """
    corner = pixels[0, 0]
    differs = pixels != corner
    others = np.unique(pixels[differs])
    if others.size != 1:
        return None
    full = differs.all(axis=1)
    bars, found = _bars(full), list[int]()
    for start, end in bars:
        # A bar that was turned around need not be full: there may be a glyph's foot in it.
        turned = differs.copy()
        turned[start:end] ^= True
        found.append(_code(turned, table))
    if not any(found):
        for start, end in bars:
            if full[start:end].all():
                visible = differs.copy()
                visible[start:end] = False
                found.append(_behind(visible, start, end, table))
    # Of what it may be, the plainest: half a letter can look like another one's.
    code = min(filter(None, found), default=0)
    return Covered(code, int(others[0]), int(corner)) if code else None


def _bars(full: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last row of what may be a cursor: near the foot of the cell, or a good part of it."""
    height = full.size
    usual = [(height - 2, height), (height - 3, height - 1), (height - 1, height), (height - 4, height - 2)]
    rows = np.flatnonzero(full)
    found = [(int(rows[0]), int(rows[-1]) + 1)] if rows.size else []
    return [*found, *usual, (height // 2, height), (height * 2 // 3, height)]


def _code(mask: npt.NDArray[np.bool_], table: Table) -> int:
    if not mask.any():
        return SPACE
    return int(look_up(of_bitmaps(mask[None]), table)[0][0])


def _behind(visible: npt.NDArray[np.bool_], start: int, end: int, table: Table) -> int:
    """The one character whose glyph looks like this outside of the bar; a plain one before all others."""
    if not visible.any():
        return SPACE
    if end - start > 2:
        return 0
    # Digests are sums: what is missing is what the hidden pixels would add, and there are 65,536 ways.
    missing = table.upright - of_bitmaps(visible[None])[0]
    fits: Codes = table.upright_codes[np.isin(missing, _hidden(start, end))]
    return int(fits.min()) if fits.size else 0


@lru_cache(maxsize=8)
def _hidden(start: int, end: int) -> Digests:
    """What every combination of pixels in two rows of 8 columns adds to a digest."""
    sums = np.zeros(1, np.uint64)
    for weight in np.outer(ROW_WEIGHTS[start:end], COLUMN_WEIGHTS[:8]).ravel():
        sums = np.concatenate([sums, sums + weight])
    return sums


def block(codes: Numbers, inks: Numbers, papers: Numbers) -> tuple[int, int, Covered] | None:
    """Row and column of a cursor that fills a cell, and what is under it: the only cell of its kind.

    A space becomes one of the text's colour; a letter has its two colours exchanged.
    """
    written = (codes != SPACE) & (codes != UNREAD)
    paper = _commonest(papers)
    ink = _commonest(inks[written]) if written.any() else None
    if ink is None or ink == paper:
        return None
    odd = np.flatnonzero(papers.ravel() == ink)
    if odd.size != 1:
        return None
    row, column = divmod(int(odd[0]), codes.shape[1])
    code = int(codes[row, column])
    if code == UNREAD or (code != SPACE and int(inks[row, column]) != paper):
        return None
    return row, column, Covered(code, ink, paper)


def lone_bar(codes: Numbers) -> tuple[int, int] | None:
    """Row and column of the only character on the screen that looks like a cursor."""
    found = [np.argwhere(codes == ord(bar)) for bar in BARS]
    places = [place for places in found for place in places.tolist()]
    return (places[0][0], places[0][1]) if len(places) == 1 else None


def _commonest(colours: Numbers) -> int:
    values, counts = np.unique(colours, return_counts=True)
    return int(values[counts.argmax()])
