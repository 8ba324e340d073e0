"""One authenticated connection: whose it is, what it may do now, and its challenge."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from keys import signers, sshsig
from pilot.agent.policy import role_in
from pilot.agent.registry import Snapshot
from pilot.agent.seqwindow import SeqWindow
from pilot.records import Grant, Role
from pilot.wire import CHALLENGE_BYTES


class Registrar(Protocol):
    """Where the entitlements of the moment are found."""

    @property
    def snapshot(self) -> Snapshot:
        """The clusters and signers as of now."""

    def revoked(self, public_blob: bytes) -> str | None:
        """Why a key or certificate is revoked; None if it is not."""


class Caller:
    """A connection that a known key authenticated.

    Its grants are looked up at each use, so that a key that was removed, revoked or has expired is refused
    from that moment on.
    """

    def __init__(
        self,
        registry: Registrar,
        clock: Callable[[], float],
        *,
        key_blob: bytes,
        authority: bytes | None,
        username: str,
        address: str,
    ) -> None:
        """With a certificate, `authority` is the bare key that signed it and `key_blob` is empty."""
        self._registry = registry
        self._clock = clock
        self._key_blob = key_blob
        self._authority = authority
        self.username = username
        self.address = address
        self.fingerprint = sshsig.fingerprint(authority or key_blob)
        self.challenge = secrets.token_hex(CHALLENGE_BYTES)
        self.window = SeqWindow()
        self.refusals = 0
        self._principal = ""

    def entries(self) -> list[tuple[str, Grant]]:
        """Principal and grant of each entry that holds for this connection now."""
        snapshot = self._registry.snapshot
        now = self._clock()
        if self._registry.revoked(self._authority or self._key_blob) is not None:
            return []
        if self._authority is not None:
            return [
                (self.username, Grant(entry.cluster, entry.role))
                for entry in snapshot.authorities(self._authority)
                if signers.in_force(entry.line, now) and signers.principal_fits(entry.line, self.username)
            ]
        return [
            (entry.principal, Grant(entry.cluster, entry.role))
            for entry in snapshot.by_key(self._key_blob)
            if signers.in_force(entry.line, now)
        ]

    def grants(self) -> tuple[Grant, ...]:
        """What the signer may do now; empty if nothing any more."""
        return tuple(grant for _, grant in self.entries())

    @property
    def principal(self) -> str:
        """Who this is, as the admin named them; as it was last known if the key is no longer entitled."""
        entries = self.entries()
        if entries:
            self._principal = entries[0][0]
        return self._principal or self.fingerprint

    def role(self, cluster: str) -> Role | None:
        """The role in a cluster now."""
        return role_in(self.grants(), cluster)

    def is_key_of(self, signature: sshsig.Signature, namespace: str) -> str | None:
        """Why a request's signature is not by the key that authenticated this connection; None if it is."""
        if self._authority is None:
            if signature.public_blob != self._key_blob:
                return "signed with another key than the one that authenticated this connection"
            return None
        if signers.certificate_authority(signature.public_blob) != self._authority:
            return "not signed with a certificate of the authority that authenticated this connection"
        revoked = self._registry.revoked(signature.public_blob)
        if revoked is not None:
            return revoked
        reason: str | None = "its authority is not known here any more"
        for entry in self._registry.snapshot.authorities(self._authority):
            reason = signers.accepts(
                entry.line, signature.public_blob, namespace, self._clock(), self.username
            )
            if reason is None:
                break
        return reason
