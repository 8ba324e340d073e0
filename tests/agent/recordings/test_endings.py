"""Recordings that end by what happens to the node, its cluster, or airboss."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pilot import wire
from pilot.errors import RefusedError
from pilot.recording_seals import DELETED
from tests.agent.recordings.scene import (
    OTHERS,
    MakeScene,
    Scene,
)
from tests.support.waiting import until


async def test_others_get_the_node_and_nothing_of_the_recording(scene: Scene) -> None:
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"ours\r\n")
    await scene.printed(b"ours")
    assert not scene.node("on", cluster="vc2").recorded
    await scene.lines["a"].print(b"theirs\r\n")
    assert (await scene.ended(id)).why_ended == "compute-a is not of vc1 any more"
    text = await scene.read(id)
    assert "ours" in text
    assert "theirs" not in text
    for asked in (id, "0" * 16, "../recordings/" + id, ""):
        _, task = scene.ask("read", scene.person("bob", OTHERS), "vc2", id=asked)
        with pytest.raises(RefusedError, match="there is no recording '") as no:
            await task
        assert no.value.message.endswith("' in vc2"), "whether it is somebody's or nobody's"
    out, task = scene.ask("list", scene.person("bob", OTHERS), "vc2")
    await task
    assert out.frames[1:] == [wire.Recordings(())]


async def test_a_name_that_others_have_now_shows_them_nothing_and_it_is_deleted(scene: Scene) -> None:
    scene.node("off")
    first = await scene.start()
    await scene.act("stop")
    second = await scene.start()
    scene.added["vc1"] = 0.0
    scene.recordings.clusters_changed()
    assert scene.shelf.visible("vc1") == []
    scene.added["vc1"] = 7.0
    scene.recordings.clusters_changed()
    assert scene.shelf.visible("vc1") == []
    await until(lambda: not list(scene.root.iterdir()), 30, "they are deleted")
    assert not scene.node("off").recorded
    gone = {event.id: event.result["why"] for event in await scene.told() if event.verb == DELETED}
    assert gone == dict.fromkeys((first, second), "others have the name vc1 now")
    found = await scene.audit()
    assert (found.recordings, found.unknown) == ((), ())


async def test_a_node_that_is_no_more(scene: Scene) -> None:
    await scene.on()
    id = await scene.start()
    scene.inventory.gone(["a"])
    assert (await scene.ended(id)).why_ended == "compute-a is no more"


async def test_airboss_stops_in_order(make: MakeScene, tmp_path: Path) -> None:
    scene = await make()
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"last words\r\n")
    await scene.printed(b"last words")
    await scene.close()
    after = await make()
    about = after.about(id)
    assert about.why_ended == "airboss stopped"
    assert (await after.read(id)).endswith("last words\r\n")
    assert (await after.audit()).troubled == ()


async def test_what_a_killed_airboss_left_is_ended_where_it_was_sealed(
    make: MakeScene, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    scene = await make(first)
    await scene.on()
    scene.node("off", "b")
    id = await scene.start()
    fresh = await scene.start("b")
    await scene.lines["a"].print(b"sealed\r\n" * 20_000)
    await until(lambda: scene.about(id).size > 65_536 and scene.about(fresh).size, 30, "a part is sealed")
    second = tmp_path / "second"
    # As a disk looks after a crash: nothing is ended, and something behind the last seal.
    shutil.copytree(first, second)
    with (second / "recordings" / f"{id}.cast").open("ab") as file:
        file.write(b'[0,"o","not seal')
    after = await make(second)
    about = await after.ended(id)
    assert about.why_ended.startswith("airboss was ended in the middle; the last ")
    assert "sealed\r\n" * 5000 in await after.read(id)
    assert "not seal" not in await after.read(id)
    assert (await after.ended(fresh)).why_ended == "airboss was ended in the middle"
    assert await after.read(fresh) == ""
    found = await after.audit()
    assert (len(found.recordings), found.troubled) == (2, ())
    with (second / "recordings" / f"{id}.cast").open("ab") as file:
        file.write(b"\n")
    (one,) = (await after.audit()).troubled
    assert (one.id, one.finding.trouble) == (id, "longer")


async def test_what_a_killed_airboss_left_to_an_older_journal(make: MakeScene, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    scene = await make(first)
    await scene.on()
    scene.node("off", "b")
    id, empty = await scene.start(), await scene.start("b")
    await scene.lines["a"].print(b"found nowhere else\r\n" * 10_000)
    await until(lambda: scene.about(id).size > 65_536, 30, "a part is sealed")
    shutil.copytree(first / "recordings", second / "recordings")
    after = await make(second)
    assert (await after.ended(id)).why_ended == "the journal does not know it"
    await until(lambda: after.shelf.find(empty, "vc1") is None, 20, "nothing was in it")
    assert (await after.audit()).unknown == (f"{id}.cast",)
    assert b"found nowhere else" in (second / "recordings" / f"{id}.cast").read_bytes()


async def test_what_a_killed_airboss_left_and_somebody_changed(make: MakeScene, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    scene = await make(first)
    scene.node("off")
    id = await scene.start()
    await until(lambda: scene.about(id).size, 30, "its beginning is sealed")
    shutil.copytree(first, tmp_path / "second")
    path = tmp_path / "second" / "recordings" / f"{id}.cast"
    path.write_bytes(path.read_bytes().replace(b"compute", b"c0mpute"))
    after = await make(tmp_path / "second")
    assert "not as it was sealed: bytes 0 to" in (await after.ended(id)).why_ended
    (one,) = (await after.audit()).troubled
    assert one.finding.trouble == "altered"
