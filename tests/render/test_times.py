"""Times as people say them, and those that no calendar has."""

from __future__ import annotations

import math

import pytest

from pilot.render.times import UNKNOWN, ago, clock, day, duration


def test_one_unit_rounded_down() -> None:
    assert [duration(s) for s in (0, 0.9, 59, 60, 7_199, 86_400)] == [
        "0 s", "0 s", "59 s", "1 min", "1 h", "1 d",
    ]  # fmt: skip
    assert ago(110.0, 100.0) == "0 s"


@pytest.mark.parametrize("moment", [math.inf, -math.inf, math.nan, 1e300, -1e300, 1e18])
def test_what_no_calendar_has_ends_nothing(moment: float) -> None:
    assert clock(moment) == day(moment) == UNKNOWN
    assert ago(moment, 0.0)
    assert duration(moment)
