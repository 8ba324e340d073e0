"""What of a tree's line a filter may name and find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilot.filtering import lines
from pilot.trees.entries import Entry

Fields = Mapping[str, Callable[[Entry], Sequence[str]]]
"""Names, and the values that a line has."""


class EntryHaystack:
    """A line as filters see it."""

    __slots__ = ("_entry", "_fields")

    def __init__(self, entry: Entry, fields: Fields) -> None:
        self._entry = entry
        self._fields = fields

    @property
    def title(self) -> str:
        """What it is called."""
        return self._entry.name

    @property
    def text(self) -> str:
        """The values of all fields in lower case, a line each."""
        values = [value for read in self._fields.values() for value in read(self._entry)]
        return lines([self._entry.name, *values])

    def field(self, name: str) -> Sequence[str]:
        """The values of one field."""
        return self._fields[name](self._entry)
