"""Whatever is changed in the journal behind airboss's back is found, at the first record that is wrong."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys import sshsig
from pilot import journal as shared
from pilot import wire
from pilot.agent import journal_chain, schema
from pilot.agent.database import Database
from pilot.agent.journal import Journal
from pilot.agent.journal_read import read
from pilot.agent.journal_verify import check_receipts, verify_journal
from pilot.errors import UsageError
from pilot.journal import Head
from pilot.journal_check import Receipt, Report, read_receipts
from pilot.verbs import Value
from tests.agent.journals import (
    FINGERPRINT,
    KEY,
    RESULT,
    append_intent,
    append_pair,
    open_database,
    signed_body,
)

HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
AIRBOSS = sshsig.fingerprint(HOST_KEY.public_data)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Three requests with their outcomes, and an event: records 1 to 7."""
    database = open_database(tmp_path)

    async def fill() -> None:
        journal = Journal(database)
        for seq in range(1, 4):
            await append_pair(journal, seq)
        await journal.event(actor="root", auth="admin", verb="key.add", cluster="vi-1")
        await journal.close()

    asyncio.run(fill())
    yield database
    database.close()


def _set(database: Database, id: int, **values: object) -> None:
    with database.write() as connection:
        connection.execute(schema.journal.update().where(schema.journal.c.id == id).values(**values))


def _rehash(database: Database, start: int) -> None:
    """What somebody who knows the format does after a change: make the chain fit again."""
    with database.write() as connection:
        records = [
            journal_chain.record(row)
            for row in connection.execute(sa.select(schema.journal).order_by(schema.journal.c.id)).mappings()
        ]
        prev = records[start - 2].hash if start > 1 else shared.FIRST
        for record in records[start - 1 :]:
            hash = shared.hash_of(record, record.id, prev)
            connection.execute(
                schema.journal.update().where(schema.journal.c.id == record.id).values(prev=prev, hash=hash)
            )
            prev = hash
        connection.execute(schema.journal_head.update().values(last=records[-1].id, hash=prev))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.data())
def test_any_change_of_any_field_is_found_where_it_is(database: Database, data: st.DataObject) -> None:
    id = data.draw(st.integers(1, 7))
    name = data.draw(st.sampled_from([c.name for c in schema.journal.c if c.name != "id"]))
    record = read(database, after=id - 1, limit=1)[0]
    old = getattr(record, f"{name}_json", None) or getattr(record, name)
    if isinstance(old, bytes):
        new: object = data.draw(st.binary(max_size=400).filter(lambda value: value != old))
    elif isinstance(old, str):
        new = data.draw(st.text(max_size=80).filter(lambda value: value != old and "\0" not in value))
    else:
        new = data.draw(st.integers(0, 2**62).filter(lambda value: value != old))
    _set(database, id, **{name: new})
    try:
        report = verify_journal(database)
        assert report.broken == id
        assert report.records == id - 1
        assert report.problem
    finally:
        _set(database, id, **{name: old})
    assert verify_journal(database).broken is None


def test_a_record_taken_out_is_found(database: Database) -> None:
    with database.write() as connection:
        connection.execute(schema.journal.delete().where(schema.journal.c.id == 4))
    report = verify_journal(database)
    assert report.problem == "record 4 is missing"


