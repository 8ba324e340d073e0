"""The state of a terminal engine at a moment, to go back to.

The emulator's parts hold each other and are held by functions: they cannot be copied. So what each of them
has in it is copied, and put back into the same parts.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

_MODULES = ("bittty.", "pilot.")
"""Where the classes are whose objects are looked into."""
_WHOLE = frozenset({str, bytes, int, float, bool, type(None), tuple, frozenset})
"""What never changes. Of the engine's tuples none has anything in it that does."""


class Snapshot:
    """What is in an object, and in all that it leads to."""

    def __init__(self, root: object, cost: int) -> None:
        """As of now. `cost`: see there."""
        self.cost = cost
        """About how many bytes it keeps from being let go; several may keep the same ones."""
        self._parts: list[tuple[Any, Any]] = []
        """Each part, and a copy of what is in it."""
        seen: set[int] = set()
        waiting: list[Any] = [root]
        while waiting:
            part = waiting.pop()
            if type(part) in _WHOLE or id(part) in seen:
                continue
            seen.add(id(part))
            contents, inside = _contents(part)
            if contents is not None:
                self._parts.append((part, contents))
                waiting += inside

    def bring_back(self) -> None:
        """Put all of it back as it was. May be done again."""
        for part, contents in self._parts:
            if isinstance(part, list | bytearray):
                part[:] = contents
            elif isinstance(part, dict | set):
                part.clear()
                part.update(contents)
            elif isinstance(part, deque):
                part.clear()
                part.extend(contents)
            else:
                part.__dict__.clear()
                part.__dict__.update(contents)


def _contents(part: Any) -> tuple[Any, list[Any]]:
    """A copy of what is in a part, None if it is not looked into; and what may lead further."""
    if isinstance(part, list):
        # Rows of cells are most of it, and lead nowhere.
        return part.copy(), [] if part and type(part[0]) is tuple else part
    if isinstance(part, dict):
        return part.copy(), list(part.values())
    if isinstance(part, set | bytearray | deque):
        return part.copy(), []
    kind = type(part)
    fields = getattr(part, "__dict__", None)
    if fields is None or isinstance(part, Enum) or not kind.__module__.startswith(_MODULES):
        return None, []
    if getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        return None, []
    return fields.copy(), list(fields.values())
