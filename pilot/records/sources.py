"""Where records come from that airboss asks for by turns: regions of EC2, HTCondor pools, files of ads."""

from __future__ import annotations

from typing import Literal

from pilot.records.base import Record

SourceState = Literal["connecting", "up", "down"]
SourceType = Literal["ec2", "condor", "file", "prices"]


class Source(Record, frozen=True, tag="source"):
    """One region, pool, file or price list. Its id is `source:`, its type, `/` and its name."""

    type: SourceType
    name: str
    state: SourceState
    since: float
    good: float = 0.0
    """When it last gave whole data; what came from it is as old as that. 0 for never."""
    detail: str = ""
    """Why it is not up, in words for all who see something of it."""
    words: str = ""
    """Why, as it said itself: for the site's own people."""
    pretended: bool = False
    """A demo's stand-in, or a file: not the real thing."""
    drains: bool = True
    """Of a pool: whether airboss has been given the means to drain its machines."""
