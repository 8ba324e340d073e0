"""What keeps nodes from running for ever."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True, gc=False):
    """When airboss turns a node off, unless somebody renews that."""

    ends: float
    principal: str
    """Who gave or renewed it last."""
    warned: bool = False
    """Whether it ends soon, and those at the node's console have been told."""
