"""Recordings that people begin and end: who may, who is told, and what is in them."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from pilot import wire
from pilot.agent.recordings import recordings as recordings_module
from pilot.errors import DeadlineError, RefusedError, StorageError
from pilot.recording_seals import BEGAN
from tests.agent.consoles.lines import node
from tests.agent.recordings.scene import (
    OPERATOR,
    VIEWER,
    MakeScene,
    Person,
    Scene,
)
from tests.support.waiting import until


async def test_a_node_that_is_off_is_recorded_from_its_first_byte_with_nobody_there(scene: Scene) -> None:
    assert not scene.node("off").recorded
    id = await scene.start()
    assert scene.node("off").recorded
    await scene.on()
    await scene.lines["a"].print("booting … é\r\n".encode())
    viewer = await scene.hub.attach("a", "bob", "write", may_write=True)
    await scene.printed("é".encode())
    viewer.close()
    assert await scene.act("stop") == f"recording {id} has ended"
    await scene.lines["a"].print(b"after\r\n")
    about = scene.about(id)
    assert (about.why_ended, about.principal, about.cluster) == ("ann ended it", "ann", "vc1")
    text = await scene.read(id)
    assert ": turned on]" in text
    assert text.endswith("booting … é\r\n")
    assert await scene.read(id, "m") == "turned onbob joined"
    assert not scene.node("on").recorded
    assert [event.verb for event in await scene.told()][:1] == [BEGAN]
    assert (await scene.audit()).troubled == ()


async def test_those_who_are_there_are_told(scene: Scene) -> None:
    await scene.on()
    viewer = await scene.hub.attach("a", "bob", "write", may_write=True)
    await scene.start()
    await scene.act("stop")
    frames = []
    async with asyncio.timeout(20):
        async for frame in viewer:
            frames.append(frame)
            if isinstance(frame, wire.Notice) and "any more" in frame.text:
                break
    words = [frame.text for frame in frames if isinstance(frame, wire.Notice) and frame.what == "host"]
    assert words == ["ann records this console", "this console is not recorded any more: ann ended it"]
    viewer.close()


async def test_what_is_typed_is_recorded_only_if_asked_for(scene: Scene) -> None:
    await scene.on()
    viewer = await scene.hub.attach("a", "bob", "write", may_write=True)
    for asked, kept in ((False, ""), (True, "secret\r")):
        id = await scene.start(input=asked)
        await viewer.write(b"secret\r")
        assert await scene.lines["a"].typed(7) == b"secret\r"
        await scene.act("stop")
        assert await scene.read(id, "i") == kept
        assert scene.about(id).input is asked
    viewer.close()


async def test_only_one_goes_on_and_who_may_is_looked_at(scene: Scene) -> None:
    scene.node("off")
    with pytest.raises(RefusedError, match="not entitled"):
        await scene.act("start", by=scene.person("eve", VIEWER))
    with pytest.raises(RefusedError, match="compute-a needs the role owner, yours is operator") as no:
        await scene.act("start", by=scene.person("bob", OPERATOR), input=True)
    assert "without" in no.value.hint
    assert await scene.told() == [], "nothing was begun"
    await scene.start()
    with pytest.raises(RefusedError, match=r"ann records compute-a since 20\d\d-.*Z"):
        await scene.act("start", by=scene.person("bob", OPERATOR))
    assert await scene.act("stop", by=scene.person("bob", OPERATOR))
    assert await scene.act("stop") == "it was not recorded"
    both = await asyncio.gather(scene.act("start"), scene.act("start"), return_exceptions=True)
    assert [type(one) for one in both if isinstance(one, Exception)] == [RefusedError]


async def test_rights_that_went_while_the_disk_took_its_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.node("off")
    bob = scene.person("bob", OPERATOR)
    began = scene.notary.began

    async def slow(*args: object) -> None:
        await began(*args)  # type: ignore[arg-type]
        cast("Person", bob).all = ()

    monkeypatch.setattr(scene.notary, "began", slow)
    with pytest.raises(RefusedError, match="not entitled"):
        await scene.act("start", by=bob)
    assert not scene.node("off").recorded
    (kept,) = scene.shelf.visible("vc1")
    assert "not entitled" in (await scene.ended(kept.id)).why_ended


async def test_one_whose_asker_goes_is_begun_all_the_same(scene: Scene) -> None:
    found = scene.node("off")
    task = asyncio.create_task(scene.recordings.act(scene.ann, found, "record.start", {"input": False}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: scene.node("off").recorded, 20, "it goes on")


async def test_a_node_without_a_serial_console(scene: Scene) -> None:
    scene.inventory.nodes([node("off", serial=False)])
    with pytest.raises(RefusedError, match="compute-a has no serial console"):
        await scene.act("start")


async def test_a_site_that_does_not_want_it(make: MakeScene) -> None:
    scene = await make(enabled=False)
    scene.node("off")
    with pytest.raises(RefusedError, match="does not record"):
        await scene.act("start")


async def test_a_journal_that_takes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings_module, "CLOSE_SECONDS", 0.5)
    scene.node("off")
    await scene.journal.close()
    with pytest.raises(StorageError, match="journal is closed"):
        await scene.act("start")
    assert not scene.node("off").recorded
    assert scene.shelf.visible("vc1") == []
    await scene.close()


async def test_an_end_that_the_disk_keeps_back_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.node("off")
    await scene.start()
    monkeypatch.setattr(recordings_module, "STOP_SECONDS", 0.05)
    going = asyncio.Event()
    sealed = scene.notary.sealed

    async def slow(*args: object) -> object:
        await going.wait()
        return await sealed(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scene.notary, "sealed", slow)
    with pytest.raises(DeadlineError, match="not taken the last"):
        await scene.act("stop")
    going.set()
    (kept,) = scene.shelf.visible("vc1")
    assert (await scene.ended(kept.id)).why_ended == "ann ended it"