def test_a_tail_cut_off_is_found_by_the_head_row(database: Database) -> None:
    with database.write() as connection:
        connection.execute(schema.journal.delete().where(schema.journal.c.id > 5))
    report = verify_journal(database)
    assert (report.broken, report.problem) == (6, "records 6 to 7 are missing: the head row knows of them")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"verb": "power.off"}, "it says power.off, but its signed request says power.on"),
        ({"cluster": "vi-2"}, "it says cluster vi-2, but its signed request says vi-1"),
        ({"args": '{"selectors":["frontend"]}'}, "it names other targets than its signed request"),
        ({"fingerprint": "SHA256:x"}, "it names key SHA256:x, but "),
        ({"body": signed_body(1, "power.off")}, "its request's signature does not hold"),
        ({"signature": b""}, "its request's signature does not hold"),
        (
            {"signature": sshsig.make(KEY, signed_body(2), wire.RECEIPT_NAMESPACE)},
            "its request's signature does not hold: the signature is for namespace",
        ),
        ({"args": '{"selectors":["compute-0-0"],"then":"off"}'}, "it has other arguments than its signed"),
        ({"args": "{}"}, "it names other targets than its signed request"),
        ({"cluster": ""}, "it says cluster , but"),
        ({"auth": "ssh"}, "it has a signature but does not say that it is signed"),
    ],
)
def test_a_forger_who_mends_the_chain_cannot_sign(
    database: Database, values: dict[str, object], problem: str
) -> None:
    _set(database, 3, **values)
    _rehash(database, 3)
    report = verify_journal(database)
    assert report.broken == 3
    assert problem in report.problem


def _append(database: Database, *entries: shared.Entry) -> Report:
    with database.write() as connection:
        journal_chain.append(connection, entries)
    return verify_journal(database, airboss={"SHA256:airboss"})


def test_a_request_counts_once_and_for_one_airboss(database: Database) -> None:
    assert verify_journal(database, airboss={"SHA256:airboss", "SHA256:old"}).broken is None
    report = verify_journal(database, airboss={"SHA256:other"})
    assert report.broken == 1
    assert report.problem == "its request was signed for another airboss, SHA256:airboss"
    again = read(database)[2]
    report = _append(database, again)
    assert report.broken == 8
    assert report.problem == "its signed request is that of record 3: a replay"


def test_an_intent_has_one_outcome_which_comes_after_it(database: Database) -> None:
    first = read(database)[1]
    assert (
        _append(database, first).broken is None
    )  # the same, written twice: the first commit's answer was lost
    assert _append(database, shared.outcome(9.0, 1, [])).problem == "record 1 has another outcome already"


@pytest.mark.parametrize("intent", [0, 2, 7, 8, 9])
def test_an_outcome_is_of_an_intent(database: Database, intent: int) -> None:
    report = _append(database, shared.outcome(9.0, intent, []))
    assert report.broken == 8
    assert report.problem == f"it is the outcome of record {intent}, which is no intent before it"


