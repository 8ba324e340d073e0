"""Moments as people type them."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from pilot.errors import UsageError
from pilot.moments import moment

NOON = datetime(2026, 11, 22, 12, 0, 0).astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "before"),
    [("10m", 600), ("2h", 7200), ("1h30m", 5400), ("90s", 90), ("1.5d", 129_600), ("1w", 604_800)],
)
def test_spans(text: str, before: int) -> None:
    assert moment(text, NOON) == NOON - before


def test_times_of_the_day_are_those_that_have_been() -> None:
    assert moment("11:30", NOON) == NOON - 1800
    assert moment("12:00", NOON) == NOON
    assert time.localtime(moment("14:02:07", NOON))[2:6] == (21, 14, 2, 7)


def test_dates() -> None:
    assert moment("2026-11-22T12:00:00Z", NOON) == 1795348800.0
    assert moment("2026-11-22 13:00+01:00", NOON) == 1795348800.0
    assert moment("2026-11-22", NOON) == NOON - 43_200
    assert moment("2026-11-22 11:00", NOON) == NOON - 3600
    assert moment("99999999w", NOON) == 0.0


@pytest.mark.parametrize("text", ["", "ten", "10", "25:00", "12:99", "2026-13-01", "-5m", "1e9"])
def test_nonsense(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment"):
        moment(text, NOON)
