"""Lines that have left the screen at its top: kept compactly, oldest dropped first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

Cell = tuple[Any, str]
"""A style of the emulator and what stands in the cell: one character with its accents, or "" in the second
cell of a wide one."""

_STRIDE = 16
"""Cells that are compared at once."""
_STYLE_COST = 400
"""Bytes that a change of style is reckoned at: what it takes if no other cell looks the same."""


class Kept(NamedTuple):
    """A line as it is kept: no object per cell, since 10,000 lines of them would burden every collection."""

    text: str
    shape: bytes | None
    """Characters in each cell; None if there is one in each."""
    styles: tuple[Any, ...]
    ends: tuple[int, ...]
    """For each style, the cell that it ends before."""
    wrapped: bool

    @classmethod
    def of(cls, row: list[Cell], wrapped: bool, blank: Cell) -> Kept:
        """A row of the screen; its trailing blanks are left out unless the line goes on in the next."""
        end = len(row) if wrapped else content_end(row, blank)
        if not end:
            return _EMPTY_WRAPPED if wrapped else _EMPTY
        first = row[0]
        if first[1] == " " and row == [first] * len(row):
            # Worth a look: a guest can scroll blank lines in for next to nothing.
            return cls(" " * end, None, (first[0],), (end,), wrapped)
        looks, texts = zip(*(row if end == len(row) else row[:end]), strict=True)
        text = "".join(texts)
        shape = None
        if not text.isascii() and (len(text) != len(texts) or "" in texts):
            shape = bytes(min(len(character), 255) for character in texts)
        number = len(looks)
        if looks == (looks[0],) * number:  # Stops at the first that differs, unlike counting.
            return cls(text, shape, (looks[0],), (number,), wrapped)
        styles, ends, end = [], [], 0
        for style, cells in groupby(looks):
            end += len(list(cells))
            styles.append(style)
            ends.append(end)
        return cls(text, shape, tuple(styles), tuple(ends), wrapped)

    @property
    def width(self) -> int:
        """How many cells are kept."""
        return self.ends[-1] if self.ends else 0

    @property
    def cost(self) -> int:
        """About how many bytes the line takes."""
        return 4 * len(self.text) + _STYLE_COST * len(self.styles)

    def texts(self) -> list[str]:
        """What stands in each cell."""
        if self.shape is None:
            return list(self.text)
        texts, start = [], 0
        for length in self.shape:
            texts.append(self.text[start : start + length])
            start += length
        return texts

    def cells(self) -> list[Cell]:
        """The cells, as they were on the screen."""
        texts, cells, start = self.texts(), list[Cell](), 0
        for style, end in zip(self.styles, self.ends, strict=True):
            cells += [(style, text) for text in texts[start:end]]
            start = end
        return cells


_EMPTY = Kept("", None, (), (), False)
_EMPTY_WRAPPED = Kept("", None, (), (), True)


def content_end(row: list[Cell], blank: Cell) -> int:
    """Where the trailing cells begin that are as if nothing had ever been written there."""
    end = len(row)
    blanks = [blank] * _STRIDE
    while end >= _STRIDE and row[end - _STRIDE : end] == blanks:
        end -= _STRIDE
    while end and row[end - 1] == blank:
        end -= 1
    return end


class Scrollback:
    """A bounded number of lines, and of bytes that a hostile guest can make them take."""

    def __init__(self, lines: int, cost: int) -> None:
        self._most_lines = lines
        self._most_cost = cost
        self._lines = deque[Kept]()
        self._cost = 0
        self.dropped = 0
        """Lines let go so far, less those that were put above: below 0 if these are more."""

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._lines)

    def __getitem__(self, number: int) -> Kept:
        return self._lines[number]

    @property
    def cost(self) -> int:
        """About how many bytes all of it takes."""
        return self._cost

    def append(self, line: Kept) -> None:
        """Take a line; the oldest ones go if there are too many."""
        self._lines.append(line)
        self._cost += line.cost
        while self._lines and (len(self._lines) > self._most_lines or self._cost > self._most_cost):
            self._cost -= self._lines.popleft().cost
            self.dropped += 1

    def put_above(self, lines: Sequence[Kept]) -> int:
        """Take lines that are older than all that are here: the newest of them, as many as there is room for.

        How many that are. They are counted as if they had been dropped before: the number of a line that was
        here plus `dropped` is what it was.
        """
        taken = 0
        for line in reversed(lines):
            if len(self._lines) >= self._most_lines or self._cost + line.cost > self._most_cost:
                break
            self._lines.appendleft(line)
            self._cost += line.cost
            taken += 1
        self.dropped -= taken
        return taken

    def pop(self) -> Kept:
        """Give back the newest line."""
        line = self._lines.pop()
        self._cost -= line.cost
        return line

    def clear(self) -> None:
        """Let everything go."""
        self.dropped += len(self._lines)
        self._lines.clear()
        self._cost = 0
