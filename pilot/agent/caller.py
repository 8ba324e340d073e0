"""One authenticated connection: whose it is, what it may do now, and its challenge."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from keys import signers, sshsig
from pilot.agent.policy import role_in
from pilot.agent.registry import SignerEntry, Snapshot
from pilot.agent.seqwindow import SeqWindow
from pilot.records import Grant, Role
from pilot.wire import CHALLENGE_BYTES, REQUEST_NAMESPACE


class Registrar(Protocol):
    """Where the entitlements of the moment are found."""

    @property
    def snapshot(self) -> Snapshot:
        """The clusters and signers as of now."""

    def revoked(self, public_blob: bytes) -> str | None:
        """Why a key or certificate is revoked; None if it is not."""


class Caller:
    """A connection that a known key or certificate authenticated.

    Its grants are looked up at each use, so that what was removed, revoked or has expired is refused from
    that moment on.
    """

    def __init__(
        self,
        registry: Registrar,
        clock: Callable[[], float],
        *,
        public_blob: bytes,
        username: str,
        address: str,
    ) -> None:
        """`public_blob` is the plain key or the certificate; `username` is a certificate's principal.

        Raises:
            BadKeyError: the blob is a certificate in bad form.
        """
        self._registry = registry
        self._clock = clock
        self.public_blob = public_blob
        self.authority = signers.certificate_authority(public_blob)
        """The bare key that signed the certificate; None for a plain key."""
        self.username = username
        self.address = address
        self.fingerprint = sshsig.fingerprint(self.authority or public_blob)
        """The key that the admin bound: for a certificate, its authority's."""
        self.holder = self.fingerprint if self.authority is None else f"{self.fingerprint} {username}"
        """Whose share of the limits is used: one signer's, whatever certificates they show."""
        self.challenge = secrets.token_hex(CHALLENGE_BYTES)
        self.window = SeqWindow()
        self.refusals = 0
        self._principal = ""
        self._judged: Snapshot | None = None
        self._revoked: str | None = None

    def entries(self) -> list[tuple[str, Grant]]:
        """Principal and grant of each entry that holds for this connection now."""
        if self._revocation() is not None:
            return []
        return [
            (entry.principal if self.authority is None else self.username, Grant(entry.cluster, entry.role))
            for entry in self._bound()
            if self._reason(entry) is None
        ]

    def refusal(self) -> str | None:
        """Why nothing is granted now, in words for a log; None if something is."""
        reason: str | None = self._revocation()
        if reason is not None:
            return reason
        reason = "nobody has bound it here"
        for entry in self._bound():
            reason = self._reason(entry)
            if reason is None:
                break
        return reason

    def _bound(self) -> tuple[SignerEntry, ...]:
        snapshot = self._registry.snapshot
        if self.authority is None:
            return snapshot.by_key(self.public_blob)
        return snapshot.authorities(self.authority)

    def _reason(self, entry: SignerEntry) -> str | None:
        principal = None if self.authority is None else self.username
        return signers.accepts(entry.line, self.public_blob, REQUEST_NAMESPACE, self._clock(), principal)

    def _revocation(self) -> str | None:
        """Looked up once for each snapshot, which holds the list: this is asked for at every change."""
        snapshot = self._registry.snapshot
        if snapshot is not self._judged:
            self._revoked = self._registry.revoked(self.public_blob)
            self._judged = snapshot
        return self._revoked

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

    def is_key_of(self, signature: sshsig.Signature) -> str | None:
        """Why a request's signature is not by what authenticated this connection; None if it is."""
        if signature.public_blob != self.public_blob:
            return "signed with another key or certificate than the one that authenticated this connection"
        reason = self.refusal()
        return None if reason is None else f"signed with what is not entitled any more: {reason}"
