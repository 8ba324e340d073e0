"""Frames that airboss sends: who it is, how a verb goes, the inventory, and the journal."""

from __future__ import annotations

import msgspec

from pilot.journal import Head, Record
from pilot.records import AnyRecord, Grant, Happening
from pilot.wire.signed import Fault, Outcome


class ServerFrame(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """Base of what airboss sends."""


class Hello(ServerFrame, frozen=True, tag="hello"):
    """Who airboss is, who the signer is to it, and the challenge of this connection."""

    v: int
    site: str
    version: str
    airboss: str
    challenge: str
    time: float
    principal: str
    key: str
    """Fingerprint of the key that authenticated this connection: requests are signed with it."""
    grants: tuple[Grant, ...]
    verbs: tuple[str, ...]
    """Ids of the verbs that this signer may use in at least one cluster."""


class Progress(ServerFrame, frozen=True, tag="progress"):
    """Said while a slow verb runs; `outcome` once the target has ended."""

    target: str
    text: str
    seconds: float
    outcome: Outcome | None = None


class Reply(ServerFrame, frozen=True, tag="reply"):
    """The end of a verb, or the beginning of its stream."""

    outcomes: tuple[Outcome, ...] = ()
    fault: Fault | None = None
    """Why the request as a whole was refused; then there are no outcomes."""
    records: tuple[AnyRecord, ...] = ()
    more: bool = False
    """More replies follow with more records."""
    receipt: bytes = b""
    """A ReceiptBody as JSON bytes; empty for verbs that are not journaled."""
    receipt_signature: bytes = b""


class Snapshot(ServerFrame, frozen=True, tag="snapshot"):
    """The inventory as this watcher may see it, in one or several frames; replaces all before it."""

    version: int
    records: tuple[AnyRecord, ...]
    first: bool
    last: bool


class Delta(ServerFrame, frozen=True, tag="delta"):
    """What changed since the version before."""

    version: int
    changed: tuple[AnyRecord, ...] = ()
    gone: tuple[str, ...] = ()
    """Ids of records that are no more, or no longer visible to this watcher."""
    time: float = 0.0
    """airboss's clock when it was sent."""


class NodeUsage(msgspec.Struct, frozen=True, array_like=True):
    """How busy a node was, sample by sample, oldest first."""

    node: str
    """The node's id."""
    cpu: bytes
    """A byte a sample: percent of all its virtual processors, 0 to 100; 255 where it is not known."""
    memory: int
    """KiB of the host's memory that it takes now; 0 where it is not known."""


class Usage(ServerFrame, frozen=True, tag="usage"):
    """Samples of the nodes in view: the past ones once after a snapshot, then those that are new.

    A node that is not in it used what it used in the sample before.
    """

    time: float
    """airboss's clock at the newest sample."""
    step: float
    """Seconds between two samples."""
    nodes: tuple[NodeUsage, ...]


class Happened(ServerFrame, frozen=True, tag="happened"):
    """What happened, oldest first; an empty one now and then says that airboss is there."""

    happenings: tuple[Happening, ...] = ()
    more: bool = False
    """More of the same follows at once."""


class Pong(ServerFrame, frozen=True, tag="pong"):
    """The answer to a ping."""

    token: int


class JournalPage(ServerFrame, frozen=True, tag="journal"):
    """Records of the journal, each list in the order of ids; together they lie behind the page before.

    An empty one now and then says that airboss is there.
    """

    records: tuple[Record, ...] = ()
    """Those that the signer may read."""
    sealed: tuple[Head, ...] = ()
    """Of those that the signer may not read, the place and the hash alone: to check the chain across them."""
    more: bool = False
    """More of the past follows."""
    head: Head | None = None
    """Where the journal ended when it was asked; with the last page of the past of one that seals."""
