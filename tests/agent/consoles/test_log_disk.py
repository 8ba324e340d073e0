"""Consoles' logs on disks that are full, or that hang: nobody is held up, and nothing but the log suffers."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilot.agent.consoles import log as log_module
from pilot.agent.consoles import log_writer
from pilot.agent.consoles.log_reader import LogReader, Query
from tests.agent.consoles.lines import Lines, longest_stall
from tests.agent.consoles.place import MakeReader, living, stuck_disk, turn_on
from tests.support.waiting import until


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, timeout=10
    )
    if mounted.returncode != 0:
        pytest.skip("NOT TESTED: a full disk needs root to mount a small one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


def fill(path: Path) -> None:
    """Until nothing fits any more."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


async def test_a_full_disk_is_said_once_costs_nothing_and_is_forgiven(
    small_disk: Path,
    lines: Lines,
    reader: MakeReader,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(log_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(log_module, "LONGEST_PAUSE", 0.05)
    caplog.set_level("INFO")
    async with living(small_disk / "c", lines) as place:
        await turn_on(place, lines)
        seen = reader(await place.attach())
        await lines["a"].print(b"before\r\n")
        assert b"before" in await place.read(text=b"before")
        ballast = small_disk / "ballast"
        fill(ballast)
        for _ in range(64):
            await lines["a"].print(b"in vain " * 1024)
        notice = await seen.told("the console's log cannot be written now (No space left on device)")
        assert notice.what == "host"
        await until(lambda: seen.output.count(b"in vain") >= 64 * 1024, 20, "it is shown all the same")
        log = place.hub.log("a")
        assert log is not None
        await until(lambda: log.waiting == 0, 20, "nothing is kept in memory")
        ballast.unlink()

        async def again() -> bool:
            await lines["a"].print(b"afterwards\r\n")
            return b"afterwards" in await place.read(text=b"afterwards")

        await until(again, 20, "it is written again", every=0.1)
        await seen.told("the console's log is written again; it has a gap")
        plan = LogReader(log.folder).plan(Query(1_000_000), log.on_disk)
        first = LogReader(log.folder).read(plan.start, plan.end)
        assert b"before\r\n" in [line.data for line in first.lines]
        assert LogReader(log.folder).read(first.upto, plan.end).gap
    said = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert "No space left on device" in said[0].getMessage()
    assert "what consoles print is logged again" in caplog.text


async def test_a_disk_that_hangs_holds_nobody_up_and_the_queue_is_bounded(
    tmp_path: Path, lines: Lines, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "MOST_OF_ONE", 256 * 1024)
    async with living(tmp_path / "c", lines) as place:
        await turn_on(place, lines)
        await place.read()
        with stuck_disk() as hanging:
            await lines["a"].print(b"now\r\n")
            await until(hanging.is_set, 20, "the writer is stuck")
            seen = reader(await place.attach())
            with longest_stall() as stall:
                for _ in range(100):
                    await lines["a"].print(b"flood " * 1400)
                await until(lambda: seen.output.count(b"flood") >= 100_000, 30)
            assert stall[0] < 2
            log = place.hub.log("a")
            assert log is not None
            assert log.waiting <= 256 * 1024
        await until(lambda: log.waiting == 0, 20, "it has caught up")
        await lines["a"].print(b"the end\r\n")
        text = await place.read(text=b"the end")
        assert b"the end" in text
        assert 0 < text.count(b"flood") < 100_000, "what did not fit is a gap"
