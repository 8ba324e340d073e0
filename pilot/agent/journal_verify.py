"""Whether the journal is what was once written: its chain, its signatures, and what receipts bear witness of.

Whoever can write to the database can rewrite all of the chain, but not make a signer's signature; and not
reach the receipts, which the users keep.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
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


def verify_journal(database: Database, progress: Callable[[int], None] = lambda _count: None) -> Report:
    """Recompute the whole chain, check every stored request, and compare the end with the head row.

    `progress` is told the number of records checked, every now and then. A second takes about 10,000
    records that are signed and many more that are not.
    """
    # The end as of now: airboss goes on writing meanwhile.
    with database.read() as connection:
        end = chain.head(connection)
    head = Head(0, chain.FIRST)
    signed = 0
    intents: set[int] = set()
    for page in pages(database):
        for record in page:
            problem = _record_problem(record, head, intents)
            if problem:
                return Report(record.id - 1, signed, head, len(intents), record.id, problem)
            signed += record.kind == "intent" and record.auth == "signed"
            if record.id == end.id and record.hash != end.hash:
                problem = "it is not the record that the head row names as the last"
                return Report(head.id, signed, head, len(intents), record.id, problem)
            head = Head(record.id, record.hash)
        progress(head.id)
    if head.id < end.id:
        problem = f"records {head.id + 1} to {end.id} are missing: the head row knows of them"
        return Report(head.id, signed, head, len(intents), head.id + 1, problem)
    return Report(head.id, signed, head, len(intents))


def _record_problem(record: Record, before: Head, intents: set[int]) -> str:
    """What is wrong with a record that should follow this one; empty if nothing is."""
    if record.id != before.id + 1:
        missing = before.id + 1
        return f"record {missing} is missing" if record.id > missing else "its id is not the next one"
    if record.prev != before.hash:
        return "it does not name the hash of the record before"
    if record.hash != chain.hash_of(record, record.id, record.prev):
        return "its contents were changed: they do not have its hash"
    if record.kind == "intent":
        intents.add(record.id)
        return _request_problem(record)
    if record.kind == "outcome":
        if not 0 < record.intent < record.id:
            return f"it is the outcome of record {record.intent}, which does not come before it"
        intents.discard(record.intent)
    return ""


def _request_problem(record: Record) -> str:
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
    if request.cluster and request.cluster != record.cluster:
        return f"it says cluster {record.cluster}, but its signed request says {request.cluster}"
    try:
        selectors = record.args.get("selectors")
    except msgspec.MsgspecError:
        return "its args are not JSON"
    if selectors is not None and selectors != list(request.targets):
        return "it names other targets than its signed request"
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
    database: Database, receipts: Iterable[Receipt], airboss: str | None
) -> list[tuple[int, str]]:
    """Compare receipts with the journal, whose chain was verified.

    Args:
        airboss: fingerprint of the host key that must have signed them; None if it is not known.

    Returns:
        For each receipt its journal record and what is wrong; empty if nothing is.
    """
    return [_receipt_problem(database, receipt, airboss) for receipt in receipts]


def _receipt_problem(database: Database, receipt: Receipt, airboss: str | None) -> tuple[int, str]:
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
    if signer != body.airboss or (airboss is not None and signer != airboss):
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
