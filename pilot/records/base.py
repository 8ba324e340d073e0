"""What all records have, and who may do what.

Times are seconds since the epoch (UTC), as floats. Sizes are KiB. An id is stable for as long as the
thing exists and is unique over all kinds of records.

There are thousands of them, and they cannot form cycles: the garbage collector is spared them (`gc=False`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["viewer", "operator", "owner", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "operator", "owner", "admin")
"""Weakest first: a role may do all that the roles before it may."""


def role_covers(held: Role, needed: Role) -> bool:
    """Whether a signer who holds one role may use what needs the other."""
    return ROLES.index(held) >= ROLES.index(needed)


class Grant(msgspec.Struct, frozen=True):
    """What a signer may do in one cluster. Cluster `*` is the site: every cluster, and its admin work."""

    cluster: str
    role: Role


class Record(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True, gc=False):
    """Base of all records; `kind` is the tag on the wire."""

    id: str
