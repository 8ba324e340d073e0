"""Colours of pixels as colours of text."""

from __future__ import annotations

from functools import cache

from pilot.console.engine import Colour

VGA_PALETTE = (
    0x000000, 0xAA0000, 0x00AA00, 0xAA5500, 0x0000AA, 0xAA00AA, 0x00AAAA, 0xAAAAAA,
    0x555555, 0xFF5555, 0x55FF55, 0xFFFF55, 0x5555FF, 0xFF55FF, 0x55FFFF, 0xFFFFFF,
)  # fmt: skip
"""Red, green and blue of the 16 colours of VGA text and of Linux' console, in the order of ANSI."""

_INDEX = {colour: index for index, colour in enumerate(VGA_PALETTE)}


@cache
def _of_rgb(rgb: int) -> Colour:
    return _INDEX.get(rgb, (rgb >> 16, rgb >> 8 & 0xFF, rgb & 0xFF))


def colour(packed: int) -> Colour:
    """A pixel's colour: a palette index if it is one of the 16 exactly, else red, green and blue.

    VGA has 6 bits for each of red, green and blue. QEMU makes 0x57 and 0xA8 of 21 and 42, others 0x54 and
    0xFC of 21 and 63; these are taken for 0x55, 0xAA and 0xFF, too.
    """
    red, green, blue = packed & 0xFF, packed >> 8 & 0xFF, packed >> 16 & 0xFF
    if red in _WIDENED and green in _WIDENED and blue in _WIDENED:
        red, green, blue = _WIDENED[red], _WIDENED[green], _WIDENED[blue]
    return _of_rgb(red << 16 | green << 8 | blue)


_WIDENED = {0x00: 0x00, 0x54: 0x55, 0x55: 0x55, 0x57: 0x55, 0xA8: 0xAA, 0xAA: 0xAA, 0xFC: 0xFF, 0xFF: 0xFF}
