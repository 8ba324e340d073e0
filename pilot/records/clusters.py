"""Virtual clusters."""

from __future__ import annotations

from pilot.records.base import Record


class Cluster(Record, frozen=True, tag="cluster"):
    """A virtual cluster. Its id is `cluster:` and its name."""

    name: str
    vlan: int | None = None
    protected: bool = False
    """A protected cluster asks for its name before a disruptive verb."""
