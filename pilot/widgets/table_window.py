"""Which rows are on the screen, and where the window is to stand when rows move around the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Anchor(NamedTuple):
    """A row that is to keep its line: the cursor's if it is on the screen, else the uppermost one."""

    key: str | None
    offset: int
    """Lines below the top of the window."""


def anchor(shown: Sequence[str], cursor: int | None, top: int, height: int) -> Anchor:
    """The row that is to stay where it is."""
    if cursor is not None and top <= cursor < top + max(1, height):
        return Anchor(shown[cursor], cursor - top)
    return Anchor(shown[top], 0) if 0 <= top < len(shown) else Anchor(None, 0)


def neighbour(
    key: str | None, place: int | None, before: Sequence[str], shows: Callable[[str], bool]
) -> str | None:
    """The row itself if it is still shown; else the next one of those below it that is, else above it.

    `place` is where it was in `before`; `shows` says whether a row is shown now.
    """
    if key is not None and shows(key):
        return key
    if place is None:
        return None
    for number in range(place + 1, len(before)):
        if shows(before[number]):
            return before[number]
    for number in range(min(place, len(before)) - 1, -1, -1):
        if shows(before[number]):
            return before[number]
    return None


def top_for(place: int | None, offset: int, count: int, height: int) -> int:
    """Where the window begins so that a row is on its line, as far as the ends of the list let it."""
    if place is None:
        return 0
    return max(0, min(place - offset, count - height))


def reveal(place: int, top: int, height: int) -> int:
    """Where the window begins so that a row is in it, moved as little as possible."""
    if place < top:
        return place
    return max(top, place - max(1, height) + 1)
