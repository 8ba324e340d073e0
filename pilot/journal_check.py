"""Whether records of the journal are what was once written: chain, signatures, and the word of receipts.

Airboss's admins check the whole journal with this, clients what they may see of it. Whoever can write to the
database can rewrite all of the chain, but not make a signer's signature; and not reach the receipts, which
the users keep. A signature covers the request's bytes: verb, cluster, the nodes as the signer wrote them,
arguments, and for which airboss and connection it was made. It does not cover the principal's name, nor which
UUIDs the nodes' names stood for: those are in the chain, and nothing else vouches for them (see `UNSIGNED`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from pathlib import Path

import msgspec

from keys import signers, sshsig
from keys.errors import KeysError
from pilot import wire
from pilot.errors import PilotError, UsageError
from pilot.journal import FIRST, Head, Record, hash_of
from pilot.verbs import BY_ID

UNSIGNED = ("principal", "targets")
"""Fields of a signed request's record that its signature does not cover."""


class Report(msgspec.Struct, frozen=True):
    """What was found."""

    records: int
    """Records that were checked, up to the first that is broken."""
    signed: int
    """Among them, requests whose signature holds."""
    head: Head
    """The last record that is right."""
    open: int
    """Intents without an outcome, so far."""
    broken: int | None = None
    """Id of the first broken record; None if there is none."""
    problem: str = ""
    sealed: int = 0
    """Among `records`, those of which only the place and the hash are known here."""


class Checker:
    """Takes the records of a journal one after the other, from the first, until one is wrong."""

    def __init__(self, airboss: Collection[str] | None = None, end: Head | None = None) -> None:
        """`airboss`: fingerprints of the host keys that the site has had; requests signed for another airboss
        are wrong. None if they are not known; then that is not checked.

        `end`: where the journal is said to end.
        """
        self._end = end
        self._requests = _Requests(airboss)
        self._signed = 0
        self._sealed = 0
        self._broken: int | None = None
        self._problem = ""
        self.head = Head(0, FIRST)
        """The last record that is right."""

    def take(self, record: Record | Head) -> bool:
        """Check the next record, or the place of one that is sealed; whether all is right so far."""
        if self._broken is None:
            problem = self._misplaced(record)
            if not problem and isinstance(record, Record):
                problem = self._requests.problem(record)
            if not problem and self._end and record.id == self._end.id and record.hash != self._end.hash:
                problem = "it is not the record that the head row names as the last"
            if problem:
                self._broken, self._problem = record.id, problem
            else:
                self._count(record)
        return self._broken is None

    def report(self) -> Report:
        """What was found; nothing is to follow."""
        broken, problem, end = self._broken, self._problem, self._end
        if broken is None and end is not None and self.head.id < end.id:
            broken = self.head.id + 1
            problem = f"records {broken} to {end.id} are missing: the head row knows of them"
        return Report(
            self.head.id, self._signed, self.head, self._requests.open, broken, problem, self._sealed
        )

    def _count(self, record: Record | Head) -> None:
        self.head = Head(record.id, record.hash)
        if isinstance(record, Head):
            self._sealed += 1
        else:
            self._signed += record.kind == "intent" and record.auth == "signed"

    def _misplaced(self, record: Record | Head) -> str:
        """What is wrong with a record's place and hash; empty if nothing is."""
        if record.id != self.head.id + 1:
            missing = self.head.id + 1
            return f"record {missing} is missing" if record.id > missing else "its id is not the next one"
        if isinstance(record, Head):
            return ""
        if record.prev != self.head.hash:
            return "it does not name the hash of the record before"
        if record.hash != hash_of(record, record.id, record.prev):
            return "its contents were changed: they do not have its hash"
        return ""


class _Requests:
    """What was asked so far and what came of it: each request once, each with one outcome."""

    def __init__(self, airboss: Collection[str] | None) -> None:
        self._airboss = airboss
        self._asked: dict[bytes, int] = {}
        self._ended: dict[int, tuple[int, str] | None] = {}

    @property
    def open(self) -> int:
        """Intents without an outcome."""
        return sum(outcome is None for outcome in self._ended.values())

    def problem(self, record: Record) -> str:
        """What is wrong with a record after those before; empty if nothing is."""
        if record.kind == "intent":
            self._ended[record.id] = None
            return _request_problem(record, self._airboss) or self._repeated(record)
        if record.kind == "outcome":
            return self._outcome(record)
        return ""

    def _repeated(self, record: Record) -> str:
        if record.auth != "signed":
            return ""
        first = self._asked.setdefault(hashlib.sha256(record.body).digest(), record.id)
        return "" if first == record.id else f"its signed request is that of record {first}: a replay"

    def _outcome(self, record: Record) -> str:
        if record.intent not in self._ended:
            return f"it is the outcome of record {record.intent}, which is no intent before it"
        one = record.time, record.result_json
        # A commit whose answer was lost may have been made twice: the very same outcome is no second one.
        if self._ended[record.intent] not in (None, one):
            return f"record {record.intent} has another outcome already"
        self._ended[record.intent] = one
        return ""


