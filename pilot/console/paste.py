"""Pasted text into what a guest can take: brackets if it asked for them, a pace that a serial line bears."""

from __future__ import annotations

import re
from typing import NamedTuple

from pilot.console.engine import Modes

CHUNK = 64
"""Bytes sent at once: few, so that what is typed meanwhile is not long behind them."""
RATE = 4_000
"""Bytes a second: a third of a line of 115,200 Bd, since a UART holds 16 and a shell edits as it echoes."""
LINE_PAUSE = 0.05
"""Seconds after a line, in which a shell that does no more than to echo can begin what the line says."""
ASK_LINES = 5
"""More lines than this are worth a question: in a shell each one is a command."""
ASK_CHARACTERS = 1_000
MOST_CHARACTERS = 256 * 1024
"""Characters of the longest paste; what is more belongs into a file."""
LONGEST_LINE = 4095
"""Bytes of a line that a terminal in its usual mode takes; Linux drops what is more."""

_NEW_LINE = re.compile(r"\r\n|\r|\n")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Chunk(NamedTuple):
    """A piece of a paste."""

    data: bytes
    pause: float
    """Seconds to wait after it."""


class Question(NamedTuple):
    """Why a paste should be confirmed."""

    lines: int
    characters: int
    controls: int
    """Control characters in it, which are left out."""
    truncated: bool
    """It is longer than what is sent at most."""
    long_lines: bool
    """A line is longer than a guest takes while it is not editing lines itself."""


def prepare(text: str, modes: Modes) -> list[Chunk]:
    """What to send for a pasted text, and when.

    Control characters but tab and new line are left out: none of them was meant to be typed, and without
    them no text can end its brackets. New lines become what Enter sends.
    """
    bracketed = modes.bracketed_paste
    clean = _clean(text)
    lines = clean.split("\n")
    enter = "\r\n" if modes.newline and not bracketed else "\r"
    chunks = list[Chunk]()
    if bracketed:
        chunks.append(Chunk(b"\x1b[200~", 0.0))
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        data = (line if last else line + enter).encode("utf-8", "replace")
        # In brackets the guest takes all of it before it does anything.
        pause = 0.0 if last or bracketed else LINE_PAUSE
        chunks += _pieces(data, pause)
    if bracketed:
        chunks.append(Chunk(b"\x1b[201~", 0.0))
    elif not clean:
        return []
    return chunks


def question(text: str) -> Question | None:
    """What to ask about before a text is pasted; None if nothing is worth it."""
    controls = len(_CONTROLS.findall(text))
    truncated = len(text) > MOST_CHARACTERS
    lines = _clean(text).split("\n")
    number = len(lines) - (not lines[-1])
    characters = sum(map(len, lines)) + len(lines) - 1
    long_lines = any(len(line.encode("utf-8", "replace")) > LONGEST_LINE for line in lines)
    if number > ASK_LINES or characters > ASK_CHARACTERS or controls or truncated or long_lines:
        return Question(number, characters, controls, truncated, long_lines)
    return None


def seconds(chunks: list[Chunk]) -> float:
    """How long a paste takes."""
    return sum(chunk.pause for chunk in chunks)


def _clean(text: str) -> str:
    return _CONTROLS.sub("", _NEW_LINE.sub("\n", text[:MOST_CHARACTERS]))


def _pieces(data: bytes, pause: float) -> list[Chunk]:
    """Data in chunks that do not cut a character, with the time that each takes on the line; then a pause."""
    pieces, start = list[Chunk](), 0
    while start < len(data):
        end = min(start + CHUNK, len(data))
        while end < len(data) and 0x80 <= data[end] <= 0xBF:
            end -= 1
        pieces.append(Chunk(data[start:end], (end - start) / RATE + (pause if end == len(data) else 0.0)))
        start = end
    return pieces
