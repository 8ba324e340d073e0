"""Absolute times as OpenSSH writes them: YYYYMMDD[HHMM[SS]], with Z for UTC, without it local time.

Local time is the zone's standard time, in summer too: so OpenSSH 9.2 reads it, and a line must not mean one
thing to Pilot and another to ssh-keygen. `format_time` writes UTC only.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from keys.errors import BadKeyError

_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def parse_time(text: str) -> float:
    """Seconds since the epoch.

    Raises:
        BadKeyError: it is not such a time, or not after 1970.
    """
    digits = text[:-1] if text.endswith("Z") else text
    shape = _FORMATS.get(len(digits))
    try:
        if shape is None or not (digits.isascii() and digits.isdigit()):
            raise ValueError
        moment = datetime.strptime(digits, shape).replace(tzinfo=UTC)
        if text.endswith("Z"):
            seconds = moment.timestamp()
        else:
            fields = moment.timetuple()
            seconds = time.mktime((*fields[:8], 0))
    except (ValueError, OverflowError, OSError):
        seconds = 0.0
    if seconds <= 0:
        raise BadKeyError(
            f"{text[:40]!a} is not a time",
            "Write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with a Z for UTC.",
        )
    return seconds


def format_time(seconds: float) -> str:
    """A time in UTC, to the second.

    Raises:
        BadKeyError: it is out of what the format can say.
    """
    try:
        moment = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise BadKeyError(f"{seconds} is not a time that can be written") from None
    return f"{moment.year:04}{moment:%m%d%H%M%S}Z"
