"""What a pool's process and airboss say to each other: msgpack, each frame after its length.

The process is asked one thing at a time. To `Ask` it answers with `Answered`, any number of `Found` and
`Gone`, and `Done`; or with `Failed`, which may come at any place.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal

import msgspec

from pilot.records import Machine, Queue

LENGTH = struct.Struct(">I")
LIMIT = 64 * 1024 * 1024
"""Of a frame, in bytes: more is a mistake."""

Reason = Literal["name", "unreachable", "refused", "silent", "denied", "file", "missing", "other"]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Look at the pool."""


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Drain a machine, or take that back."""

    name: str
    """The startd's."""
    address: str
    """Its IP address."""
    reason: str = ""
    undo: bool = False


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The collector has answered."""

    full: bool
    """Everything will be told, not only what is other than before."""
    unchanged: bool = False
    """It is the file that it was: nothing will be told."""


class Found(msgspec.Struct, frozen=True, tag="found"):
    """Records that are new or changed."""

    records: tuple[Machine | Queue, ...]


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Ids of what is no more."""

    ids: tuple[str, ...]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """That was all."""

    slots: int = 0
    broken: int = 0
    """Ads that cannot be understood at all."""
    good: float = 0.0
    """When the ads were of, if not of now."""
    note: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It did not work."""

    reason: Reason
    said: str
    """As HTCondor or the system said it."""


Question = Ask | Drain
Answer = Answered | Found | Gone | Done | Failed

questions = msgspec.msgpack.Decoder(Question)
answers = msgspec.msgpack.Decoder(Answer)
_encoder = msgspec.msgpack.Encoder()


def packed(frame: Question | Answer) -> bytes:
    """A frame with its length."""
    body = _encoder.encode(frame)
    return LENGTH.pack(len(body)) + body


def read_question(stream: BinaryIO) -> Question | None:
    """The next question; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = stream.read(LENGTH.unpack(head)[0])
    question: Question = questions.decode(body)
    return question
