"""The checks that both sides share: a change of what is seen is found, wherever the rest is sealed."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.journal import Entry, Head, Record
from pilot.journal_check import Checker, Report
from tests.live.journals import asked, chained, ended

LENGTH = 8
RECORDS = chained(
    [asked("power.on"), ended(1, "done"), *(asked("x", kind="event") for _ in range(LENGTH - 2))]
)
FIELDS = [name for name in Record.__struct_fields__ if name not in ("id", "body", "signature")]


def check(records: list[Record], sealed: set[int], end: Head | None = None) -> Report:
    checker = Checker(None, end)
    for record in records:
        checker.take(Head(record.id, record.hash) if record.id in sealed else record)
    return checker.report()


sealings = st.sets(st.integers(1, LENGTH)).filter(lambda sealed: not (1 in sealed and 2 not in sealed))
"""An intent is sealed with its outcome."""


@given(sealings)
def test_what_is_right_is_right_however_much_of_it_is_sealed(sealed: set[int]) -> None:
    report = check(RECORDS, sealed, Head(LENGTH, RECORDS[-1].hash))
    assert (report.broken, report.records, report.sealed) == (None, LENGTH, len(sealed))


@given(sealings, st.data())
def test_a_change_of_what_is_seen_is_found_there(sealed: set[int], data: st.DataObject) -> None:
    seen = sorted(set(range(1, LENGTH + 1)) - sealed)
    if not seen:
        return
    id = data.draw(st.sampled_from(seen))
    name = data.draw(st.sampled_from(FIELDS))
    old = getattr(RECORDS[id - 1], name)
    new = data.draw((st.integers(0, 2**62) if isinstance(old, int) else st.text()).filter(lambda v: v != old))
    records = list(RECORDS)
    records[id - 1] = msgspec.structs.replace(records[id - 1], **{name: new})
    assert check(records, sealed).broken == id


@given(sealings, st.integers(1, LENGTH))
def test_a_hash_of_what_is_sealed_is_found_at_the_next_that_is_seen(sealed: set[int], id: int) -> None:
    sealed = sealed | {id}
    records = list(RECORDS)
    records[id - 1] = msgspec.structs.replace(records[id - 1], hash="0" * 64)
    report = check(records, sealed, Head(LENGTH, RECORDS[-1].hash))
    if id + 1 in sealed:
        # Between two that are sealed nobody can tell, who does not see either.
        assert report.broken is None
    elif id == LENGTH:
        assert "the head row names" in report.problem
    else:
        assert report.broken == id + 1


@given(sealings, st.integers(1, LENGTH))
def test_a_record_that_is_missing_is_found(sealed: set[int], id: int) -> None:
    records = [record for record in RECORDS if record.id != id]
    report = check(records, sealed, Head(LENGTH, RECORDS[-1].hash))
    assert (report.records, "missing" in report.problem) == (id - 1, True)


@given(st.permutations(range(LENGTH)))
def test_another_order_is_found(order: list[int]) -> None:
    report = check([RECORDS[at] for at in order], set())
    assert (report.broken is None) == (order == list(range(LENGTH)))


def test_a_record_is_its_entry_at_a_place() -> None:
    assert set(Record.__struct_fields__) == {*Entry.__struct_fields__, "id", "prev", "hash"}
