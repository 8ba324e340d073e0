"""Connections that have not authenticated yet: bounded, and the oldest makes room for the newest.

A login takes milliseconds, so whoever is oldest at a full door is most likely one that says nothing. If the
newest were refused instead, a handful of silent sockets could lock everybody out.
"""

from __future__ import annotations

import ipaddress
from typing import Generic, TypeVar

T = TypeVar("T")

_NETWORK_BITS = 64
"""What one site or household is given of IPv6: all of it counts as one address."""


class Strangers(Generic[T]):
    """Who stands at the door, by address, in the order in which they came."""

    def __init__(self, total: int, each: int) -> None:
        """So many in all, and so many from one address."""
        self._total = total
        self._each = each
        self._waiting: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, one: T, address: str) -> T | None:
        """Let one more stand there; who has to go for it, if anybody."""
        group = group_of(address)
        out = None
        if len(self._waiting.get(group, ())) >= self._each:
            out = next(iter(self._waiting[group]))
        elif len(self) >= self._total:
            out = self.oldest()
        if out is not None:
            self.remove(out)
        self._waiting.setdefault(group, {})[one] = None
        return out

    def oldest(self) -> T | None:
        """Who has waited longest of those at the address that most wait from; None if nobody waits."""
        if not self._waiting:
            return None
        fullest = max(self._waiting.values(), key=lambda waiting: len(waiting))
        return next(iter(fullest))

    def remove(self, one: T) -> None:
        """One is gone, or has authenticated. Of one that does not wait, nothing."""
        for group, waiting in self._waiting.items():
            if one in waiting:
                del waiting[one]
                if not waiting:
                    del self._waiting[group]
                return


def group_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or 64 bits of IPv6. Anything else is itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