async def test_defaults_are_part_of_what_was_asked(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    journal = Journal(database)
    cases: list[tuple[int, dict[str, object], dict[str, Value]]] = [
        (1, {"grace": 60.0, "then": "leave"}, {}),
        (2, {"grace": 9.0, "then": "leave"}, {"grace": 9}),
        (3, {"grace": 60.0, "then": "off"}, {}),
    ]
    for seq, args, signed in cases:
        body = wire.encode_body(
            wire.RequestBody(1, "SHA256:a", "00", seq, 1.0, "power.shutdown", "vi-1", ("n",), signed)
        )
        await journal.intent(
            actor="a", fingerprint=FINGERPRINT, auth="signed", cluster="vi-1", verb="power.shutdown",
            args={**args, "selectors": ["n"]}, body=body,
            signature=sshsig.make(KEY, body, wire.REQUEST_NAMESPACE),
        )  # fmt: skip
    await journal.close()
    report = verify_journal(database)
    assert report.broken == 3
    assert report.problem == "it has other arguments than its signed request, with power.shutdown's defaults"
    database.close()


def test_the_hash_is_as_its_documentation_says(database: Database) -> None:
    """An independent reading of the words in pilot.journal's docstring."""
    with database.read() as connection:
        row = dict(connection.exec_driver_sql("SELECT * FROM journal WHERE id = 3").mappings().one())
    names = (
        "id time kind principal fingerprint auth cluster verb targets args result body signature intent prev"
    )
    data = b"rocks-pilot journal 1\n"
    for name in names.split():
        value = row[name]
        field = value if isinstance(value, bytes) else str(value).encode()
        data += str(len(field)).encode() + b":" + field + b"\n"
    assert hashlib.sha256(data).hexdigest() == row["hash"]


def test_the_hash_of_what_is_not_signed_tells_nothing_to_who_guesses(database: Database) -> None:
    one, other = (shared.outcome(9.0, 1, RESULT) for _ in range(2))
    assert shared.hash_of(one, 2, shared.FIRST) != shared.hash_of(other, 2, shared.FIRST)
    assert [("salt" in record.args, record.signature != b"") for record in read(database)] == [
        (False, True),
        (True, False),
    ] * 3 + [(True, False)]


def test_stock_ssh_keygen_takes_a_stored_request(database: Database, tmp_path: Path) -> None:
    record = read(database)[0]
    (tmp_path / "allowed").write_text("owner@vi-1 " + KEY.export_public_key().decode())
    (tmp_path / "sig").write_text(sshsig.armor(record.signature))
    checked = subprocess.run(
        [
            "ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed", "-I", record.principal,
            "-n", wire.REQUEST_NAMESPACE, "-s", tmp_path / "sig",
        ],
        input=record.body, capture_output=True, timeout=10,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert FINGERPRINT.encode() in checked.stdout


def _receipt(head: Head, request: bytes, key: asyncssh.SSHKey = HOST_KEY, armored: bool = True) -> Receipt:
    body = wire.encode_body(
        wire.ReceiptBody(
            1, sshsig.fingerprint(key.public_data), wire.digest(request), (), head.id, head.hash, 1.0
        )
    )
    blob = sshsig.make(key, body, wire.RECEIPT_NAMESPACE)
    return Receipt(body.decode(), sshsig.armor(blob) if armored else base64.b64encode(blob).decode())


def test_receipts_bear_witness(database: Database, tmp_path: Path) -> None:
    outcome = read(database)[5]
    good = _receipt(Head(6, outcome.hash), signed_body(3))
    file = tmp_path / "receipts"
    plain = _receipt(Head(6, outcome.hash), signed_body(3), armored=False)
    file.write_bytes(msgspec.json.encode(good) + b"\n\n" + msgspec.json.encode(plain) + b"\n")
    assert check_receipts(database, read_receipts(file), {AIRBOSS}) == [(6, ""), (6, "")]

    def problem(receipt: Receipt, airboss: str = AIRBOSS) -> str:
        return check_receipts(database, [receipt], {airboss})[0][1]

    assert "not a receipt" in problem(Receipt(good.body.replace("SHA256", "SHA255"), good.signature))
    assert "neither armored nor base64" in problem(Receipt(good.body, "?"))
    assert "by another airboss" in problem(_receipt(Head(6, outcome.hash), signed_body(3), KEY))
    assert "by another airboss" in problem(good, "SHA256:other")
    assert "another request" in problem(_receipt(Head(6, outcome.hash), signed_body(2)))
    assert "was rewritten" in problem(_receipt(Head(6, "0" * 64), signed_body(3)))

    # The whole end cut off, head row and all: only the receipt knows.
    with database.write() as connection:
        connection.execute(schema.journal.delete().where(schema.journal.c.id > 4))
        connection.execute(schema.journal_head.update().values(last=4, hash=read(database)[3].hash))
    assert verify_journal(database).broken is None
    assert problem(good) == "the journal has no record 6: its end was cut off"


def test_receipt_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "receipts"
    for content, message in [(b"\n", "no receipt in it"), (b'{"body":"x","signature":""}\nx\n', "line 2")]:
        file.write_bytes(content)
        with pytest.raises(UsageError, match=message):
            read_receipts(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_receipts(tmp_path / "none")


async def test_an_open_intent_is_counted(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    journal = Journal(database)
    await append_intent(journal)
    await journal.close()
    assert verify_journal(database).open == 1
    database.close()
