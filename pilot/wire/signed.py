"""What is signed: the request by the signer, and by airboss the receipt with the outcomes that it holds."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from pilot.records import NodeState
from pilot.verbs import Value

Result = Literal["done", "refused", "failed", "unknown"]


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it travels: code of pilot.errors, message, and what to do next."""

    code: str
    message: str
    hint: str = ""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a verb ended for one target."""

    target: str
    """The node's name, or the selector as typed if it names no node of this signer."""
    result: Result
    node: str = ""
    """The node's id (UUID); empty if the selector named none."""
    state: NodeState = "unknown"
    """The node's state when the verb ended."""
    note: str = ""
    """Said beside a success, such as "was on already"."""
    fault: Fault | None = None
    seconds: float = 0.0


class RequestBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed part of a request. Its JSON bytes are what the signature covers, exactly."""

    v: int
    airboss: str
    """Fingerprint of the airboss's host key (`SHA256:…`): no use at another site."""
    challenge: str
    """Hex of the challenge in this connection's Hello: no use on another connection."""
    seq: int
    """Accepted once on a connection."""
    time: float
    """The signer's clock. Recorded, never trusted."""
    verb: str
    cluster: str
    targets: tuple[str, ...] = ()
    args: dict[str, Value] = {}


class ReceiptBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signed part of a receipt: airboss's word on what was asked and what came of it."""

    v: int
    airboss: str
    request: str
    """SHA-256, hex, of the request's signed bytes."""
    outcomes: tuple[Outcome, ...]
    journal_id: int
    """The journal record of the outcome."""
    journal_head: str
    """That record's hash, hex: who keeps the receipt is a witness of the journal up to there."""
    time: float


def digest(body: bytes) -> str:
    """SHA-256 of a signed body, hex: how a request is named in receipts and in the journal."""
    return hashlib.sha256(body).hexdigest()
