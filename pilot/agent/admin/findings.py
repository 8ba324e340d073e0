"""What a check finds."""

from __future__ import annotations

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One line of `check`."""

    level: Literal["ok", "warn", "fail"]
    what: str
    text: str
    hint: str = ""
    """What to do."""


def ok(what: str, text: str) -> Finding:
    """All is well with it."""
    return Finding("ok", what, text)


def warn(what: str, text: str, hint: str) -> Finding:
    """It works, and may not be what is meant."""
    return Finding("warn", what, text, hint)


def fail(what: str, text: str, hint: str) -> Finding:
    """It does not work."""
    return Finding("fail", what, text, hint)
