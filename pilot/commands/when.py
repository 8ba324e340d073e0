"""Moments as people type them: `10m`, `2h`, `14:02`, `2026-11-22 14:02`, `2026-11-22T14:02:07Z`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pilot.errors import UsageError

_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def coming(text: str, now: float) -> tuple[float, float]:
    """A moment to come as seconds since the epoch, or a span from now in seconds; the other is 0.

    Args:
        text: `+8h`, a time of the next 24 hours, or a date with or without a time (ISO 8601).
        now: seconds since the epoch.

    Raises:
        UsageError: it is none of them.
    """
    text = text.strip()
    hint = "Say 19:00, +8h, or 2026-11-22T19:00."
    if text.startswith("+"):
        if not _SPAN.fullmatch(text[1:]):
            raise UsageError(f"'{text}' is no span of time", hint)
        seconds = sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text))
        if not seconds:
            raise UsageError(f"'{text}' is now", hint)
        return 0.0, seconds
    if _SPAN.fullmatch(text):
        raise UsageError(f"'{text}' could be before now or after it", f"Say +{text}.")
    try:
        found = moment(text, now)
    except UsageError:
        raise UsageError(f"'{text}' is no moment", hint) from None
    if _CLOCK.fullmatch(text) and found <= now:
        # By the calendar, not by 24 h: clocks may be put back in between.
        here = datetime.fromtimestamp(found).astimezone().replace(tzinfo=None)
        found = (here + timedelta(days=1)).astimezone().timestamp()
    if found <= now:
        raise UsageError(f"'{text}' is over", hint)
    return found, 0.0


def moment(text: str, now: float) -> float:
    """A moment in seconds since the epoch. Without a zone, what is typed is the time here.

    Args:
        text: a span before now, a time of the last 24 hours, or a date with or without a time (ISO 8601).
        now: seconds since the epoch.

    Raises:
        UsageError: it is none of them.
    """
    text = text.strip()
    if _SPAN.fullmatch(text):
        return max(0.0, now - sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))
    try:
        here = datetime.fromtimestamp(now).astimezone()
        if clock := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            today = here.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
            found = today.astimezone()
            return (found if found <= here else (today - timedelta(days=1)).astimezone()).timestamp()
        given = datetime.fromisoformat(text)
        return max(0.0, given.timestamp() if given.tzinfo else given.astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"'{text}' is no moment", "Say 10m, 2h, 14:02, 2026-11-22, or 2026-11-22T14:02:07Z."
        ) from None
