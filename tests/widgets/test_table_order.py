"""The order of rows against sorted(), whatever changes, and where the cursor goes."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.errors import UsageError
from pilot.widgets.table_marks import Marks
from pilot.widgets.table_order import RowOrder
from pilot.widgets.table_window import Anchor, anchor, neighbour, reveal, top_for


class Item(NamedTuple):
    key: str
    name: str
    number: int


KEYS = st.sampled_from([f"k{number}" for number in range(30)])
ITEMS = st.builds(Item, KEYS, st.sampled_from("abc"), st.integers(0, 4))
ACTS = st.one_of(
    st.tuples(st.just("apply"), st.lists(ITEMS, max_size=12), st.lists(KEYS, max_size=6)),
    st.tuples(st.just("replace"), st.lists(ITEMS, max_size=25)),
    st.tuples(st.just("sort"), st.sampled_from(["", "name", "number"]), st.booleans()),
    st.tuples(st.just("filter"), st.sampled_from([None, 1, 3])),
)


def at_least(least: int) -> Callable[[Item], bool]:
    return lambda row: row.number >= least


def expected(rows: dict[str, Item], sort: str, reverse: bool, least: int | None) -> list[str]:
    items = [row for row in rows.values() if least is None or row.number >= least]
    items.sort(key=lambda row: (row.name, row.key))
    if sort:
        items.sort(key=lambda row: getattr(row, sort), reverse=reverse)
    return [row.key for row in items]


@pytest.mark.parametrize("many", [False, True])
@given(acts=st.lists(ACTS, max_size=20))
def test_the_order_is_that_of_sorted(many: bool, acts: list[tuple[object, ...]]) -> None:
    order = RowOrder[Item](lambda row: row.name)
    rows: dict[str, Item] = {}
    sort, reverse, least = "", False, None
    for act in acts:
        match act:
            case ("apply", list(items), list(gone)):
                changed = {item.key: item for item in items}
                if many:  # the way that a change of many rows takes
                    order._apply_many(
                        changed, [key for key in set(gone) if key in rows and key not in changed]
                    )
                else:
                    order.apply(changed, gone)
                for key in gone:
                    rows.pop(key, None)
                rows.update(changed)
            case ("replace", list(items)):
                rows = {item.key: item for item in items}
                order.replace(rows)
            case ("sort", str(name), bool(down)):
                sort, reverse = name, down
                order.sort(attrgetter(name) if name else None, down)
            case ("filter", number):
                least = number if isinstance(number, int) else None
                order.filter(None if least is None else at_least(least))
        assert order.rows == rows
        assert order.shown == expected(rows, sort, reverse, least)
        for place, key in enumerate(order.shown):
            assert order.index(key) == place
        for key in rows.keys() - set(order.shown):
            assert order.index(key) is None


def test_a_change_of_many_rows_is_as_one_of_few() -> None:
    order = RowOrder[Item](lambda row: row.name)
    order.replace({f"k{n}": Item(f"k{n}", "a", n) for n in range(500)})
    order.sort(lambda row: row.number, True)
    changed = {f"k{n}": Item(f"k{n}", "b", 1000 - n) for n in range(0, 600, 2)}
    order.apply(changed, [f"k{n}" for n in range(1, 100, 2)])
    assert order.shown == expected(order.rows, "number", True, None)


def test_a_row_moves_when_what_it_is_sorted_by_changes_elsewhere() -> None:
    load = {"a": 1, "b": 2}
    order = RowOrder[Item](lambda row: row.name)
    rows = {key: Item(key, key, 0) for key in load}
    order.replace(rows)
    order.sort(lambda row: load[row.key])
    judged: list[str] = []

    def passes(row: Item) -> bool:
        judged.append(row.key)
        return True

    order.filter(passes)
    load["a"] = 3
    judged.clear()
    order.apply(rows, [])
    assert order.shown == ["b", "a"]
    assert judged == ["a"]
    order.apply({"a": rows["a"]}, ["a"])
    assert order.shown == ["b", "a"]


def test_a_filter_that_fails_changes_nothing() -> None:
    order = RowOrder[Item](lambda row: row.name)
    order.replace({"a": Item("a", "a", 1), "b": Item("b", "b", 2)})
    order.filter(lambda row: row.number > 1)

    def fails(row: Item) -> bool:
        raise UsageError("too slow")

    with pytest.raises(UsageError):
        order.filter(fails)
    assert order.shown == ["b"]
    order.apply({"c": Item("c", "c", 3)}, [])
    assert order.shown == ["b", "c"]


def test_a_changed_row_that_cannot_be_judged_is_shown() -> None:
    order = RowOrder[Item](lambda row: row.name)
    order.replace({"a": Item("a", "a", 1)})
    broken = False

    def passes(row: Item) -> bool:
        if broken:
            raise UsageError("too slow")
        return False

    order.filter(passes)
    assert order.shown == []
    broken = True
    order.apply({"a": Item("a", "a", 2)}, [])
    assert order.shown == ["a"]


@given(
    before=st.lists(KEYS, unique=True, min_size=1),
    place=st.integers(0, 29),
    left=st.sets(KEYS),
)
def test_the_cursor_goes_to_the_nearest_row_below_then_above(
    before: list[str], place: int, left: set[str]
) -> None:
    place = min(place, len(before) - 1)
    found = neighbour(before[place], place, before, left.__contains__)
    if before[place] in left:
        assert found == before[place]
    elif below := [key for key in before[place:] if key in left]:
        assert found == below[0]
    elif above := [key for key in before[:place] if key in left]:
        assert found == above[-1]
    else:
        assert found is None


def test_the_cursor_holds_its_line_or_else_the_top_does() -> None:
    shown = [f"k{number}" for number in range(100)]
    assert anchor(shown, 12, 10, 20) == Anchor("k12", 2)
    assert anchor(shown, 5, 10, 20) == Anchor("k10", 0)
    assert anchor(shown, 30, 10, 20) == Anchor("k10", 0)
    assert anchor([], None, 0, 20) == Anchor(None, 0)
    assert top_for(50, 2, 100, 20) == 48
    assert top_for(1, 2, 100, 20) == 0
    assert top_for(99, 2, 100, 20) == 80
    assert top_for(3, 2, 4, 20) == 0
    assert top_for(None, 0, 0, 20) == 0
    assert reveal(5, 10, 20) == 5
    assert reveal(30, 10, 20) == 11
    assert reveal(15, 10, 20) == 10
    assert reveal(15, 10, 0) == 15


def test_marks() -> None:
    marks = Marks()
    shown = ["a", "b", "c", "d"]
    marks.toggle("b")
    marks.extend(shown, 3, shown.index(marks.begin or ""))
    assert marks.keys == {"b", "c", "d"}
    marks.toggle("c")
    assert marks.begin is None
    marks.extend(shown, 0, None)
    assert marks.keys == {"a", "b", "d"}
    assert marks.keep({"a", "c"})
    assert marks.keys == {"a"}
    assert not marks.keep({"a"})
    marks.clear()
    assert not marks.keys
