"""A person's regular expressions, compiled only if matching them is bounded.

`re` backtracks and cannot be interrupted: one pattern such as `(a+)+$` would stop the whole program. So
the parsed pattern is read before it is used, and the ways in which it can be tried on a line of LINE
characters are counted. What could be tried in more ways than WAYS is refused with a hint.
"""

from __future__ import annotations

import importlib
import math
import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from pilot.errors import UsageError

LONGEST = 200
"""Characters of the longest pattern."""
LINE = 100
"""Characters of a line that ways are counted for; texts to be searched are cut to lines of this length."""
WAYS = 10_000_000
QUICK = 8

# The parser that `re` itself uses: the only way to read a pattern exactly as it will be matched. It has
# had this name and these trees since Python 3.11.
_parser: Any = importlib.import_module("re._parser")
# Patterns that mean the same in lower case: they search such texts three times as fast without IGNORECASE.
_CASELESS = re.compile(
    r"(?:[a-z0-9_.*+?|()^${},:/@ -]|\\[dDwWsSbB.*+?|/ -]|\[\^?(?:[a-z]-[a-z]|[0-9]-[0-9]|[a-z0-9_.:])*-?\])*"
)
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class Compiled(NamedTuple):
    """A pattern that may be used."""

    pattern: re.Pattern[str]
    quick: bool
    """Whether it takes about as long on any line as on the easiest one."""


def compile_pattern(text: str, lowered: bool = False) -> Compiled:
    """The pattern, ignoring case; `^` and `$` stand for the ends of a line, and `.` stays within one.

    `lowered` says that it will search texts in lower case only, which some patterns do faster.

    Raises:
        UsageError: it is not a regular expression, or matching it could take for ever.
    """
    if len(text) > LONGEST:
        message = f"the pattern is {len(text)} characters long, {LONGEST} at most"
        raise UsageError(message, "Use several words.")
    try:
        with warnings.catch_warnings():
            # Python warns, on the terminal, of what it may read differently one day.
            warnings.simplefilter("ignore")
            caseless = lowered and _CASELESS.fullmatch(text)
            pattern = re.compile(text, re.MULTILINE if caseless else re.IGNORECASE | re.MULTILINE)
            cost = _sequence(_parser.parse(text))
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"'{text}' is not a regular expression: {error}", r"To mean a special character, put \ before it."
        ) from None
    # From any position of the line; repetitions that share the line have fewer ways than the product.
    if LINE * cost.ways / math.factorial(cost.free + 1) > WAYS:
        raise UsageError(
            f"'{text}' can be matched in so many ways that it could take for ever",
            "Put no repetition and no | inside a repetition, and use several words instead of many '.*'.",
        )
    return Compiled(pattern, cost.ways <= QUICK)


class _Cost(NamedTuple):
    """How a part of a pattern can be tried from one position of a line."""

    ways: float
    free: int = 0
    """How many endless repetitions, one after the other, share the line in these ways."""


def _sequence(items: Sequence[Any]) -> _Cost:
    costs = [_cost(str(kind), value) for kind, value in items]
    return _Cost(math.prod(cost.ways for cost in costs), sum(cost.free for cost in costs))


def _cost(kind: str, value: Any) -> _Cost:
    if kind in _REPEATS:
        return _repeat(*value)
    if kind == "BRANCH":
        return _either(value[1])
    if kind == "SUBPATTERN":
        return _sequence(value[3])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _Cost(_sequence(value[1]).ways)
    if kind == "ATOMIC_GROUP":
        return _sequence(value)
    if kind == "GROUPREF_EXISTS":
        return _either([branch for branch in value[1:] if branch is not None])
    return _Cost(1)


def _either(branches: Sequence[Any]) -> _Cost:
    costs = [_sequence(branch) for branch in branches]
    return _Cost(sum(cost.ways for cost in costs), min(cost.free for cost in costs))


def _repeat(least: int, most: int, body: Any) -> _Cost:
    most = min(int(most), max(LINE, int(least)))
    inner = _sequence(body).ways
    low, high = body.getwidth()
    # A body that fits in one way only gives one way for each count; else they multiply.
    if inner <= 1 and low == high > 0:
        return _Cost(most - least + 1, int(most - least >= LINE - 1))
    return _Cost(sum(_power(max(inner, 2.0), count) for count in range(least, most + 1)))


def _power(base: float, exponent: int) -> float:
    try:
        return float(base) ** exponent
    except OverflowError:
        return math.inf
