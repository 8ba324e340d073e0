"""Recordings are listed and read by the rights of the moment, and held against the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from pilot import wire
from pilot.agent.recordings import streams
from pilot.agent.recordings.audit import audit
from pilot.errors import BusyError, DeadlineError, RefusedError, StorageError
from tests.agent.recordings.scene import (
    VIEWER,
    Person,
    Scene,
    recorded,
)
from tests.support.waiting import until


async def test_rights_that_go_in_the_middle(scene: Scene) -> None:
    id = await recorded(scene)
    bob = scene.person("bob", VIEWER)
    out, task = scene.ask("read", bob, id=id)
    out.room.clear()
    await until(lambda: len(out.frames) >= 2, 20)
    cast("Person", bob).all = ()
    out.room.set()
    with pytest.raises(RefusedError, match="not entitled to vc1 any more"):
        await task
    assert not any(isinstance(frame, wire.Output) for frame in out.frames)


async def test_one_who_does_not_read_is_left(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await recorded(scene)
    monkeypatch.setattr(streams, "UNREAD_SECONDS", 0.05)
    both = scene.ask("read", id=id), scene.ask("list")
    for out, _ in both:
        out.room.clear()
    for _, task in both:
        with pytest.raises(DeadlineError, match="not read"):
            await task


async def test_one_key_reads_so_many(scene: Scene) -> None:
    id = await recorded(scene)
    both = [scene.ask("read", id=id) for _ in range(2)]
    for out, _ in both:
        out.room.clear()
    await until(lambda: all(out.frames for out, _ in both), 20)
    with pytest.raises(BusyError, match="readers"):
        await scene.ask("read", id=id)[1]
    for out, task in both:
        out.room.set()
        await task


async def test_a_list_comes_in_pages(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_RECORDINGS_PER_FRAME", 2)
    ids = []
    for id in "abc":
        scene.node("off", id)
        ids.append(await scene.start(id))
    out, task = scene.ask("list", scene.person("bob", VIEWER))
    await task
    pages = [frame for frame in out.frames if isinstance(frame, wire.Recordings)]
    assert [page.more for page in pages] == [True, False]
    assert {one.id for page in pages for one in page.recordings} == set(ids)


async def test_a_file_that_was_cut_is_not_passed_on_as_whole(scene: Scene) -> None:
    id = await recorded(scene)
    path = scene.root / f"{id}.cast"
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(StorageError, match="ends at byte 100,000") as no:
        await scene.read(id)
    assert "journal verify" in no.value.hint
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(StorageError, match="cannot be read"):
        await scene.read(id)
    (one,) = (await scene.audit()).troubled
    assert (one.id, one.name, one.cluster, one.finding.trouble) == (id, "compute-a", "vc1", "missing")


@pytest.mark.parametrize(
    ("change", "trouble", "words"),
    [
        (lambda path, _whole: path.unlink(), "missing", "the file is missing"),
        (lambda path, whole: path.write_bytes(whole[:-5]), "cut", "the file ends at byte "),
        (lambda path, _whole: path.write_bytes(b""), "cut", "the file ends at byte 0"),
        (lambda path, whole: path.write_bytes(whole.replace(b"xxx", b"yyy", 1)), "altered", "bytes "),
        (lambda path, whole: path.write_bytes(whole[:50] + whole[51:] + b"x"), "altered", "bytes 0 to "),
        (lambda path, whole: path.write_bytes(whole + b"\n"), "longer", "the recording ended at byte "),
    ],
)
async def test_somebody_is_at_a_file(
    scene: Scene, change: Callable[[Path, bytes], object], trouble: str, words: str
) -> None:
    id, path = await recorded(scene), scene.root
    other = await scene.start()
    change(path / f"{id}.cast", (path / f"{id}.cast").read_bytes())
    found = await scene.audit()
    assert [one.id for one in found.recordings] == [id, other]
    (one,) = found.troubled
    assert (one.id, one.node, one.name, one.cluster) == (id, "a", "compute-a", "vc1")
    assert (one.finding.trouble, one.finding.words[: len(words)]) == (trouble, words)


async def test_what_the_journal_does_not_know_and_what_others_have(scene: Scene) -> None:
    id = await recorded(scene, 10)
    (scene.root / "strange.cast").touch()
    found = await scene.audit()
    assert found.unknown == ("strange.cast",)
    assert [one.id for one in found.recordings] == [id]
    theirs = await asyncio.to_thread(audit, scene.database, scene.root, "SHA256:another")
    assert (theirs.recordings, theirs.elsewhere) == ((), 1)
