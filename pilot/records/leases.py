"""What ends by itself: leases, and nodes that are turned off once they are empty."""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True, gc=False):
    """When airboss turns a node off, unless somebody renews that."""

    ends: float
    principal: str
    """Who gave or renewed it last."""
    warned: bool = False
    """Whether it ends soon, and those at the node's console have been told."""


class Drain(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """That airboss turns a node off once its HTCondor jobs have ended, unless somebody takes that back."""

    principal: str
    """Who asked for it, or gave the lease that is over."""
    since: float
    words: str = ""
    """How far it is, such as `2 HTCondor jobs (7.0 of ada, 8.0 of ada) to end`."""
    until: float = 0.0
    """When it is turned off at the latest, whatever runs there; 0 if it waits for as long as that takes."""
    verb: str = "power.off"
    """What is done to it then."""
