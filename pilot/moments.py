"""Moments as people type them: `10m`, `2h`, `14:02`, `2026-11-22 14:02`, `2026-11-22T14:02:07Z`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from pilot.errors import UsageError

_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_TOMORROW = re.compile(r"tomorrow\s+(.+)", re.IGNORECASE)


def coming(text: str, now: float) -> tuple[float, float]:
    """A moment to come as seconds since the epoch, or a span from now in seconds; the other is 0.

    Args:
        text: `8h` or `+8h`, a time of the next 24 hours, `tomorrow 8:00`, or a date with or without a time
            (ISO 8601).
        now: seconds since the epoch.

    Raises:
        UsageError: it is none of them.
    """
    text = text.strip()
    hint = "Say 19:00, 8h, tomorrow 8:00, or 2026-11-22T19:00."
    span = text.removeprefix("+")
    if _SPAN.fullmatch(span):
        seconds = sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(span))
        if not seconds:
            raise UsageError(f"'{text}' is now", hint)
        return 0.0, seconds
    if span != text:
        raise UsageError(f"'{text}' is no span of time", hint)
    try:
        if tomorrow := _TOMORROW.fullmatch(text):
            return _tomorrow(tomorrow[1], now), 0.0
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


def _tomorrow(text: str, now: float) -> float:
    """A time of day of the next day by the calendar here.

    Raises:
        UsageError: it is none.
    """
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise UsageError(f"'{text}' is no time of day")
    hour, minute, second = (int(part or 0) for part in clock.groups())
    day = datetime.fromtimestamp(now).astimezone().replace(tzinfo=None) + timedelta(days=1)
    try:
        return day.replace(hour=hour, minute=minute, second=second, microsecond=0).astimezone().timestamp()
    except ValueError:
        raise UsageError(f"'{text}' is no time of day") from None


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
