"""Whose a console is: what was printed for one tenant is nothing to the next one."""

from __future__ import annotations

import msgspec


class Tenant(msgspec.Struct, frozen=True):
    """A cluster, from when it was added until it is removed: its name may be given to others later."""

    cluster: str
    added: float = 0.0
    """Seconds since the epoch; 0 while the site has no such cluster, and nobody but its admins looks."""

    def is_still(self, now: Tenant) -> bool:
        """Whether the one of now is the same. While its cluster is removed nobody else has come yet."""
        return self.cluster == now.cluster and now.added in (0.0, self.added)
