"""Who asked for what is done later, such as a lease's end; and whether they may still have it.

What is done later is done with the rights of that moment, not of the one when it was asked: by then a key may
be revoked, a role taken away, a cluster be somebody else's. The very key that signed counts, not the name:
who gets a new key asks again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator

import msgspec

from keys import signers
from keys.errors import KeysError
from pilot.agent.caller import Caller, Registrar
from pilot.agent.policy import role_in
from pilot.agent.registry import SignerEntry
from pilot.records import Grant, role_covers
from pilot.verbs import BY_ID
from pilot.wire import REQUEST_NAMESPACE, plain


class Asker(msgspec.Struct, frozen=True):
    """Who asked: as the database keeps them."""

    principal: str
    key: str = ""
    """The public key or certificate, in base64; empty if it is not known."""
    username: str = ""
    """The principal of a certificate."""

    @classmethod
    def of(cls, caller: Caller) -> Asker:
        """Who is connected."""
        key = base64.b64encode(caller.public_blob).decode()
        return cls(caller.principal, key, caller.username)


class Rights:
    """What those who asked may do now."""

    def __init__(self, registry: Registrar, clock: Callable[[], float]) -> None:
        self._registry = registry
        self._clock = clock

    def why_not(self, asker: Asker, verb: str, cluster: str, asked_at: float) -> str:
        """Why an asker may not have a verb in a cluster any more, in words; empty if they may.

        Certificates live for hours, and leases for days: that one has expired since says nothing. It must
        have been good when it was shown, and all else must hold now: that neither it nor its authority is
        revoked, and what the authority is entitled to.
        """
        name = plain(asker.principal, 80)
        try:
            blob = base64.b64decode(asker.key, validate=True)
            authority = signers.certificate_authority(blob) if blob else None
        except (binascii.Error, KeysError):
            blob, authority = b"", None
        if not blob:
            return f"with which key {name} asked is not known"
        if (reason := self._registry.revoked(blob)) is not None:
            return f"the key of {name} is revoked: {plain(reason, 200)}"
        grants = tuple(self._grants(blob, authority, asker.username, asked_at))
        if not grants:
            return f"the key of {name} is entitled to nothing any more"
        role, needed = role_in(grants, cluster), BY_ID[verb].role
        if role is None or not role_covers(role, needed):
            has = f"is {role}" if role is not None else "has no role"
            return f"{name} {has} in {plain(cluster, 80)} now, and {verb} needs the role {needed}"
        return ""

    def _grants(
        self, blob: bytes, authority: bytes | None, username: str, asked_at: float
    ) -> Iterator[Grant]:
        snapshot, now = self._registry.snapshot, self._clock()
        bound: tuple[SignerEntry, ...] = (
            snapshot.by_key(blob) if authority is None else snapshot.authorities(authority)
        )
        principal = None if authority is None else username
        for entry in bound:
            shown = now if authority is None else asked_at
            good = signers.accepts(entry.line, blob, REQUEST_NAMESPACE, shown, principal) is None
            if good and signers.in_force(entry.line, now):
                yield Grant(entry.cluster, entry.role)
