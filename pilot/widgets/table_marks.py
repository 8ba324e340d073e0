"""Which rows are marked. Marks are keys: they outlive sorting and filtering."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence


class Marks:
    """A set of keys, and where a range of them begins."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self._begin: str | None = None
        """The key marked last: a range begins there."""

    def toggle(self, key: str) -> None:
        """Mark a row, or no longer."""
        if key in self.keys:
            self.keys.remove(key)
            self._begin = None
        else:
            self.keys.add(key)
            self._begin = key

    def extend(self, shown: Sequence[str], to: int, place_of: int | None) -> None:
        """Mark all from `place_of`, where the range begins, to this place; that row alone if it is None."""
        begin = to if place_of is None else place_of
        self.keys.update(shown[min(begin, to) : max(begin, to) + 1])
        self._begin = shown[to]

    @property
    def begin(self) -> str | None:
        """The key at which a range begins."""
        return self._begin

    def add(self, keys: Iterable[str]) -> None:
        """Mark these too."""
        self.keys.update(keys)

    def clear(self) -> None:
        """Mark nothing."""
        self.keys.clear()
        self._begin = None

    def keep(self, there: Container[str]) -> bool:
        """Drop the marks of rows that are no more; whether there were any."""
        lost = {key for key in self.keys if key not in there}
        self.keys -= lost
        if self._begin is not None and self._begin not in there:
            self._begin = None
        return bool(lost)
