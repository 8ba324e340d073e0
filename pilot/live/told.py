"""What is told of a console or a screen, beside what the guest shows."""

from __future__ import annotations

from typing import NamedTuple

NOTICES = 200
"""Kept of each, the newest."""


class Told(NamedTuple):
    """One thing that was told."""

    time: float
    """Seconds since the epoch."""
    text: str
    what: str = ""
    """The kind of airboss's notice; empty if the app says it."""
