"""Cells that have just changed stand out and fade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PHASES = 3
SECONDS = 1.0
_STEP = SECONDS / PHASES


class Flashes:
    """Changed cells by row and column, and since when. Times are of any clock that only runs forward."""

    def __init__(self) -> None:
        self._since: dict[str, dict[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    def add(self, key: str, columns: Iterable[str], now: float) -> None:
        """These columns of a row have changed."""
        row = self._since.setdefault(key, {})
        row.update((column, now) for column in columns)

    def phases(self, key: str, now: float) -> Mapping[str, int]:
        """Columns of a row that stand out now: 1 at first, PHASES last."""
        row = self._since.get(key)
        if row is None:
            return {}
        phases = {column: int((now - since) / _STEP) + 1 for column, since in row.items()}
        return {column: phase for column, phase in phases.items() if phase <= PHASES}

    def expire(self, now: float) -> list[str]:
        """Forget what has faded; the keys of all rows that may look different from before."""
        keys = list(self._since)
        for key in keys:
            row = self._since[key]
            for column in [column for column, since in row.items() if now - since >= SECONDS]:
                del row[column]
            if not row:
                del self._since[key]
        return keys
