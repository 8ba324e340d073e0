"""Files of ads as `condor_status -long` writes them: an attribute a line, an empty line between ads.

Of each ad only the attributes that are wanted are read, and of these only plain values (HTCondor's manual,
"ClassAd Syntax"): what is an expression is left out, as its value depends on more than the ad.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_REAL = re.compile(r"[+-]?(\d{1,18}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_ESCAPED = re.compile(r"\\(.)")
LINE = 64 * 1024
"""Characters of a line that are looked at."""


def ads(lines: Iterable[str], wanted: Iterable[str]) -> Iterator[dict[str, object]]:
    """The ads of a file, each with those of the wanted attributes that it has, spelled as they are wanted."""
    spelled = {name.lower(): name for name in wanted}
    ad: dict[str, object] = {}
    some = False
    for line in lines:
        name, equals, value = line[:LINE].partition("=")
        if not equals:
            if not line.strip() and some:
                yield ad
                ad, some = {}, False
            continue
        some = True
        key = spelled.get(name.strip().lower())
        if key is not None and (known := literal(value.strip())) is not None:
            ad[key] = known
    if some:
        yield ad


def literal(value: str) -> object:
    """A plain value; None for all that is not one."""
    if value.startswith('"'):
        match = _STRING.fullmatch(value)
        return None if match is None else _ESCAPED.sub(r"\1", match[1])
    if _INTEGER.fullmatch(value):
        return int(value)
    if _REAL.fullmatch(value):
        return float(value)
    return {"true": True, "false": False}.get(value.lower())
