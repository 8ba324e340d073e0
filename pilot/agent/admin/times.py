"""Dates as an admin types them."""

from __future__ import annotations

import re
from datetime import datetime

from pilot.errors import UsageError

_FORMS = "2026-12-31, '2026-12-31 18:00', 20261231 or 202612311800 (local time, or with Z)"
DATES = f"a date such as {_FORMS}, or a span from now on: +30d (s, m, h, d, w)"
PAST_DATES = f"a date such as {_FORMS}, or a span back from now: 2h (s, m, h, d, w)"
_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)")


def parse_date(text: str, now: float, *, back: bool = False) -> float:
    """A date in seconds since the epoch; a span counts from `now` on, or `back` from it.

    Raises:
        UsageError: it is not a date.
    """
    if span := _SPAN.fullmatch(text.lstrip("+-")):
        seconds = int(span[1]) * _SECONDS[span[2]]
        return now - seconds if back or text.startswith("-") else now + seconds
    if compact := _COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, zone = compact.groups()
        text = f"{year}-{month}-{day} {hour or '00'}:{minute or '00'}:{second or '00'}{zone}"
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.astimezone()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"'{text}' is not a date", f"Dates are: {DATES}.") from None


def show_date(seconds: float) -> str:
    """A date in local time."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"@{seconds:.0f}"