def _request_problem(record: Record, airboss: Collection[str] | None) -> str:
    """What is wrong with an intent's request; empty if nothing is, or if it is not a signed one."""
    if record.auth != "signed":
        return "it has a signature but does not say that it is signed" if record.signature else ""
    try:
        signature = sshsig.parse(record.signature)
        sshsig.check(signature, record.body, wire.REQUEST_NAMESPACE)
        request = wire.decode_request(record.body)
    except KeysError as error:
        return f"its request's signature does not hold: {error.message}"
    except PilotError as error:
        return f"its request cannot be read: {error.message}"
    keys = {sshsig.fingerprint(signature.public_blob)}
    authority = signers.certificate_authority(signature.public_blob)
    if authority is not None:
        keys.add(sshsig.fingerprint(authority))
    if record.fingerprint not in keys:
        return f"it names key {record.fingerprint}, but {min(keys)} signed its request"
    if request.verb != record.verb:
        return f"it says {record.verb}, but its signed request says {request.verb}"
    if airboss is not None and request.airboss not in airboss:
        return f"its request was signed for another airboss, {wire.plain(request.airboss, 60)}"
    if request.cluster != record.cluster:
        return f"it says cluster {record.cluster}, but its signed request says {request.cluster}"
    try:
        args = record.args
    except (msgspec.MsgspecError, RecursionError):
        return "its args are not JSON"
    if args.pop("selectors", None) != list(request.targets):
        return "it names other targets than its signed request"
    verb = BY_ID.get(request.verb)
    try:
        meant = request.args if verb is None else verb.arguments(request.args)
    except PilotError as error:
        return f"its signed request's arguments do not fit {request.verb}: {error.message}"
    # What has come to the verb since is neither recorded nor signed: it had no other meaning then.
    then = {name: value for name, value in meant.items() if name in args or name in request.args}
    if args != then:
        return f"it has other arguments than its signed request, with {request.verb}'s defaults"
    return ""


class Receipt(msgspec.Struct, frozen=True):
    """A line of a receipt file, as `pilot` keeps them."""

    body: str
    signature: str
    """Armored, or the blob in base64."""
    request: str = ""
    """The request's signed bytes, where the file has them."""


class Witness(msgspec.Struct, frozen=True):
    """What a receipt says of the journal."""

    id: int
    """The record of the outcome; 0 if that cannot be read."""
    hash: str = ""
    request: str = ""
    """Digest of the request."""
    airboss: str = ""
    """Fingerprint of the key that signed it."""
    cluster: str = ""
    """The request's cluster, where the file has the request; else empty."""
    problem: str = ""
    """Why it is no receipt, or not by the airboss that is meant; empty if it is one."""


class Found(msgspec.Struct, frozen=True):
    """The record that a receipt names, as the journal has it."""

    hash: str
    request: str | None
    """Digest of the request whose outcome it is; None if the record is sealed."""


def read_receipts(path: Path) -> list[Receipt]:
    """The receipts in a file: a JSON object a line.

    Raises:
        UsageError: it cannot be read, or a line is no receipt.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    receipts = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                receipts.append(msgspec.json.decode(line, type=Receipt))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise UsageError(
                    f"{path}, line {number}: not a receipt: {error}",
                    'A line is a JSON object with "body" and "signature".',
                ) from None
    if not receipts:
        raise UsageError(f"{path}: there is no receipt in it")
    return receipts


def witness(receipt: Receipt, airboss: Collection[str] | None) -> Witness:
    """What a receipt says, once its signature is found to hold.

    `airboss`: fingerprints of the host keys that may have signed it; None if they are not known.
    """
    raw = receipt.body.encode()
    try:
        text = receipt.signature
        blob = sshsig.dearmor(text) if text.startswith("-") else base64.b64decode(text, validate=True)
        signature = sshsig.parse(blob)
        sshsig.check(signature, raw, wire.RECEIPT_NAMESPACE)
        body = wire.decode_receipt(raw)
    except binascii.Error:
        return Witness(0, problem="not a receipt: its signature is neither armored nor base64")
    except (KeysError, PilotError) as error:
        return Witness(0, problem=f"not a receipt: {error.message}")
    signer = sshsig.fingerprint(signature.public_blob)
    foreign = signer != body.airboss or (airboss is not None and signer not in airboss)
    return Witness(
        body.journal_id,
        body.journal_head,
        body.request,
        signer,
        _cluster_of(receipt.request, body.request),
        f"it is by another airboss, {signer}" if foreign else "",
    )


def compare(told: Witness, found: Found | None) -> str:
    """What is wrong with the record that a receipt names, None if there is none; empty if nothing is."""
    if told.problem:
        return told.problem
    if found is None:
        return f"the journal has no record {told.id}: its end was cut off"
    if found.hash != told.hash:
        return f"record {told.id} has another hash: the journal was rewritten"
    if found.request not in (None, told.request):
        return f"record {told.id} is the outcome of another request"
    return ""


def _cluster_of(request: str, digest: str) -> str:
    """The cluster of the request that a receipt is about, if this is that request."""
    raw = request.encode()
    if not raw or wire.digest(raw) != digest:
        return ""
    try:
        return wire.decode_request(raw).cluster
    except PilotError:
        return ""
