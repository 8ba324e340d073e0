"""The wire: frames, the signed request, the reply and the messages of streams.

docs/wire.md is the same in words, precise enough for a second client. A frame is a 4-byte big-endian
length and that many bytes of msgpack: one tagged struct of this module. One SSH session channel
(subsystem `airboss`) carries one request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from pilot.errors import WireError
from pilot.journal import Head, Record
from pilot.records import AnyRecord, Grant, NodeState
from pilot.verbs import Value

VERSION = 1
SUBSYSTEM = "airboss"
PORT = 8677
REQUEST_NAMESPACE = "request@pilot.rocksclusters.org"
RECEIPT_NAMESPACE = "receipt@pilot.rocksclusters.org"
MAX_CLIENT_FRAME = 64 * 1024
"""Bytes of the longest frame airboss reads."""
MAX_SERVER_FRAME = 16 * 1024 * 1024
"""Bytes of the longest frame a client reads: outcomes and receipt of a verb on 10,000 nodes."""
CHALLENGE_BYTES = 32
SEQ_WINDOW = 1024
"""How far behind the highest seq a request may still arrive (channels run side by side)."""
MAX_TARGETS = 4096
"""Selectors in one request."""
MAX_CONSOLE_CHUNK = 32 * 1024

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


# --- what a signer signs ------------------------------------------------------------------------


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


# --- frames a client sends ----------------------------------------------------------------------


class ClientFrame(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """Base of what a client sends."""


class HelloAsk(ClientFrame, frozen=True, tag="hello"):
    """The first channel of a connection asks who airboss is, and who it takes us for."""

    client: str = ""
    """Name and version of the client, for the log."""


class Request(ClientFrame, frozen=True, tag="request"):
    """A RequestBody as JSON bytes, and an SSHSIG blob (not armored) over exactly these bytes."""

    body: bytes
    signature: bytes
    cols: int = 80
    rows: int = 24


class Input(ClientFrame, frozen=True, tag="input"):
    """Keys for the console."""

    data: bytes


class Resize(ClientFrame, frozen=True, tag="resize"):
    """The viewer's window has another size."""

    cols: int
    rows: int


class Take(ClientFrame, frozen=True, tag="take"):
    """The viewer asks for the keyboard; who had it watches from then on."""


class Ping(ClientFrame, frozen=True, tag="ping"):
    """A watcher wants to know that airboss is there, and how far away."""

    token: int
    """Given back as it is; a client's own clock, for instance."""


# --- frames airboss sends -----------------------------------------------------------------------


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


class Attached(ServerFrame, frozen=True, tag="attached"):
    """The console is open: what follows is `replay` bytes of what it printed before, then live."""

    node: str
    name: str
    writing: bool
    replay: int
    writer: str = ""
    watchers: int = 0


class Output(ServerFrame, frozen=True, tag="output"):
    """What the guest printed."""

    data: bytes


class Notice(ServerFrame, frozen=True, tag="notice"):
    """Something a viewer should know: presence, takeover, power, loss. Not guest output."""

    what: Literal["joined", "left", "taken", "writer", "power", "host", "skipped", "closed"]
    text: str
    writing: bool | None = None
    """Whether this viewer writes from now on; None if that did not change."""
    final: bool = False
    """The stream ends after this."""


AnyClientFrame = HelloAsk | Request | Input | Resize | Take | Ping
AnyServerFrame = (
    Hello | Progress | Reply | Snapshot | Delta | Usage | Pong | JournalPage | Attached | Output | Notice
)

_encoder = msgspec.msgpack.Encoder()
_client_decoder = msgspec.msgpack.Decoder(AnyClientFrame)
_server_decoder = msgspec.msgpack.Decoder(AnyServerFrame)
_json_encoder = msgspec.json.Encoder()
_request_decoder = msgspec.json.Decoder(RequestBody, strict=True)
_receipt_decoder = msgspec.json.Decoder(ReceiptBody, strict=True)


def encode(frame: ClientFrame | ServerFrame) -> bytes:
    """A frame as bytes, its length in front."""
    payload = _encoder.encode(frame)
    return len(payload).to_bytes(4, "big") + payload


def decode_client(payload: bytes) -> AnyClientFrame:
    """What a client sent, without its length.

    Raises:
        WireError: it is not one of the frames a client sends.
    """
    try:
        frame: AnyClientFrame = _client_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a client frame: {error}") from None
    return frame


def decode_server(payload: bytes) -> AnyServerFrame:
    """What airboss sent, without its length.

    Raises:
        WireError: it is not one of the frames airboss sends.
    """
    try:
        frame: AnyServerFrame = _server_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not an airboss frame: {error}", "Is the client as new as the airboss?") from None
    return frame


def encode_body(body: RequestBody | ReceiptBody) -> bytes:
    """The JSON bytes that are signed."""
    return _json_encoder.encode(body)


def decode_request(body: bytes) -> RequestBody:
    """The signed bytes of a request. Only to be called once their signature holds.

    Raises:
        WireError: they are not a request of this version.
    """
    try:
        request = _request_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a request: {error}") from None
    if request.v != VERSION:
        raise WireError(
            f"request of version {request.v}, this airboss speaks {VERSION}", "Update the older one."
        )
    if len(request.targets) > MAX_TARGETS:
        raise WireError(f"{len(request.targets)} targets, {MAX_TARGETS} at most in one request")
    return request


def decode_receipt(body: bytes) -> ReceiptBody:
    """The signed bytes of a receipt.

    Raises:
        WireError: they are not a receipt.
    """
    try:
        return _receipt_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a receipt: {error}") from None


class FrameReader:
    """Cuts a byte stream into frames' payloads; refuses a frame over the limit before reading it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, give each payload that is complete.

        Raises:
            WireError: a length is zero or over the limit.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 0 < length <= self._limit:
                raise WireError(f"a frame of {length} bytes, 1 to {self._limit} are read")
            if len(self._buffer) < 4 + length:
                return
            payload = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield payload

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._buffer)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str, limit: int = 200) -> str:
    """Text from a peer made fit for a terminal and a log: one line, no control characters, bounded."""
    cleaned = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"
