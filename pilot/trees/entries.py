"""The lines of a tree."""

from __future__ import annotations

from typing import Any

import msgspec

from pilot.records import AnyRecord

Step = tuple[int, str]
"""What a line is sorted by among those beside it: the rank of its kind, then its name as people count."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A line. Lines of one path are beside each other; a branch comes right before what is below it."""

    key: str
    """Unique in its tree. Of the line that stands for a record, the record's id."""
    path: tuple[Step, ...]
    """From the top down to itself: what it is sorted by."""
    above: tuple[str, ...]
    """Keys of the branches above it, from the top down."""
    name: str
    record: AnyRecord | None
    """What it shows; None of a branch of which nothing is known but its name."""
    part: Any = None
    """What of the record it shows, if not all: an interface, a slot, a volume."""
    node: str = ""
    """Id of the node that verbs on it are for; empty if there is none."""
    folded: bool = False
    """Whether a branch is closed until somebody opens it."""

    @property
    def depth(self) -> int:
        """How many branches it is below."""
        return len(self.above)


def below(
    branch: Entry,
    key: str,
    step: Step,
    name: str,
    record: AnyRecord | None,
    *,
    part: Any = None,
    node: str = "",
    folded: bool = False,
) -> Entry:
    """A line below a branch."""
    return Entry(key, (*branch.path, step), (*branch.above, branch.key), name, record, part, node, folded)
