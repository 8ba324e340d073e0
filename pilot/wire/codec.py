"""Frames as bytes and back, and what is refused on the way."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pilot.errors import WireError
from pilot.wire.client_frames import AnyClientFrame, ClientFrame
from pilot.wire.console_frames import (
    Attached,
    LogPage,
    Notice,
    Output,
    Presence,
    Recordings,
    ScreenAttached,
)
from pilot.wire.limits import MAX_TARGETS, VERSION
from pilot.wire.load_frames import Load
from pilot.wire.server_frames import (
    Delta,
    Happened,
    Hello,
    JournalPage,
    Pong,
    Progress,
    Reply,
    ServerFrame,
    Snapshot,
    Usage,
)
from pilot.wire.signed import ReceiptBody, RequestBody

AnyServerFrame = (
    Hello
    | Progress
    | Reply
    | Snapshot
    | Delta
    | Usage
    | Load
    | Happened
    | Pong
    | JournalPage
    | Attached
    | Presence
    | Output
    | Notice
    | LogPage
    | ScreenAttached
    | Recordings
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
