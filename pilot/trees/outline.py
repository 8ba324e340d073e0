"""A tree kept up to date record by record: its lines, what is folded, and what a filter leaves of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import NamedTuple

import msgspec

from pilot.records import AnyRecord
from pilot.trees.entries import Entry

EntriesOf = Callable[[AnyRecord], Iterable[Entry]]
"""The lines that a record has: branches that it is below first, then its own.

Several records may name one branch. Of one without a record any will do; one with a record is shown in
their place.
"""


class Changes(NamedTuple):
    """What is to be drawn anew."""

    changed: dict[str, Entry]
    gone: list[str]


class Outline:
    """The lines of one tree."""

    def __init__(self, entries_of: EntriesOf) -> None:
        self.entries: dict[str, Entry] = {}
        """All lines by key."""
        self.closed: set[str] = set()
        """Branches of which only the line itself is shown, while nothing is looked for."""
        self._entries_of = entries_of
        self._of: dict[str, tuple[str, ...]] = {}
        """Own lines of each record."""
        self._below: dict[str, dict[str, None]] = {}
        """Keys of the lines right below each branch, in the order in which they came."""
        self._implied: dict[str, Entry] = {}
        """Branches as those below them name them."""
        self._match: Callable[[Entry], bool] | None = None
        self._matched: set[str] = set()
        self._hits: Counter[str] = Counter()
        """Of each branch, how many lines below it match."""

    # --- records -----------------------------------------------------------------------------------

    def replace(self, records: Iterable[AnyRecord]) -> None:
        """Take these records instead of all before; what was folded stays so."""
        known, closed = self.entries.keys(), self.closed
        self.closed = set()
        self.entries, self._of, self._below, self._implied = {}, {}, {}, {}
        self._matched, self._hits = set(), Counter()
        for record in records:
            self._add(record)
        self.closed = {key for key in self.entries if key in (closed if key in known else self.closed)}
        self.match(self._match)

    def apply(self, records: Mapping[str, AnyRecord | None]) -> Changes:
        """Records that are new, different, or gone (None), by id.

        The branches above them change with them.
        """
        before: set[str] = set()
        touched: set[str] = set()
        closed = self.closed.copy()
        for record_id, record in records.items():
            for key in self._of.get(record_id, ()):
                before.add(key)
                touched.update(self.entries[key].above)
                self._remove(key)
            self._of.pop(record_id, None)
            if record is not None:
                self._add(record)
        self.closed -= before - closed
        after = {key for record_id in records for key in self._of.get(record_id, ())}
        for key in after:
            touched.update(self.entries[key].above)
        touched |= before | after
        return self._settled(touched)

    def _settled(self, touched: set[str]) -> Changes:
        """Drop branches that nothing is below any more, and say which lines are to be drawn."""
        changed: dict[str, Entry] = {}
        gone = []
        # Those deepest down first: what is above them may lose its last line with them.
        for key in sorted(touched, key=lambda key: -self._depth(key)):
            entry = self.entries.get(key)
            if entry is not None and entry.record is None and not self._below.get(key):
                self._drop(key)
                entry = None
            if entry is None:
                self._implied.pop(key, None)
                self.closed.discard(key)
                gone.append(key)
                continue
            # A line is drawn anew if it is another object: what it says of those below has changed.
            changed[key] = self.entries[key] = msgspec.structs.replace(entry)
        if self._match is not None:
            for key in changed:
                self._judge(key)
        return Changes(changed, gone)

    def _depth(self, key: str) -> int:
        entry = self.entries.get(key)
        return -1 if entry is None else entry.depth

    def _add(self, record: AnyRecord) -> None:
        own = []
        for entry in self._entries_of(record):
            if entry.record is None:
                self._implied[entry.key] = entry
                if entry.key not in self.entries:
                    self._insert(entry)
            else:
                own.append(entry.key)
                self._insert(entry)
        self._of[record.id] = tuple(own)

    def _insert(self, entry: Entry) -> None:
        if entry.folded and entry.key not in self.entries:
            self.closed.add(entry.key)
        self.entries[entry.key] = entry
        if entry.above:
            self._below.setdefault(entry.above[-1], {})[entry.key] = None

    def _remove(self, key: str) -> None:
        """Take a record's line away; a branch that others are below stays as they name it."""
        if self._below.get(key) and key in self._implied:
            self.entries[key] = self._implied[key]
        else:
            self._drop(key)

    def _drop(self, key: str) -> None:
        entry = self.entries.pop(key)
        self._forget_match(key, entry.above)
        if entry.above:
            beside = self._below.get(entry.above[-1])
            if beside is not None:
                beside.pop(key, None)
                if not beside:
                    del self._below[entry.above[-1]]

    # --- what is below what --------------------------------------------------------------------------

    def below(self, key: str) -> Iterator[Entry]:
        """The lines right below a branch, in no order."""
        return (self.entries[child] for child in self._below.get(key, ()))

    def count(self, key: str) -> int:
        """How many lines are right below it."""
        return len(self._below.get(key, ()))

    def is_branch(self, key: str) -> bool:
        """Whether anything is below it."""
        return key in self._below

    # --- folding and filtering -----------------------------------------------------------------------

    def fold(self, key: str, closed: bool) -> None:
        """Close a branch, or open it."""
        (self.closed.add if closed else self.closed.discard)(key)

    def fold_all(self, closed: bool) -> None:
        """Close all branches, or open them."""
        self.closed = set(self._below) if closed else set()

    def match(self, match: Callable[[Entry], bool] | None) -> None:
        """Look for the lines that match, open what they are in, and hide the rest; None: show all.

        Raises what `match` raises; then nothing has changed.
        """
        matched = set() if match is None else {key for key, entry in self.entries.items() if match(entry)}
        self._match, self._matched = match, matched
        self._hits = Counter(above for key in matched for above in self.entries[key].above)

    @property
    def matched(self) -> Set[str]:
        """The keys of the lines that match what is looked for."""
        return self._matched

    def passes(self, entry: Entry) -> bool:
        """Whether a line is shown."""
        if self._match is not None:
            return entry.key in self._matched or self._hits[entry.key] > 0
        return self.closed.isdisjoint(entry.above)

    def is_open(self, key: str) -> bool:
        """Whether what is below a branch is shown."""
        return self._match is not None or key not in self.closed

    def _judge(self, key: str) -> None:
        assert self._match is not None
        entry = self.entries[key]
        matches = self._match(entry)
        if matches and key not in self._matched:
            self._matched.add(key)
            self._hits.update(entry.above)
        elif not matches:
            self._forget_match(key, entry.above)

    def _forget_match(self, key: str, above: Iterable[str]) -> None:
        if key in self._matched:
            self._matched.discard(key)
            self._hits.subtract(above)
