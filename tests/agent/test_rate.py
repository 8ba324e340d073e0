"""A burst, then a steady rate, for each holder by itself."""

from __future__ import annotations

from pilot.agent.rate import Rate


def test_a_burst_is_followed_by_a_steady_rate_for_each_holder() -> None:
    now = [0.0]
    rate = Rate(burst=3, per_second=0.5, clock=lambda: now[0])
    assert [rate.allows("ada") for _ in range(5)] == [True, True, True, False, False]
    assert rate.allows("bob")
    now[0] = 2.0
    assert [rate.allows("ada") for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [rate.allows("ada") for _ in range(4)] == [True, True, True, False]
