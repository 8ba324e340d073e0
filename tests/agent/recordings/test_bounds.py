"""Recordings are bounded, as is what the journal has of them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilot.agent.recordings import writer
from pilot.agent.recordings.file import RecordingFile
from pilot.errors import RefusedError, StorageError
from pilot.recording_seals import DELETED, ENDED
from tests.agent.recordings.scene import (
    OTHERS,
    MakeScene,
    Scene,
)
from tests.support.waiting import until


async def test_it_ends_at_its_limit_and_the_console_goes_on(make: MakeScene) -> None:
    scene = await make(size=65_536)
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"x" * 90_000 + b"end")
    await until(lambda: scene.hub._console("a").ring.end > 90_000, 20)
    about = await scene.ended(id)
    assert about.why_ended == "it reached its limit"
    assert about.size <= 65_536
    assert not scene.node("on").recorded
    assert (await scene.audit()).troubled == ()


async def test_the_oldest_that_have_ended_make_room(make: MakeScene) -> None:
    scene = await make(cluster_count=2)
    for id in "abc":
        scene.node("off", id)
    oldest = await scene.start("a")
    await scene.act("stop", "a")
    second = await scene.start("b")
    third = await scene.start("c")
    assert [kept.id for kept in scene.shelf.visible("vc1")] == [third, second]
    assert not list(scene.root.glob(f"{oldest}*"))
    with pytest.raises(RefusedError, match="no room for another recording in vc1: all go on") as no:
        await scene.act("start", "a")
    assert "record stop" in no.value.hint
    gone = [event for event in await scene.told() if event.verb == DELETED]
    assert [(event.id, event.result["why"]) for event in gone] == [(oldest, "newer ones needed its room")]
    assert len((await scene.audit()).recordings) == 2
    scene.node("off", "d", "vc2")
    await scene.act("start", "d", by=scene.person("bob", OTHERS))


async def test_a_cluster_has_so_many_bytes(make: MakeScene) -> None:
    scene = await make(cluster_size=1_048_576)
    await scene.on()
    first = await scene.start()
    await scene.lines["a"].print(b"x" * 700_000)
    await until(lambda: scene.hub._console("a").ring.end > 700_000, 20)
    await scene.act("stop")
    assert scene.about(first).size > 700_000
    second = await scene.start()
    await scene.lines["a"].print(b"x" * 1_200_000)
    about = await scene.ended(second)
    assert about.why_ended == "the cluster's recordings have no more room"
    assert [kept.id for kept in scene.shelf.visible("vc1")] == [second], "the older one was deleted first"
    assert (await scene.audit()).troubled == ()


async def test_one_is_kept_for_so_many_days(make: MakeScene) -> None:
    scene = await make(keep_days=30)
    scene.node("off")
    old = await scene.start()
    await scene.act("stop")
    scene.now = 29 * 86_400
    newer = await scene.start()
    await scene.act("stop")
    assert len(scene.shelf.visible("vc1")) == 2
    scene.now = 31 * 86_400
    scene.shelf.look()
    await until(lambda: [kept.id for kept in scene.shelf.visible("vc1")] == [newer], 20, "it is deleted")
    gone = [event for event in await scene.told() if event.verb == DELETED]
    assert [(event.id, event.result["why"]) for event in gone] == [(old, "kept for 30 days")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "recordings"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, timeout=10
    )
    if mounted.returncode != 0:
        pytest.skip("NOT TESTED: a full disk needs root to mount a small one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


async def test_a_full_disk_ends_it_and_harms_nothing_else(small_disk: Path, scene: Scene) -> None:
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"before\r\n")
    await until(lambda: scene.about(id).size, 20)
    with (small_disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    await scene.lines["a"].print(b"x" * 200_000 + b"still here")
    about = await scene.ended(id)
    assert about.why_ended.startswith("the disk did not take it: No space left on device")
    await until(lambda: scene.hub._console("a").ring.end > 200_000, 20, "the console goes on")
    with pytest.raises(StorageError, match="No space left"):
        await scene.act("start")
    (small_disk / "ballast").unlink()
    assert (await scene.audit()).troubled == ()
    assert "before\r\n" in await scene.read(id)
    await scene.start()


async def test_the_journal_has_little_of_idle_ones(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PULSE", 0.01)
    looked = 0
    due = RecordingFile.due

    def counted(file: RecordingFile, time: float, behind: bool) -> bool:
        nonlocal looked
        looked += 1
        return due(file, time, behind)

    monkeypatch.setattr(RecordingFile, "due", counted)
    scene.node("off")
    id = await scene.start()
    await until(lambda: scene.about(id).size and looked > 20, 20)
    assert len(await scene.told()) == 2, "that it has begun, and its header's seal"
    await scene.act("stop")
    assert [event.verb for event in await scene.told()][-1] == ENDED
