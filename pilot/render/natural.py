"""Names in the order in which people count."""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBER = re.compile(r"[0-9]+")
_MANY_DIGITS = 0xFFFF


@lru_cache(maxsize=65_536)
def natural_key(name: str) -> str:
    """A string that sorts as the name should: compute-0-2 before compute-0-10, whatever the case.

    Strings, unlike tuples, are compared fast. Each number is written as its count of digits, then these:
    a longer number is a larger one.
    """
    return _NUMBER.sub(_counted, name.lower())


def _counted(number: re.Match[str]) -> str:
    digits = number[0].lstrip("0") or "0"
    return f"0{chr(min(len(digits), _MANY_DIGITS - 0x2800) + 0x20)}{digits}"
