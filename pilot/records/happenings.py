"""What happened: said once, and never changed."""

from __future__ import annotations

from typing import Literal

import msgspec

HappeningTone = Literal["", "good", "busy", "bad"]


class Happening(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that happened to one record, as airboss saw it."""

    number: int
    """Counts up for ever: who has seen this one asks for those after it."""
    time: float
    """Seconds since the epoch, airboss's clock."""
    about: str
    """The record's id."""
    name: str
    """What people called it then."""
    words: str
    what: str = ""
    """One word: state, host, cluster, lease, …"""
    tone: HappeningTone = ""
    cluster: str | None = None
    """Whose it is; empty for a node of no cluster, None for what is the site's."""
    host: str = ""
    """The host that it is about, if it is of one: people with nodes there may see it."""
