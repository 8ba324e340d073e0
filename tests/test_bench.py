"""The benchmarks' table, and that a part of them runs. What the figures are is nobody's assertion."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench import table
from bench.result import Row, at_least, at_most_times, below, times_faster

ROOT = Path(__file__).parents[1]


def test_a_target_is_met_or_missed_at_its_bound() -> None:
    assert at_most_times("trip", 1.5, "ms", "bare", 1.0, 1.5).met
    assert not at_most_times("trip", 1.51, "ms", "bare", 1.0, 1.5).met
    assert times_faster("burst", 0.1, "s", "virsh", 1.0, 10).met
    assert not times_faster("burst", 0.11, "s", "virsh", 1.0, 10).met
    assert below("change", 19.9, "ms", 20).met
    assert not below("change", 20.0, "ms", 20).met
    assert at_least("journal", 2000, "records/s", 2000).met
    assert not at_least("journal", 1999, "records/s", 2000).met
    assert Row("start", 1.0, "s").met is None


def test_the_table_lines_up_and_says_what_was_missed() -> None:
    rows = [
        at_most_times("short", 3.0, "ms", "another", 1.0, 1.5),
        below("rather longer", 1234.5, "ms", 2000),
    ]
    lines = table.render(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "3.00 ms" in lines[2]
    assert "3.00x" in lines[2]
    assert "**missed**" in lines[2]
    assert "1,234 ms" in lines[3]
    assert "missed" not in lines[3]


def test_writing_replaces_what_is_between_the_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN.format('')}\nold\n{table.END}\nafter\n")
    for _ in range(2):
        table.write(page, [Row("start", 1.0, "s")], ["a note"])
        text = page.read_text()
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert text.count("| start") == 1
        assert "- a note" in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="has no lines"):
        table.write(page, [], [])


async def test_a_part_runs_and_prints_its_rows(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "journal", "--disk", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"| journal, concurrent requests" in out
    assert not list(tmp_path.iterdir())


async def test_an_unknown_part_is_refused() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "nothing"), stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 2
    assert b"no part is called nothing" in err
