"""Times and sizes as people say them."""

from __future__ import annotations

import math
import time

UNKNOWN = "?"
"""For a moment that no calendar has: whatever a peer sends is to be shown, not to end the app."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float) -> str:
    """`14 s`, `3 min`, `2 h`, `3 d`: one unit, rounded down."""
    if not math.isfinite(seconds):
        return UNKNOWN
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def ago(moment: float, now: float) -> str:
    """How long ago a moment was; a clock that runs ahead counts as now."""
    return duration(max(0.0, now - moment)) if math.isfinite(moment) else UNKNOWN


def took(seconds: float) -> str:
    """How long something took: `3 ms`, `0.4 s`, `12 s`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def position(seconds: float) -> str:
    """A place in what is played: `4:05`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(moment: float) -> str:
    """The time of day here, to the second."""
    return local(moment, "%H:%M:%S")


def day(moment: float) -> str:
    """Date and time here, to the minute."""
    return local(moment, "%Y-%m-%d %H:%M")


def local(moment: float, form: str) -> str:
    """A moment here, in a form of `time.strftime`."""
    try:
        return time.strftime(form, time.localtime(moment))
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def memory(kib: int) -> str:
    """`512 M`, `2.0 G`; `-` for none."""
    if kib <= 0:
        return "-"
    mib = kib / 1024
    return f"{mib:.0f} M" if mib < 1024 else f"{mib / 1024:.1f} G"
