"""Whether the journal is what was once written: its chain, its signatures, and what receipts bear witness of.

Whoever can write to the database can rewrite all of the chain, but not make a signer's signature; and not
reach the receipts, which the users keep. A signature covers the request's bytes: verb, cluster, the nodes as
the signer wrote them, arguments, and for which airboss and connection it was made. It does not cover the
principal's name, nor which UUIDs the nodes' names stood for: those are in the chain, and nothing else vouches
for them (see `UNSIGNED`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import msgspec
import sqlalchemy as sa

from keys import signers, sshsig
from keys.errors import KeysError
from pilot import wire
from pilot.agent import journal_chain as chain
from pilot.agent.database import Database
from pilot.agent.journal_chain import Head, Record
from pilot.agent.journal_read import pages
from pilot.agent.schema import journal
from pilot.errors import PilotError, UsageError
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


def verify_journal(
    database: Database,
    progress: Callable[[int], None] = lambda _count: None,
    *,
    airboss: Collection[str] | None = None,
) -> Report:
    """Recompute the whole chain, check every stored request, and compare the end with the head row.

    A second takes about 10,000 records that are signed and many more that are not.

    Args:
        database: the journal's.
        progress: told the number of records checked, every now and then.
        airboss: fingerprints of the host keys that the site has had: requests signed for another airboss are
            wrong. None if they are not known; then that is not checked.
    """
    # The end as of now: airboss goes on writing meanwhile.
    with database.read() as connection:
        end = chain.head(connection)
    head = Head(0, chain.FIRST)
    signed = 0
    requests = _Requests(airboss)
    for page in pages(database):
        for record in page:
            problem = _record_problem(record, head) or requests.problem(record)
            if problem:
                return Report(record.id - 1, signed, head, requests.open, record.id, problem)
            signed += record.kind == "intent" and record.auth == "signed"
            if record.id == end.id and record.hash != end.hash:
                problem = "it is not the record that the head row names as the last"
                return Report(head.id, signed, head, requests.open, record.id, problem)
            head = Head(record.id, record.hash)
        progress(head.id)
    if head.id < end.id:
        problem = f"records {head.id + 1} to {end.id} are missing: the head row knows of them"
        return Report(head.id, signed, head, requests.open, head.id + 1, problem)
    return Report(head.id, signed, head, requests.open)


def _record_problem(record: Record, before: Head) -> str:
    """What is wrong with a record that should follow this one; empty if nothing is."""
    if record.id != before.id + 1:
        missing = before.id + 1
        return f"record {missing} is missing" if record.id > missing else "its id is not the next one"
    if record.prev != before.hash:
        return "it does not name the hash of the record before"
    if record.hash != chain.hash_of(record, record.id, record.prev):
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
    except msgspec.MsgspecError:
        return "its args are not JSON"
    if args.pop("selectors", None) != list(request.targets):
        return "it names other targets than its signed request"
    verb = BY_ID.get(request.verb)
    try:
        meant = request.args if verb is None else verb.arguments(request.args)
    except PilotError as error:
        return f"its signed request's arguments do not fit {request.verb}: {error.message}"
    if args != meant:
        return f"it has other arguments than its signed request, with {request.verb}'s defaults"
    return ""


class Receipt(msgspec.Struct, frozen=True):
    """A line of a receipt file, as `pilot` keeps them."""

    body: str
    signature: str
    """Armored, or the blob in base64."""


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


def check_receipts(
    database: Database, receipts: Iterable[Receipt], airboss: Collection[str] | None
) -> list[tuple[int, str]]:
    """Compare receipts with the journal, whose chain was verified.

    Args:
        airboss: fingerprints of the host keys that may have signed them; None if they are not known.

    Returns:
        For each receipt its journal record and what is wrong; empty if nothing is.
    """
    return [_receipt_problem(database, receipt, airboss) for receipt in receipts]


def _receipt_problem(
    database: Database, receipt: Receipt, airboss: Collection[str] | None
) -> tuple[int, str]:
    raw = receipt.body.encode()
    try:
        text = receipt.signature
        blob = sshsig.dearmor(text) if text.startswith("-") else base64.b64decode(text, validate=True)
        signature = sshsig.parse(blob)
        sshsig.check(signature, raw, wire.RECEIPT_NAMESPACE)
        body = wire.decode_receipt(raw)
    except binascii.Error:
        return 0, "not a receipt: its signature is neither armored nor base64"
    except (KeysError, PilotError) as error:
        return 0, f"not a receipt: {error.message}"
    signer = sshsig.fingerprint(signature.public_blob)
    if signer != body.airboss or (airboss is not None and signer not in airboss):
        return body.journal_id, f"it is by another airboss, {signer}"
    with database.read() as connection:
        found = connection.execute(
            sa.select(journal.c.hash, journal.c.intent).where(journal.c.id == body.journal_id)
        ).first()
        asked = (
            found
            and connection.execute(sa.select(journal.c.body).where(journal.c.id == found.intent)).scalar()
        )
    if found is None:
        return body.journal_id, f"the journal has no record {body.journal_id}: its end was cut off"
    if found.hash != body.journal_head:
        return body.journal_id, f"record {body.journal_id} has another hash: the journal was rewritten"
    if wire.digest(bytes(asked or b"")) != body.request:
        return body.journal_id, f"record {body.journal_id} is the outcome of another request"
    return body.journal_id, ""
