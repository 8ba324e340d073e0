"""What tests of the journal share: a database, a signer, and requests that it signed."""

from __future__ import annotations

from pathlib import Path

import asyncssh

from keys import sshsig
from pilot import wire
from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.journal import Head

KEY = asyncssh.generate_private_key("ssh-ed25519")
FINGERPRINT = sshsig.fingerprint(KEY.public_data)
RESULT = [{"target": "compute-0-0", "result": "done", "state": "on"}]


def open_database(folder: Path) -> Database:
    """A fresh database in the folder."""
    return Database.open(f"sqlite:///{folder / 'x.db'}")


def signed_body(seq: int = 1, verb: str = "power.on", cluster: str = "vi-1") -> bytes:
    """The bytes of a request."""
    return wire.encode_body(
        wire.RequestBody(1, "SHA256:airboss", "00", seq, 1.0, verb, cluster, ("compute-0-0",))
    )


async def append_intent(journal: Journal, seq: int = 1, body: bytes | None = None) -> int:
    """Record a request that is signed as it should be."""
    body = signed_body(seq) if body is None else body
    return await journal.intent(
        actor="owner@vi-1",
        fingerprint=FINGERPRINT,
        auth="signed",
        cluster="vi-1",
        verb="power.on",
        targets=["11111111-2222-3333-4444-555555555555"],
        args={"selectors": ["compute-0-0"]},
        body=body,
        signature=sshsig.make(KEY, body, wire.REQUEST_NAMESPACE),
    )


async def append_pair(journal: Journal, seq: int = 1) -> Head:
    """Record a request and its outcome."""
    return await journal.outcome(await append_intent(journal, seq), RESULT)
