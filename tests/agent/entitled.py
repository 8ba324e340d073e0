"""A registry of one signer, ada, whose rights a test changes."""

from __future__ import annotations

import base64

import asyncssh

from keys import sshsig
from keys.signers import SignerLine
from pilot.agent.askers import Asker
from pilot.agent.registry import SignerEntry, Snapshot
from pilot.records import Role


class Entitled:
    """What ada may do now. Nothing at first."""

    def __init__(self) -> None:
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.blob = key.public_data
        self.asker = Asker("ada", base64.b64encode(self.blob).decode())
        self.snapshot = Snapshot(0, (), ())
        self.reason: str | None = None
        """Why her key is revoked."""

    def grant(self, role: Role | None, cluster: str = "vc1", valid_before: float | None = None) -> None:
        """Give her this role, and no other."""
        line = SignerLine(principals=("ada",), key_blob=self.blob, valid_before=valid_before)
        fingerprint = sshsig.fingerprint(self.blob)
        entries = (
            [] if role is None else [SignerEntry(1, cluster, role, line, fingerprint, "ada", 0.0, "root")]
        )
        self.snapshot = Snapshot(self.snapshot.generation + 1, (), entries)

    def revoked(self, public_blob: bytes) -> str | None:
        """Why a key is revoked."""
        return self.reason if public_blob == self.blob else None
