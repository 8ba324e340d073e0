"""The journal as a list: joined, bounded, through losses; and what contradicts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pilot import wire
from pilot.errors import RefusedError, StorageError, UsageError, WireError
from pilot.live import journal_verify
from pilot.live.journal import JournalView, receipts_in
from pilot.live.journal_verify import verify
from tests.live.journals import Source, asked, chained, ended
from tests.support.waiting import until


@asynccontextmanager
async def viewed(source: Source, first: int = 100, kept: int = 1000) -> AsyncIterator[JournalView]:
    view = JournalView(source, "vc1", first=first, kept=kept)
    running = asyncio.create_task(view.run())
    try:
        await until(lambda: view.state != "reading" or running.done(), 5)
        yield view
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def shape(view: JournalView) -> list[tuple[int, int | None]]:
    """Ids of records and of their outcomes."""
    return [(deed.record.id, deed.outcome.id if deed.outcome else None) for deed in view.deeds]


async def lost(source: Source, view: JournalView) -> None:
    """The link is gone, and the view knows."""
    source.lose()
    await until(lambda: view.state == "lost", 2)


async def test_intents_are_joined_with_their_outcomes_whenever_those_come() -> None:
    source = Source([asked(), asked(), ended(2, "done"), asked("airboss.recover", kind="event")])
    async with viewed(source) as view:
        told: list[int] = []
        view.changed.listen(lambda: told.append(len(view.deeds)))
        assert shape(view) == [(1, None), (2, 3), (4, None)]
        assert view.whole
        second = view.deeds[1]
        source.append(ended(1, "failed"))
        await until(lambda: told, 2)
        assert shape(view) == [(1, 5), (2, 3), (4, None)]
        assert view.deeds[1] is second, "what did not change is the same object"
        assert view.names == {"uuid-0": "compute-0-0"}


async def test_an_outcome_is_shown_by_itself_until_its_intent_is_read() -> None:
    source = Source([asked(), asked(), ended(1, "done"), ended(2, "done"), asked(), asked()])
    async with viewed(source, first=4) as view:
        assert shape(view) == [(3, None), (4, None), (5, None), (6, None)]
        assert not await view.load_older()
        assert shape(view) == [(1, 3), (2, 4), (5, None), (6, None)]
        before = len(source.asked)
        assert not await view.load_older()
        assert len(source.asked) == before, "nothing older is asked for once all is here"


async def test_older_ones_are_read_part_by_part() -> None:
    source = Source([asked() for _ in range(20)])
    async with viewed(source, first=5) as view:
        assert await view.load_older(10)
        assert [deed.id for deed in view.deeds] == list(range(6, 21))
        assert not await view.load_older(10)
        assert len(view.deeds) == 20


async def test_what_is_kept_is_bounded_and_outcomes_go_with_their_intents() -> None:
    source = Source([asked(), ended(1, "done"), asked(), ended(3, "done")])
    async with viewed(source, kept=5) as view:
        source.append(asked(), asked())
        await until(lambda: view.deeds[-1].id == 6, 2)
        assert shape(view) == [(3, 4), (5, None), (6, None)]
        assert not view.whole


async def test_after_a_loss_it_goes_on_where_it_was() -> None:
    source = Source([asked() for _ in range(4)])
    async with viewed(source, first=3) as view:
        await view.load_older()
        await lost(source, view)
        assert len(view.deeds) == 4, "what was known stays"
        source.entries += [asked(), asked()]
        source.records = chained(source.entries)
        source.regain()
        await until(lambda: view.state == "live", 5)
        assert [deed.id for deed in view.deeds] == [1, 2, 3, 4, 5, 6]
        assert view.whole
        assert not view.problem


async def test_what_was_missed_altogether_leaves_no_gap_unseen() -> None:
    source = Source([asked() for _ in range(4)])
    async with viewed(source, first=3) as view:
        await lost(source, view)
        source.entries += [asked() for _ in range(10)]
        source.records = chained(source.entries)
        source.regain()
        await until(lambda: view.state == "live", 5)
        assert [deed.id for deed in view.deeds] == [12, 13, 14]
        assert not view.whole


async def test_a_record_that_is_another_than_before_is_said() -> None:
    source = Source([asked() for _ in range(4)])
    async with viewed(source) as view:
        await lost(source, view)
        source.entries[2] = asked("power.off")
        source.records = chained(source.entries)
        source.regain()
        await until(lambda: view.problem, 5)
        assert "record 3 had another hash before" in view.problem


async def test_a_refusal_ends_it_until_somebody_says_to_try_again() -> None:
    source = Source([asked()])
    source.refuse = RefusedError("not yours")
    async with viewed(source) as view:
        assert (view.state, view.error) == ("refused", source.refuse)
        asks = len(source.asked)
        source.regain()
        await asyncio.sleep(0)
        assert len(source.asked) == asks
        source.refuse = None
        view.retry()
        await until(lambda: view.state == "live", 5)
        assert len(view.deeds) == 1
        source.tell(StorageError("it was cut"))
        await until(lambda: view.state == "refused", 5)
        assert len(view.deeds) == 1


async def test_streams_are_closed_with_the_view() -> None:
    source = Source([asked()])
    async with viewed(source):
        assert source.followers == 1
    await until(lambda: source.followers == 0, 2)


# --- verify --------------------------------------------------------------------------------------


def story() -> Source:
    """Twelve records, every third of them hidden."""
    entries = []
    for number in range(1, 13):
        entries.append(asked("x", "hidden" if number % 3 == 0 else "vc1", kind="event", at=number))
    return Source(entries)


async def test_pages_are_asked_for_from_the_oldest_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_verify, "PAGE", 5)
    source = story()
    found = await verify(source, "vc1", airboss={"SHA256:a"})
    assert found.ok
    assert (found.report.records, found.report.sealed) == (12, 4)
    assert [(a["last"], a["before"]) for a in source.asked] == [(0, 0), (5, 6), (5, 11), (2, 13)]


@pytest.mark.parametrize("gone", range(1, 13))
async def test_a_record_that_is_not_sent_is_missed(gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_verify, "PAGE", 4)
    source = story()
    head = source.head()
    monkeypatch.setattr(source, "head", lambda: head)
    del source.records[gone - 1]
    found = await verify(source, "vc1", airboss={"SHA256:a"})
    assert found.report.broken is not None
    assert found.report.records == gone - 1
    assert "missing" in found.report.problem or "not the next one" in found.report.problem


async def test_an_airboss_that_does_not_say_where_it_ends_is_not_believed() -> None:
    source = story()

    async def mute(cluster: str, **how: object):  # type: ignore[no-untyped-def]
        yield wire.JournalPage()

    source.journal = mute  # type: ignore[method-assign]
    with pytest.raises(WireError):
        await verify(source, "vc1", airboss=set())


async def test_an_empty_journal_is_right() -> None:
    found = await verify(Source([]), "vc1", airboss=set())
    assert found.ok
    assert found.report.records == 0


async def test_a_view_checks_what_it_has_shown(tmp_path: Path) -> None:
    source = story()
    async with viewed(source) as view:
        assert (await view.verify({"SHA256:a"}, tmp_path / "none")).ok
        source.entries[4] = asked("y", kind="event")
        source.records = chained(source.entries)
        found = await view.verify({"SHA256:a"}, tmp_path / "none")
        assert found.report.broken is None
        assert [id for id, _ in found.contradicted] == [5, 7, 8, 10, 11]


def test_no_receipts_are_no_error_but_a_file_that_is_none_is(tmp_path: Path) -> None:
    file = tmp_path / "receipts.jsonl"
    assert receipts_in(file) == []
    file.write_bytes(b"")
    assert receipts_in(file) == []
    file.write_bytes(b"x\n")
    with pytest.raises(UsageError, match="line 1"):
        receipts_in(file)
