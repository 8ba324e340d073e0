"""Consoles and their logs: nothing is lost over a restart, and what is no more needed goes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from pilot.agent.consoles import log_folders
from pilot.agent.consoles.log_reader import LogReader, Query
from pilot.agent.settings import ConsoleLogSettings
from tests.agent.consoles.lines import Lines, node
from tests.agent.consoles.place import MakeReader, living, restart, turn_on
from tests.support.waiting import until

LATER = 4102444800.0
"""Later than what the files themselves tell: they are of today."""


async def test_a_restart_forgets_nothing_and_says_how_long_it_was_away(
    tmp_path: Path, lines: Lines, reader: MakeReader
) -> None:
    async with living(tmp_path / "c", lines, lambda: LATER) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"booting\r\nlogin: ")
        first = reader(await place.attach())
        await first.sees("login: ")
        end = first.viewer.attached.start + len(first.output)
    restart(lines)
    async with living(tmp_path / "c", lines, lambda: LATER + 600) as place:
        place.hub.node_changed(node("on"))
        await until(lambda: lines["a"].held, 20, "it is held again")
        await lines["a"].print(b"and on\r\n")
        again = reader(await place.attach())
        await again.sees("and on")
        text = again.output.decode()
        assert text.index("turned on") < text.index("login: ") < text.index("airboss was not there")
        assert "airboss was not there from 2100-01-01T00:00:00Z to 2100-01-01T00:10:00Z" in text
        assert again.viewer.attached.start == 0
        assert len(again.output) > end
        assert again.output[:end] == first.output, "offsets go on"
        assert (await place.read()).decode() == text


async def test_only_the_end_of_a_long_log_is_put_into_the_ring(tmp_path: Path, lines: Lines) -> None:
    line = b"0123456789abcdef" * 4 + b"\n"
    async with living(tmp_path / "c", lines) as place:
        await turn_on(place, lines)
        for _ in range(60):
            await lines["a"].print(line * 500)
        console = place.hub._consoles["a"]
        await until(lambda: console.ring.end > 60 * 500 * len(line), 20, "it has printed all")
        end = console.ring.end
    async with living(tmp_path / "c", lines) as place:
        place.hub.node_changed(node("off"))
        viewer = await place.attach()
        assert viewer.attached.oldest == 0
        assert 900_000 < end - viewer.attached.start <= 1024 * 1024
        frames = await viewer.next_frames()
        assert frames, "a line's beginning"
        output = b"".join(frame.data for frame in frames if hasattr(frame, "data"))
        assert output.removeprefix(viewer._desk.ring.entry().prelude).startswith(b"0123456789abcdef")


async def test_nobody_reads_a_log_before_somebody_looks(tmp_path: Path, lines: Lines) -> None:
    async with living(tmp_path / "c", lines) as place:
        for number in range(50):
            await turn_on(place, lines, f"n{number}")
            await lines[f"n{number}"].print(b"x" * 100_000)
        console = place.hub._consoles["n49"]
        await until(lambda: console.ring.end > 100_000, 20, "all have printed")
    async with living(tmp_path / "c", lines) as place:
        for number in range(50):
            place.hub.node_changed(node("on", f"n{number}"))
        held = [console.ring.end - console.ring.start for console in place.hub._consoles.values()]
        assert len(held) == 50
        assert max(held) < 1000
        await place.hub.recall("n7")
        ring = place.hub._consoles["n7"].ring
        assert ring.start == 0
        assert ring.end > 100_000


async def test_what_is_printed_before_the_record_comes_is_kept(tmp_path: Path, lines: Lines) -> None:
    async with living(tmp_path / "c", lines) as place:
        lines["a"].power_on()
        await place.hub.hold("a")
        await lines["a"].print(b"first words\r\n")
        await until(lambda: b"first words" in place.hub._consoles["a"].ring.copy(), 20)
        place.hub.node_changed(node("on"))
        assert b"first words" in await place.read(text=b"first words")


async def test_what_does_not_fit_before_the_record_comes_is_a_gap(tmp_path: Path, lines: Lines) -> None:
    async with living(tmp_path / "c", lines) as place:
        lines["a"].power_on()
        await place.hub.hold("a")
        await lines["a"].print(b"too much " * 20_000 + b"\r\n")
        ring = place.hub._consoles["a"].ring
        await until(lambda: ring.end > 180_000, 20, "it is printed")
        place.hub.node_changed(node("on"))
        await lines["a"].print(b"afterwards\r\n")
        assert (await place.read(text=b"afterwards")).endswith(b"afterwards\r\n")
        log = place.hub.log("a")
        assert log is not None
        assert log.end == log.on_disk == ring.end, "offsets are the same"
        assert LogReader(log.folder).read(ring.end - len(b"afterwards\r\n"), ring.end).lines[0].data == (
            b"afterwards\r\n"
        )


async def test_logs_can_be_turned_off_and_a_folder_that_cannot_be_used_is_no_end(
    tmp_path: Path, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    async with living(tmp_path / "c", lines, settings=ConsoleLogSettings(enabled=False)) as place:
        await turn_on(place, lines)
        assert place.hub.log("a") is None
        assert not (tmp_path / "c").exists()
    (tmp_path / "file").write_text("")
    async with living(tmp_path / "file", lines) as place:
        assert place.logs is None
        assert "the consoles are not logged" in caplog.text


async def test_the_log_of_a_node_that_is_no_more_is_kept_for_a_while(tmp_path: Path, lines: Lines) -> None:
    root, now = tmp_path / "c", [1e9]
    settings = ConsoleLogSettings(keep_days=2, keep_nodes=2)
    async with living(root, lines, lambda: now[0], settings) as place:
        assert place.logs is not None
        for node_id in "abcd":
            await turn_on(place, lines, node_id)
            await place.read(node_id)

        def there() -> str:
            return "".join(sorted(path.name for path in root.iterdir() if path.is_dir()))

        async def sweep() -> None:
            assert place.logs is not None
            place.logs.sweep()
            log = place.hub.log("a")
            assert log is not None
            await asyncio.wrap_future(place.logs.writer.flush(log))

        place.hub.node_gone("d")
        await sweep()
        assert there() == "abcd"
        now[0] += 86_400
        for node_id in "bc":
            place.hub.node_gone(node_id)
        await sweep()
        assert there() == "abc", "two at most, the youngest"
        place.hub.node_changed(node("off", "b"))
        await sweep()
        now[0] += 3 * 86_400
        await sweep()
        assert there() == "ab", "one that came back is not gone"
        assert not (root / "b" / log_folders.GONE).exists()


def test_many_that_go_at_once_are_kept_for_a_day(tmp_path: Path) -> None:
    for name in "abcde":
        (tmp_path / name).mkdir()
    now, month = 1e9, 30 * 86_400.0
    assert log_folders.sweep(tmp_path, "a", now, month, 2) == []
    assert log_folders.sweep(tmp_path, "a", now + 3600, month, 2) == []
    assert len(log_folders.sweep(tmp_path, "a", now + 86_400, month, 2)) == 2
    assert log_folders.sweep(tmp_path, "a", now + 86_400, month, 2) == []


async def test_thousands_of_lines_at_once_keep_their_order_and_times(tmp_path: Path, lines: Lines) -> None:
    async with living(tmp_path / "c", lines) as place:
        for node_id in "abc":
            await turn_on(place, lines, node_id)
        for number in range(500):
            for node_id in "abc":
                await lines[node_id].print(b"%s %05d\n" % (node_id.encode(), number))
        for node_id in "abc":
            await place.read(node_id, b" 00499\n")
            log = place.hub.log(node_id)
            assert log is not None
            reader = LogReader(log.folder)
            plan = reader.plan(Query(500), log.on_disk)
            part = reader.read(plan.start, plan.end)
            assert [line.data for line in part.lines] == [
                b"%s %05d\n" % (node_id.encode(), number) for number in range(500)
            ]
            times = [line.time for line in part.lines]
            assert times == sorted(times)
            assert abs(times[-1] - time.time()) < 60
