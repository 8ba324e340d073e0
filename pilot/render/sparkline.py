"""A row of bars for numbers over time."""

from __future__ import annotations

UNKNOWN = 255
"""The sample of a moment of which nothing is known."""
_BARS = "▁▂▃▄▅▆▇█"
_NONE = "·"


def sparkline(percents: bytes, width: int) -> str:
    """The newest samples, one a character, the newest at the right; what is not known is a dot.

    A byte is a percent from 0 to 100, or UNKNOWN. Zero is the lowest bar; more than 100 counts as 100.
    """
    if width <= 0:
        return ""
    newest = percents[-width:]
    return _NONE * (width - len(newest)) + "".join(map(_bar, newest))


def _bar(percent: int) -> str:
    if percent == UNKNOWN:
        return _NONE
    return _BARS[min(percent * len(_BARS) // 100, len(_BARS) - 1)]
