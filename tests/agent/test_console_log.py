"""`console.log` as a stream: the past in pages, then what is printed, by the rights of each moment."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from pilot import wire
from pilot.agent import console_log
from pilot.agent.caller import Caller
from pilot.agent.console_log import ConsoleLogStreams
from pilot.agent.consoles import log_reader
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.log_files import BOOT, MARK
from pilot.agent.consoles.logs import ConsoleLogs
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.settings import ConsoleLogSettings, Limits
from pilot.agent.shares import Shares
from pilot.errors import BusyError, DeadlineError, NoSuchNodeError, RefusedError, StorageError, UsageError
from pilot.records import Grant, NodeState
from pilot.verbs import BY_ID
from tests.agent.consoles.lines import Lines, node
from tests.agent.test_journal_stream import Entitled
from tests.support.waiting import until

VIEWER = Grant("vc1", "viewer")


class Holder(Entitled):
    """A caller with a key."""

    holder = "SHA256:ada"


class Outlet:
    """Where frames go; `room` is cleared to read no more."""

    def __init__(self) -> None:
        self.frames: list[wire.ServerFrame] = []
        self.room = asyncio.Event()
        self.room.set()

    def tell(self, frame: wire.ServerFrame) -> None:
        self.frames.append(frame)

    async def send(self, frame: wire.ServerFrame) -> None:
        self.tell(frame)
        await self.room.wait()

    @property
    def pages(self) -> list[wire.LogPage]:
        return [frame for frame in self.frames if isinstance(frame, wire.LogPage)]

    @property
    def lines(self) -> list[bytes]:
        return [line.data for page in self.pages for line in page.lines]

    @property
    def text(self) -> bytes:
        return b"".join(self.lines)


class Scene:
    """A hub with logs, an inventory, and people who read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inventory = Inventory()
        self.added = 5.0
        self.lines = Lines()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        logs = await ConsoleLogs.open(self.root, ConsoleLogSettings(), time.time, lambda: ())
        assert logs is not None
        self.logs = logs
        self.hub = ConsoleHub(
            lambda _id: self.lines,
            clock=time.time,
            names=str,
            presence=lambda *_: None,
            chance=random.Random(1),
            logs=logs,
            added=lambda _cluster: self.added,
        )
        self.inventory.on_node.append(self.hub.node_changed)
        shares = Shares(Limits(logs_per_key=3))
        self.streams = ConsoleLogStreams(self.inventory, self.hub, shares)

    def node(self, state: NodeState = "off", node_id: str = "a", cluster: str = "vc1") -> ConsoleLog:
        record = msgspec.structs.replace(node(state, node_id), cluster=cluster)
        self.inventory.nodes([record])
        log = self.hub.log(node_id)
        assert log is not None
        return log

    def read(
        self, *grants: Grant, target: str = "compute-a", **args: float
    ) -> tuple[Outlet, asyncio.Task[None], Holder]:
        verb, out, caller = BY_ID["console.log"], Outlet(), Holder(*(grants or (VIEWER,)))
        asked = Asked(verb, "vc1", (target,), verb.arguments(dict(args)))
        task = asyncio.create_task(self.streams.stream(cast("Caller", caller), asked, out))
        self.tasks.append(task)
        return out, task, caller

    async def whole(self, *grants: Grant, **args: float) -> Outlet:
        out, task, _ = self.read(*grants, target="compute-a", **args)
        async with asyncio.timeout(30):
            await task
        return out

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.hub.stop()
        await self.logs.close()
        await self.lines.stop()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path / "consoles")
    await scene.start()
    yield scene
    await scene.close()


async def test_the_past_of_a_node_that_is_off_comes_in_pages(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "PAGE_LINES", 3)
    log = scene.node("off")
    log.append(b"".join(b"%d\n" % number for number in range(7)) + b"Kernel panic")
    out = await scene.whole()
    assert isinstance(out.frames[0], wire.Reply)
    assert [(len(page.lines), page.more) for page in out.pages] == [(3, True), (3, True), (2, False)]
    assert out.lines[-1] == b"Kernel panic"
    first = out.pages[0].lines[0]
    assert first.offset == 0
    assert abs(first.time - time.time()) < 60
    assert abs(first.mono - time.monotonic()) < 60
    assert (await scene.whole(last=2)).lines == [b"6\n", b"Kernel panic"]
    assert (await scene.whole(last=2, before=4)).lines == [b"0\n", b"1\n"]
    nothing = await scene.whole(last=0)
    assert [(page.lines, page.more) for page in nothing.pages] == [((), False)]


async def test_the_last_boot_and_a_moment(scene: Scene) -> None:
    log = scene.node()
    log.append(b"old\r\n")
    log.append(b"\r\nturned on\r\n", BOOT)
    log.append(b"new\r\n")
    log.append(b"\r\nturned off\r\n", MARK)
    assert (await scene.whole(boot=True)).lines == [b"turned on\r\n", b"new\r\n", b"\r\n", b"turned off\r\n"]
    assert (await scene.whole(boot=True, last=1)).lines == [b"turned off\r\n"]
    assert (await scene.whole(since=time.time() + 3600)).lines == []
    assert len((await scene.whole(since=time.time() - 3600)).lines) == 6


