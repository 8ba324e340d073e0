"""Which rows are shown and in which order, kept up to date row by row. Knows of no screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from pilot.errors import PilotError

Row = TypeVar("Row")

SortValue = Callable[[Row], Any]
"""What a row is sorted by: values of one type that can be compared with `<`."""


class RowOrder(Generic[Row]):
    """Rows by key, those that pass the filter in order.

    Ties are broken by `tie` and then by key, always upwards. A change of a few rows costs a search in the
    lists for each; only a change of many, another sort or another filter looks at all rows.
    """

    def __init__(self, tie: SortValue[Row]) -> None:
        self.rows: dict[str, Row] = {}
        """All rows, hidden ones too."""
        self.shown: list[str] = []
        """Keys of the rows that pass the filter, in order."""
        self.reverse = False
        self._tie = tie
        self._value: SortValue[Row] | None = None
        self._passes: Callable[[Row], bool] | None = None
        self._ties: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._base: list[str] = []
        """All keys in the order of their ties."""
        self._passing: set[str] | None = None
        """Keys that pass the filter; None if there is none."""

    @property
    def filtered(self) -> bool:
        """Whether there is a filter."""
        return self._passes is not None

    def shows(self, key: str) -> bool:
        """Whether the row is there and passes the filter."""
        return key in self.rows if self._passing is None else key in self._passing

    def index(self, key: str) -> int | None:
        """The place of a row among those shown; None if it is not."""
        if not self.shows(key):
            return None
        return self._place(self.shown, key, self._values.get(key), self._ties[key])

    def replace(self, rows: Mapping[str, Row]) -> None:
        """Take these rows instead of all before.

        Raises what the filter raises; then nothing has changed.
        """
        passing = self._judge(rows, self._passes)
        self.rows = dict(rows)
        self._ties = {key: self._tie(row) for key, row in rows.items()}
        self._passing = passing
        self._read_values()
        self._arrange_base()
        self._arrange()

    def sort(self, value: SortValue[Row] | None, reverse: bool = False) -> None:
        """Sort by this value; by the tie alone if it is None."""
        self._value, self.reverse = value, reverse
        self._read_values()
        self._arrange()

    def filter(self, passes: Callable[[Row], bool] | None) -> None:
        """Show the rows that pass only; all if it is None.

        Raises what `passes` raises; then nothing has changed.
        """
        self._passing = self._judge(self.rows, passes)
        self._passes = passes
        self._arrange()

    def apply(self, changed: Mapping[str, Row], gone: Iterable[str]) -> None:
        """Rows that are new or different, and keys of rows that are no more.

        A row that is the object it was is looked at only for what rows are sorted by now: that may come
        from elsewhere. A row at which the filter raises a PilotError is shown: hiding what could not be
        judged would be the greater error.
        """
        kept = changed.keys()
        changed = {key: row for key, row in changed.items() if not self._is_same(key, row)}
        leaving = [key for key in dict.fromkeys(gone) if key in self.rows and key not in kept]
        if len(changed) + len(leaving) > max(64, len(self.rows) // 16):
            self._apply_many(changed, leaving)
            return
        for key in leaving:
            self._take_out(key, self._base)
            self._forget(key)
        for key, row in changed.items():
            self._change(key, row)

    # --- one row -------------------------------------------------------------------------------------

    def _change(self, key: str, row: Row) -> None:
        tie = self._tie(row)
        value = self._value(row) if self._value else None
        passing = self._passes is None or self._passes_safely(row)
        known = key in self.rows
        same_tie = known and self._ties[key] == tie
        stays = same_tie and self._values.get(key) == value and passing == self._is_passing(key)
        if known and not stays:
            self._take_out(key, None if same_tie else self._base)
        self.rows[key] = row
        self._ties[key] = tie
        if self._value:
            self._values[key] = value
        if stays:
            return
        if not same_tie:
            self._base.insert(self._base_place(key, tie), key)
        if self._passing is not None:
            (self._passing.add if passing else self._passing.discard)(key)
        if passing:
            self.shown.insert(self._place(self.shown, key, value, tie), key)

    def _is_same(self, key: str, row: Row) -> bool:
        if self.rows.get(key) is not row:
            return False
        return self._value is None or bool(self._values[key] == self._value(row))

    def _take_out(self, key: str, base: list[str] | None) -> None:
        if base is not None:
            del base[self._base_place(key, self._ties[key])]
        place = self.index(key)
        if place is not None:
            del self.shown[place]

    def _forget(self, key: str) -> None:
        del self.rows[key], self._ties[key]
        self._values.pop(key, None)
        if self._passing is not None:
            self._passing.discard(key)

    def _is_passing(self, key: str) -> bool:
        return self._passing is None or key in self._passing

    def _passes_safely(self, row: Row) -> bool:
        assert self._passes is not None
        try:
            return self._passes(row)
        except PilotError:
            return True

    def _base_place(self, key: str, tie: Any) -> int:
        """Where in the base the key is, or belongs."""
        low, high, ties = 0, len(self._base), self._ties
        while low < high:
            middle = (low + high) // 2
            other = self._base[middle]
            if (ties[other], other) < (tie, key):
                low = middle + 1
            else:
                high = middle
        return low

    def _place(self, keys: list[str], key: str, value: Any, tie: Any) -> int:
        """Where in the order the key is, or belongs."""
        if self._value is None:
            values: Mapping[str, Any] = self._ties
            value, reverse = tie, False
        else:
            values, reverse = self._values, self.reverse
        low, high, ties = 0, len(keys), self._ties
        while low < high:
            middle = (low + high) // 2
            other = keys[middle]
            there = values[other]
            before = (ties[other], other) < (tie, key) if there == value else (there < value) != reverse
            if before:
                low = middle + 1
            else:
                high = middle
        return low

    # --- all rows ------------------------------------------------------------------------------------

    def _apply_many(self, changed: Mapping[str, Row], leaving: Iterable[str]) -> None:
        for key in leaving:
            self._forget(key)
        new_base = False
        for key, row in changed.items():
            tie = self._tie(row)
            new_base = new_base or self._ties.get(key) != tie
            self.rows[key] = row
            self._ties[key] = tie
            if self._value:
                self._values[key] = self._value(row)
            if self._passing is not None:
                (self._passing.add if self._passes_safely(row) else self._passing.discard)(key)
        if new_base:
            self._arrange_base()
        elif len(self._base) != len(self.rows):
            self._base = [key for key in self._base if key in self.rows]
        self._arrange()

    def _judge(self, rows: Mapping[str, Row], passes: Callable[[Row], bool] | None) -> set[str] | None:
        return None if passes is None else {key for key, row in rows.items() if passes(row)}

    def _read_values(self) -> None:
        value = self._value
        self._values = {key: value(row) for key, row in self.rows.items()} if value else {}

    def _arrange_base(self) -> None:
        # Two sorts by plain strings are faster than one by pairs.
        self._base = sorted(self.rows)
        self._base.sort(key=self._ties.__getitem__)

    def _arrange(self) -> None:
        passing = self._passing
        keys = self._base.copy() if passing is None else [key for key in self._base if key in passing]
        if self._value:
            keys.sort(key=self._values.__getitem__, reverse=self.reverse)
        self.shown = keys
