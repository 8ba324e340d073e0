"""Colours as plain SGR sequences: 16-colour ones, so that the terminal's own theme decides how they look."""

from __future__ import annotations

from typing import Literal

Tone = Literal["", "good", "busy", "bad", "dim", "strong"]
"""What a piece of text means. Colour never carries it alone: there is a glyph or a word as well."""

_SGR: dict[Tone, str] = {
    "good": "\x1b[32m",
    "busy": "\x1b[33m",
    "bad": "\x1b[31m",
    "dim": "\x1b[2m",
    "strong": "\x1b[1m",
}


def paint(text: str, tone: Tone, colour: bool) -> str:
    """The text in its tone, or as it is."""
    return f"{_SGR[tone]}{text}\x1b[0m" if colour and tone and text else text
