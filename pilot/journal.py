"""The journal's records and how they are hashed into a chain: the same code for airboss and its clients.

**The hash, exactly.** A record's hash is the SHA-256, in 64 lowercase hex digits, of these bytes: the
ASCII line `rocks-pilot journal 1` and a line feed, then the record's fields, in this order:

    id time kind principal fingerprint auth cluster verb targets args result body signature intent prev

each as the number of its bytes in decimal ASCII without leading zeros, a colon, the bytes, and a line
feed. The bytes of a field are

- `id`, `time`, `intent`: the number in decimal ASCII without leading zeros. `time` is microseconds since
  the epoch (UTC). `intent` is the id of the intent that an outcome ends, and 0 in all other records;
- `kind` (`intent`, `outcome` or `event`), `principal`, `fingerprint`, `auth` (`signed`,
  `ssh`, `admin` or `airboss`), `cluster`, `verb`: the text in UTF-8; empty where there is none;
- `targets`, `args`, `result`: JSON, in UTF-8, byte for byte as it is stored: not to be decoded and
  encoded again;
- `body`, `signature`: the signed bytes of the request and its SSHSIG blob as they were received; empty
  where the request was not signed;
- `prev`: the hash of the record before, in hex; 64 zeros for the first record.

What has no signature has a random `salt` in its `args` instead: to who is told the hash of a record and not
what it says, the hash must say nothing either, not even that a guess is right.

Ids are 1, 2, 3, … without gaps. So a record cannot be changed, removed or put between others without
changing the hash of every record after it; that the *last* records were cut off shows in receipts, which
name the hash of a record and are kept by the users.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["intent", "outcome", "event"]
Auth = Literal["signed", "ssh", "admin", "airboss"]

FIRST = "0" * 64
"""`prev` of the first record."""

_PREAMBLE = b"rocks-pilot journal 1\n"
_SALT_BYTES = 16
_json = msgspec.json.Encoder()


class Head(msgspec.Struct, frozen=True):
    """A place in the journal: a record and its hash."""

    id: int
    hash: str


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be recorded; id, prev and hash come when it is appended."""

    time: int
    """Microseconds since the epoch."""
    kind: str
    """A `Kind`; or what somebody put there who changed the journal, for the checks to find."""
    principal: str
    fingerprint: str
    auth: str
    """An `Auth`, likewise."""
    cluster: str
    verb: str
    targets_json: str = msgspec.field(name="targets")
    args_json: str = msgspec.field(name="args")
    result_json: str = msgspec.field(name="result")
    body: bytes = b""
    signature: bytes = b""
    intent: int = 0


class Record(Entry, frozen=True, kw_only=True):
    """A record as it is stored."""

    id: int
    prev: str
    hash: str

    @property
    def seconds(self) -> float:
        """When it was written, in seconds since the epoch."""
        return self.time / 1_000_000

    @property
    def targets(self) -> tuple[str, ...]:
        """The ids of the nodes, or the fingerprints of the keys, that it is about."""
        return msgspec.json.decode(self.targets_json, type=tuple[str, ...])

    @property
    def args(self) -> dict[str, Any]:
        """How it was asked for; `selectors` are the targets as they were written, `salt` means nothing."""
        return msgspec.json.decode(self.args_json, type=dict[str, Any])

    @property
    def result(self) -> Any:
        """What came of it."""
        return msgspec.json.decode(self.result_json)


class Deed(msgspec.Struct, frozen=True):
    """What was done: an intent with its outcome, or an event by itself."""

    record: Record
    """The intent or the event; the outcome itself where the intent is not at hand."""
    outcome: Record | None = None
    """What came of the intent; None while that is not known."""

    @property
    def id(self) -> int:
        """The record's id."""
        return self.record.id


def entry(
    time: float,
    kind: Kind,
    *,
    principal: str,
    auth: Auth,
    fingerprint: str = "",
    cluster: str = "",
    verb: str = "",
    targets: Sequence[str] = (),
    args: Mapping[str, object] | None = None,
    result: object = None,
    body: bytes = b"",
    signature: bytes = b"",
    intent: int = 0,
) -> Entry:
    """An entry from Python values; `time` in seconds since the epoch. Salted if it has no signature."""
    salt = {} if signature else {"salt": secrets.token_hex(_SALT_BYTES)}
    return Entry(
        time=round(time * 1_000_000),
        kind=kind,
        principal=_text(principal),
        fingerprint=fingerprint,
        auth=auth,
        cluster=_text(cluster),
        verb=_text(verb),
        targets_json=_json.encode([_text(target) for target in targets]).decode(),
        args_json=_json.encode({**(args or {}), **salt}).decode(),
        result_json=_json.encode(result).decode(),
        body=body,
        signature=signature,
        intent=intent,
    )


def outcome(time: float, intent: int, result: object) -> Entry:
    """The outcome of an intent. Who and what are the intent's: repeated, they could only differ."""
    return entry(time, "outcome", principal="", auth="airboss", result=result, intent=intent)


def _text(text: str) -> str:
    """Text that every database keeps as it is: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def hash_of(entry: Entry, id: int, prev: str) -> str:
    """The hash of a record with these contents at this place."""
    digest = hashlib.sha256(_PREAMBLE)
    for field in (
        str(id).encode(),
        str(entry.time).encode(),
        entry.kind.encode(),
        entry.principal.encode(),
        entry.fingerprint.encode(),
        entry.auth.encode(),
        entry.cluster.encode(),
        entry.verb.encode(),
        entry.targets_json.encode(),
        entry.args_json.encode(),
        entry.result_json.encode(),
        entry.body,
        entry.signature,
        str(entry.intent).encode(),
        prev.encode(),
    ):
        digest.update(b"%d:%b\n" % (len(field), field))
    return digest.hexdigest()
