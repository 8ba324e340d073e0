"""Runs of cells as text with colours, by sequences that every terminal knows (ECMA-48; xterm for colours)."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.console.engine import Colour, Run

RESET = "\x1b[0m"


def ansi(runs: Iterable[Run]) -> str:
    """A line with its colours; the pen is put back where it ends."""
    out: list[str] = []
    for text, look in runs:
        attributes = ((1, look.bold), (2, look.dim), (4, look.underline), (7, look.reverse))
        codes = [str(code) for code, on in attributes if on]
        codes += [*_colour(look.foreground, 30), *_colour(look.background, 40)]
        out.append(f"\x1b[{';'.join(codes)}m{text}{RESET}" if codes else text)
    return "".join(out)


def _colour(colour: Colour, base: int) -> list[str]:
    if colour is None:
        return []
    if isinstance(colour, tuple):
        return [str(base + 8), "2", *map(str, colour)]
    if colour < 8:
        return [str(base + colour)]
    return [str(base + 60 + colour - 8)] if colour < 16 else [str(base + 8), "5", str(colour)]
