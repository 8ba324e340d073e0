"""Consoles and their logs: nothing is lost over a restart, nothing leaks, and no disk holds anybody up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from pilot.agent.consoles import log as log_module
from pilot.agent.consoles import log_folders, log_writer
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.log_reader import LogReader, Query
from pilot.agent.consoles.logs import ConsoleLogs
from pilot.agent.consoles.viewer import Viewer
from pilot.agent.settings import ConsoleLogSettings
from pilot.records import Node
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import Lines, longest_stall, node
from tests.support.waiting import until

MakeReader = Callable[[Viewer], Reader]


class Place:
    """One life of an airboss, reduced to its consoles and their logs."""

    def __init__(self, hub: ConsoleHub, logs: ConsoleLogs | None) -> None:
        self.hub = hub
        self.logs = logs

    async def attach(self, node_id: str = "a") -> Viewer:
        await self.hub.recall(node_id)
        return await self.hub.attach(node_id, "ada", "watch", False)

    async def read(self, node_id: str = "a", text: bytes = b"") -> bytes:
        """All that is on the disk, once a text has been printed."""
        if text:
            await until(lambda: text in self.hub._consoles[node_id].ring.copy(), 20, f"{text!r} is printed")
        log = self.hub.log(node_id)
        assert log is not None
        await log.flush()
        reader = LogReader(log.folder)
        plan = reader.plan(Query(1_000_000), log.on_disk)
        at, out = plan.start, b""
        while at < plan.end:
            part = reader.read(at, plan.end)
            at = part.upto
            out += b"".join(line.data for line in part.lines)
        return out


@asynccontextmanager
async def living(
    state: Path,
    lines: Lines,
    clock: Callable[[], float] = time.time,
    settings: ConsoleLogSettings | None = None,
    added: Callable[[str], float] = lambda _cluster: 0.0,
) -> AsyncIterator[Place]:
    """airboss's consoles over a state folder."""
    hub: ConsoleHub | None = None
    logs = await ConsoleLogs.open(
        state, settings or ConsoleLogSettings(), clock, lambda: [] if hub is None else list(hub._nodes)
    )
    hub = ConsoleHub(
        lambda _id: lines,
        clock=clock,
        names=lambda node_id: f"compute-{node_id}",
        presence=lambda *_: None,
        chance=random.Random(1),
        logs=logs,
        added=added,
    )
    try:
        yield Place(hub, logs)
    finally:
        await hub.stop()
        if logs is not None:
            await logs.close()


def restart(lines: Lines, node_id: str = "a") -> None:
    """A line that a new airboss can hold."""
    lines[node_id].close()
    lines[node_id].power_on()


async def turn_on(place: Place, lines: Lines, node_id: str = "a") -> None:
    place.hub.node_changed(node("off", node_id))
    lines[node_id].power_on()
    place.hub.node_changed(node("on", node_id))
    await until(lambda: lines[node_id].held, 20, "it is held")


def of(cluster: str, record: Node) -> Node:
    return msgspec.structs.replace(record, cluster=cluster)


async def test_a_restart_forgets_nothing_and_says_how_long_it_was_away(
    tmp_path: Path, lines: Lines, reader: MakeReader
) -> None:
    async with living(tmp_path / "c", lines, lambda: 1795450000.0) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"booting\r\nlogin: ")
        first = reader(await place.attach())
        await first.sees("login: ")
        end = first.viewer.attached.start + len(first.output)
    restart(lines)
    async with living(tmp_path / "c", lines, lambda: 1795450600.0) as place:
        place.hub.node_changed(node("on"))
        await until(lambda: lines["a"].held, 20, "it is held again")
        await lines["a"].print(b"and on\r\n")
        again = reader(await place.attach())
        await again.sees("and on")
        text = again.output.decode()
        assert text.index("turned on") < text.index("login: ") < text.index("airboss was not there")
        assert "airboss was not there from 2026-11-23T16:06:40Z to 2026-11-23T16:16:40Z" in text
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


