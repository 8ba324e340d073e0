"""A table for a plain terminal: columns as wide as what is in them, two spaces between, no lines drawn."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from pilot.render.palette import Tone, paint
from pilot.wire import plain

_LONGEST = 500


class Cell(NamedTuple):
    """Text and what it means."""

    text: str
    tone: Tone = ""


class Column(NamedTuple):
    """A heading, and on which side its cells line up."""

    title: str
    right: bool = False


def width(text: str) -> int:
    """Terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    cells = 0
    for character in text:
        if unicodedata.combining(character):
            continue
        cells += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return cells


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], colour: bool) -> list[str]:
    """The lines, heading first. Columns in which no row has anything are left out."""
    used = [i for i in range(len(columns)) if any(row[i].text for row in rows)]
    cleaned = [[Cell(plain(row[i].text, _LONGEST), row[i].tone) for i in used] for row in rows]
    heading = [Cell(columns[i].title, "dim") for i in used]
    widths = [max(width(row[i].text) for row in [heading, *cleaned]) for i in range(len(used))]
    right = [columns[i].right for i in used]
    return [_line(row, widths, right, colour) for row in [heading, *cleaned]]


def _line(row: Sequence[Cell], widths: Sequence[int], right: Sequence[bool], colour: bool) -> str:
    parts = []
    for i, cell in enumerate(row):
        gap = " " * (widths[i] - width(cell.text))
        text = paint(cell.text, cell.tone, colour)
        parts.append(gap + text if right[i] else text + (gap if i < len(row) - 1 else ""))
    return "  ".join(parts).rstrip()


def in_columns(texts: Sequence[str], room: int) -> list[str]:
    """Short texts side by side, in lines of so many columns, as `ls -x` shows names."""
    wide = max((width(text) for text in texts), default=0) + 2
    count = max(1, (room + 2) // wide)
    rows = (texts[i : i + count] for i in range(0, len(texts), count))
    return ["".join(text + " " * (wide - width(text)) for text in row).rstrip() for row in rows]