async def test_who_follows_gets_whole_lines_and_prompts_a_moment_later(scene: Scene) -> None:
    log = scene.node()
    log.append(b"before\nhalf")
    out, task, _ = scene.read(follow=True)
    await until(lambda: out.text == b"before\nhalf", 20, "the prompt is told too")
    assert out.lines == [b"before\n", b"half"]
    log.append(b" a line\nlogin: ")
    await until(lambda: out.text.endswith(b"login: "), 20)
    assert out.lines[2:] == [b" a line\n", b"login: "]
    offsets = [line.offset for page in out.pages for line in page.lines]
    assert offsets == [0, 7, 11, 19]
    assert not task.done()


async def test_it_loses_nothing_of_a_flood(scene: Scene) -> None:
    log = scene.node()
    out, _, _ = scene.read(follow=True)
    await until(lambda: out.pages, 20)
    wanted = b""
    for number in range(200):
        data = b"%06d " % number * 100 + b"\n"
        wanted += data
        log.append(data)
        await asyncio.sleep(0)
    await until(lambda: out.text == wanted, 30)


async def test_silence_has_a_pulse(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_log, "PULSE_SECONDS", 0.05)
    scene.node()
    out, _, _ = scene.read(follow=True)
    await until(lambda: len(out.pages) > 3, 20)
    assert out.text == b""


async def test_who_does_not_read_is_waited_for(scene: Scene) -> None:
    log = scene.node()
    out, _, _ = scene.read(follow=True)
    await until(lambda: out.pages, 20)
    out.room.clear()
    log.append(b"one\n")
    await until(lambda: out.text == b"one\n", 20)
    for _ in range(50):
        log.append(b"more\n")
        await asyncio.sleep(0.005)
    assert out.text == b"one\n"
    out.room.set()
    await until(lambda: out.text.count(b"more") == 50, 20)


async def test_it_ends_when_the_role_goes(scene: Scene) -> None:
    scene.node()
    out, task, caller = scene.read(follow=True)
    await until(lambda: out.pages, 20)
    caller.all = ()
    scene.streams.recheck()
    with pytest.raises(RefusedError, match="not entitled to vc1 any more"):
        await asyncio.wait_for(task, 20)


async def test_it_ends_when_the_node_goes_to_others_who_see_nothing_of_before(scene: Scene) -> None:
    log = scene.node()
    log.append(b"secret\n")
    out, task, _ = scene.read(follow=True)
    await until(lambda: out.text == b"secret\n", 20)
    scene.node(cluster="vc2")
    log.append(b"theirs\n")
    with pytest.raises(RefusedError, match="not of vc1 any more"):
        await asyncio.wait_for(task, 20)
    assert out.text == b"secret\n"
    _, task, _ = scene.read()
    with pytest.raises(RefusedError):
        await asyncio.wait_for(task, 20)
    scene.node(cluster="vc1")
    assert (await scene.whole()).text == b"", "not even when it comes back"


async def test_what_was_printed_before_the_cluster_was_added_is_nobodys(scene: Scene) -> None:
    log = scene.node()
    log.append(b"secret\n")
    out, task, _ = scene.read(follow=True)
    await until(lambda: out.text == b"secret\n", 20)
    scene.added = 0.0
    scene.hub.clusters_changed()
    assert (await scene.whole()).text == b"secret\n", "it is removed, and nobody else has come yet"
    scene.added = 9.0
    scene.hub.clusters_changed()
    with pytest.raises(RefusedError):
        await asyncio.wait_for(task, 20)
    log.append(b"theirs\n")
    assert (await scene.whole()).text == b"theirs\n"


async def test_what_is_refused(scene: Scene) -> None:
    scene.node()
    scene.node(node_id="b")
    for target, error in (("compute-z", NoSuchNodeError), ("@all", UsageError)):
        _, task, _ = scene.read(target=target)
        with pytest.raises(error):
            await asyncio.wait_for(task, 20)
    _, task, caller = scene.read()
    caller.all = ()
    with pytest.raises(RefusedError, match="not entitled"):
        await asyncio.wait_for(task, 20)


async def test_one_signer_has_a_bounded_number(scene: Scene) -> None:
    scene.node()
    outs = [scene.read(follow=True)[0] for _ in range(3)]
    await until(lambda: all(out.pages for out in outs), 20)
    _, task, _ = scene.read()
    with pytest.raises(BusyError, match="your key has 3 readers of consoles' logs"):
        await asyncio.wait_for(task, 20)


async def test_a_disk_that_does_not_answer_or_fails_is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_log, "LOOK_SECONDS", 0.05)
    scene.node()

    def late(*_: object) -> None:
        time.sleep(0.5)

    monkeypatch.setattr(log_reader.LogReader, "plan", late)
    _, task, _ = scene.read()
    with pytest.raises(DeadlineError, match="could not be read within"):
        await asyncio.wait_for(task, 20)

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(console_log, "LOOK_SECONDS", 20)
    monkeypatch.setattr(log_reader.LogReader, "plan", fail)
    _, task, _ = scene.read()
    with pytest.raises(StorageError, match="Permission denied"):
        await asyncio.wait_for(task, 20)