async def test_new_owners_see_nothing_of_before_and_it_is_deleted(
    tmp_path: Path, lines: Lines, reader: MakeReader
) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"secret of vc1\r\n")
        assert b"secret" in await place.read(text=b"secret")
        log = place.hub.log("a")
        assert log is not None
        before = log.folder
        place.hub.node_changed(of("vc2", node("on")))
        assert log.folder != before
        assert log.oldest == log.on_disk == 0
        await lines["a"].print(b"of vc2\r\n")
        seen = reader(await place.attach())
        await seen.sees("of vc2")
        assert b"secret" not in seen.output
        assert b"secret" not in await place.read()
        await until(lambda: not before.exists(), 20, "it is deleted")


async def test_new_owners_see_nothing_of_before_if_airboss_was_away_meanwhile(
    tmp_path: Path, lines: Lines
) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines, "a")
        await turn_on(place, lines, "b")
        await lines["a"].print(b"secret of vc1\r\n")
        await lines["b"].print(b"secret of vc1\r\n")
        for node_id in "ab":
            assert b"secret" in await place.read(node_id, b"secret")
    async with living(root, lines) as place:
        # One has a console, the other is off and has none.
        restart(lines)
        place.hub.node_changed(of("vc2", node("on", "a")))
        place.hub.node_changed(of("vc2", node("off", "b")))
        await until(lambda: b"secret" not in on_disk(root), 20, "it is deleted")
        for node_id in "ab":
            viewer = await place.attach(node_id)
            assert b"secret" not in viewer._desk.ring.copy()
            assert b"secret" not in await place.read(node_id)
    assert b"secret" not in on_disk(root)


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_cluster_that_is_added_anew_has_new_owners(
    tmp_path: Path, lines: Lines, reader: MakeReader, enabled: bool
) -> None:
    root, added = tmp_path / "c", {"vc1": 5.0}
    settings = ConsoleLogSettings(enabled=enabled)
    async with living(root, lines, added=lambda cluster: added.get(cluster, 0.0), settings=settings) as place:
        await turn_on(place, lines)
        await lines["a"].print(b"secret\r\n")
        first = reader(await place.attach())
        await first.sees("secret")
        for added["vc1"] in (0.0, 9.0):
            place.hub.clusters_changed()
        await first.told("compute-a is not of vc1 any more", "closed")
        await lines["a"].print(b"of the new ones\r\n")
        second = reader(await place.attach())
        await second.sees("of the new ones")
        assert b"secret" not in second.output
    added["vc1"] = 12.0
    restart(lines)
    async with living(root, lines, added=lambda cluster: added.get(cluster, 0.0), settings=settings) as place:
        place.hub.node_changed(node("on"))
        third = reader(await place.attach())
        await third.sees("held from here on")
        assert b"new ones" not in third.output


async def test_a_log_that_does_not_say_whose_it_is_is_nobodys(tmp_path: Path, lines: Lines) -> None:
    root = tmp_path / "c"
    async with living(root, lines) as place:
        await turn_on(place, lines)
        await place.read()
    assert not [path for path in (root, *root.rglob("*")) if path.stat().st_mode & 0o077]
    owner = root / "a" / "000001" / "owner.json"
    owner.write_bytes(b'{"v":1,"node":"a"')
    async with living(root, lines) as place:
        place.hub.node_changed(node("off"))
        assert await place.read() == b""
        assert not owner.exists()


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


def on_disk(root: Path) -> bytes:
    """All bytes of all logs."""
    found = b""
    for path in root.rglob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            found += path.read_bytes()
    return found


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
    hanging, go_on = threading.Event(), threading.Event()
    real = os.write

    def hang(fd: int, data: bytes) -> int:
        hanging.set()
        assert go_on.wait(60)
        return real(fd, data)

    async with living(tmp_path / "c", lines) as place:
        await turn_on(place, lines)
        await place.read()
        monkeypatch.setattr(os, "write", hang)
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
        monkeypatch.setattr(os, "write", real)
        go_on.set()
        await until(lambda: log.waiting == 0, 20, "it has caught up")
        await lines["a"].print(b"the end\r\n")
        text = await place.read(text=b"the end")
        assert b"the end" in text
        assert 0 < text.count(b"flood") < 100_000, "what did not fit is a gap"


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
