"""Columns on lines of any width, and text of anybody in cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from pilot.render.table import Cell
from pilot.widgets.table_columns import GAP, GUTTER, MARGIN, TableColumn, fit, place
from pilot.widgets.table_flash import PHASES, SECONDS, Flashes
from pilot.widgets.table_painter import Painter


def column(key: str, width: int, weight: int = 0, priority: int = 0, widest: int = 0) -> TableColumn[str]:
    return TableColumn(
        key,
        key.upper(),
        lambda row, now: Cell(row),
        lambda row: row,
        width,
        weight,
        priority=priority,
        widest=widest,
    )


COLUMNS = [
    column("name", 10, 2, 0, 30),
    column("state", 8),
    column("host", 10, 1, 3),
    column("cpu", 6, 0, 2),
    column("mac", 17, 0, 4),
]


def test_narrow_lines_leave_out_what_matters_least() -> None:
    def keys(width: int) -> list[str]:
        return [placed.column.key for placed in place(COLUMNS, width)]

    assert keys(200) == ["name", "state", "host", "cpu", "mac"]
    assert keys(50) == ["name", "state", "host", "cpu"]
    assert keys(40) == ["name", "state", "cpu"]
    assert keys(24) == ["name", "state"]
    assert keys(5) == ["name"]


@given(st.integers(1, 400))
def test_columns_fill_the_line_and_never_pass_its_end(width: int) -> None:
    placed = place(COLUMNS, width)
    x = GUTTER
    for one in placed:
        assert one.x == x
        assert one.width >= 1
        x += one.width + GAP
    assert x - GAP <= max(width, GUTTER + 1)
    if width >= 60:
        assert x - GAP + MARGIN == width


@given(st.integers(1, 400))
def test_a_column_stays_within_its_bound(width: int) -> None:
    assert all(one.width <= 30 for one in place(COLUMNS, width) if one.column.key == "name")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", "abc  "),
        ("abcdef", "abcd…"),
        ("a\x1b[31mb", "a\ufffd[3…"),
        ("\u202eab\u2066", "\ufffdab\ufffd "),
        ("計算機", "計算…"),
        ("計算機計", "計算…"),
        ("a\u0301bc", "a\u0301bc  "),
        ("a\u200db", "a\ufffdb  "),
        ("\ud800", "\ufffd    "),
        ("☎\ufe0f", "☎    "),
    ],
)
def test_text_fits_its_cells(text: str, expected: str) -> None:
    assert fit(text, 5) == expected


def test_text_lines_up_on_the_right() -> None:
    assert fit("12", 5, True) == "   12"
    assert fit("計", 5, True) == "   計"


@given(st.text(max_size=30), st.integers(0, 20), st.booleans())
def test_any_text_takes_exactly_its_cells_and_can_be_written(text: str, width: int, right: bool) -> None:
    fitted = fit(text, width, right)
    assert cell_len(fitted) == width
    assert "\x1b" not in fitted
    assert "\n" not in fitted
    fitted.encode()


def test_flashes_fade_and_end() -> None:
    flashes = Flashes()
    flashes.add("a", ["state"], 10.0)
    assert flashes.phases("a", 10.0) == {"state": 1}
    flashes.add("a", ["cpu"], 10.5)
    assert flashes.phases("a", 10.0 + SECONDS * 0.99) == {"state": PHASES, "cpu": 2}
    assert flashes.phases("b", 10.0) == {}
    assert flashes.expire(10.0 + SECONDS) == ["a"]
    assert flashes
    assert "state" not in flashes.phases("a", 10.9)
    assert flashes.expire(10.5 + SECONDS) == ["a"]
    assert not flashes


def test_a_duration_that_goes_on_is_no_change() -> None:
    timed = TableColumn[str]("state", "STATE", lambda row, _: Cell(row), lambda row: row, 20, timed=True)
    still = TableColumn[str]("size", "SIZE", lambda row, _: Cell(row), lambda row: row, 20)
    painter = Painter((timed, still), lambda _: (Style(), Style()), Style)
    painter.set_width(80)
    assert painter.differing("hung 3 s", "hung 4 s", 0) == ["size"]
    assert painter.differing("on", "hung 4 s", 0) == ["state", "size"]
