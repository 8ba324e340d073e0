"""What cells were, by the digest of their pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pilot.vnc.text.cells import Cells
from pilot.vnc.text.digests import Digests
from pilot.vnc.text.screen import Numbers

MAX_KINDS = 65536
"""Kinds of cells that are remembered; a screen of text has a few hundred."""


class Memory:
    """Cells by digest, in rising order."""

    def __init__(self) -> None:
        """Empty."""
        self._digests: Digests = np.zeros(0, np.uint64)
        none = np.zeros(0, np.uint32)
        self._cells = Cells(none, none, none)

    def recall(self, digests: Digests) -> tuple[Numbers, Numbers, Numbers] | None:
        """Characters, inks and papers of cells; None unless all are known."""
        at = self._places(digests)
        if at is None or not np.array_equal(self._digests[at], digests):
            return None
        return self._cells.codes[at], self._cells.inks[at], self._cells.papers[at]

    def unknown(self, digests: Digests) -> tuple[Digests, npt.NDArray[np.int64]]:
        """The kinds among these that are not known, and where each stands first."""
        fresh, first = np.unique(digests, return_index=True)
        at = self._places(fresh)
        if at is not None:
            new = self._digests[at] != fresh
            fresh, first = fresh[new], first[new]
        return fresh, first

    def keep(self, digests: Digests, cells: Cells) -> None:
        """Remember kinds that were not known; what was known is let go if there would be too many."""
        if len(self._digests) + len(digests) <= MAX_KINDS:
            digests = np.concatenate([self._digests, digests])
            cells = Cells(*(np.concatenate(pair) for pair in zip(self._cells, cells, strict=True)))
        order = np.argsort(digests)
        self._digests = digests[order]
        self._cells = Cells(*(array[order] for array in cells))

    def _places(self, digests: Digests) -> npt.NDArray[np.int64] | None:
        if not self._digests.size:
            return None
        at: npt.NDArray[np.int64] = np.searchsorted(self._digests, digests)
        at[at == self._digests.size] = 0
        return at
