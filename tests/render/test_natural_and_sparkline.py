"""Natural order and sparklines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilot.render.natural import natural_key
from pilot.render.nodes import natural
from pilot.render.sparkline import sparkline

NAMES = st.from_regex(r"[a-z]{1,3}(-[0-9]{1,4}){0,3}", fullmatch=True)


def test_numbers_count_as_numbers() -> None:
    names = ["compute-0-10", "Compute-0-2", "compute-0-1", "compute-10-0", "compute-2-0", "frontend"]
    expected = ["compute-0-1", "Compute-0-2", "compute-0-10", "compute-2-0", "compute-10-0", "frontend"]
    assert sorted(names, key=natural_key) == expected


@given(st.lists(NAMES, max_size=20))
def test_the_order_is_that_of_the_plain_table(names: list[str]) -> None:
    by_key = [natural(name) for name in sorted(names, key=natural_key)]
    assert by_key == [natural(name) for name in sorted(names, key=natural)]


@given(st.text())
def test_any_name_has_a_key(name: str) -> None:
    assert isinstance(natural_key(name), str)


def test_bars_rise_with_percents() -> None:
    assert sparkline(bytes([0, 12, 13, 50, 99, 100]), 6) == "▁▁▂▅██"


def test_unknown_and_missing_samples_are_dots() -> None:
    assert sparkline(bytes([255, 50]), 4) == "···▅"
    assert sparkline(b"", 3) == "···"


@given(st.binary(max_size=50), st.integers(-3, 60))
def test_a_sparkline_is_as_wide_as_asked(samples: bytes, width: int) -> None:
    assert len(sparkline(samples, width)) == max(0, width)
