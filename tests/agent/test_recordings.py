"""Recordings of consoles: who may, what ends them, what is kept of them, and what the journal knows."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.journal_verify import verify_journal
from pilot.agent.recordings import recordings as recordings_module
from pilot.agent.recordings import streams, writer
from pilot.agent.recordings.audit import Audit, audit
from pilot.agent.recordings.events import Event, events
from pilot.agent.recordings.file import RecordingFile
from pilot.agent.recordings.notary import Notary
from pilot.agent.recordings.recordings import Recordings
from pilot.agent.recordings.shelf import Shelf
from pilot.agent.recordings.streams import RecordingStreams
from pilot.agent.settings import Limits, RecordingSettings
from pilot.agent.shares import Shares
from pilot.asciicast import Reader
from pilot.errors import BusyError, DeadlineError, RefusedError, StorageError
from pilot.recording_seals import BEGAN, DELETED, ENDED
from pilot.records import Grant, Node, NodeState
from pilot.verbs import BY_ID, Value
from tests.agent.consoles.lines import Lines, node
from tests.agent.journals import open_database
from tests.agent.test_console_log import Outlet
from tests.agent.test_journal_stream import Entitled
from tests.support.waiting import until

VIEWER, OPERATOR, OWNER = (Grant("vc1", role) for role in ("viewer", "operator", "owner"))
OTHERS = Grant("vc2", "owner")
AIRBOSS = "SHA256:airboss"


class Person(Entitled):
    """A caller with a name and a key."""

    def __init__(self, name: str, *grants: Grant) -> None:
        super().__init__(*grants)
        self.principal = name
        self.holder = f"SHA256:{name}"


class Scene:
    """An airboss's recordings on lines of sockets, with a journal on the disk."""

    def __init__(self, state: Path, settings: RecordingSettings | None = None) -> None:
        self.root = state / "recordings"
        self.database = open_database(state)
        self.journal = Journal(self.database)
        self.inventory = Inventory()
        self.lines = Lines()
        self.added = {"vc1": 5.0, "vc2": 6.0}
        self.now = 0.0
        """Seconds that the clock is ahead."""
        self.hub = ConsoleHub(
            lambda _id: self.lines,
            clock=time.time,
            names=lambda id: f"compute-{id}",
            presence=self.inventory.presence,
            chance=random.Random(1),
            added=self._added,
        )
        self.notary = Notary(self.root, self.journal, self.database)
        self.shelf = Shelf(self.root, settings or RecordingSettings(), self.notary, self._clock, self._added)
        self.recordings = Recordings(self.shelf, self.notary, self.inventory, AIRBOSS, self._clock)
        self.recordings.consoles = self.hub
        self.inventory.on_node += [self.recordings.node_changed, self.hub.node_changed]
        self.inventory.on_gone += [self.recordings.node_gone, self.hub.node_gone]
        self.streams = RecordingStreams(self.shelf, Shares(Limits(logs_per_key=2)))
        self.ann = self.person("ann", OWNER)

    def _added(self, cluster: str) -> float:
        return self.added.get(cluster, 0.0)

    def _clock(self) -> float:
        return time.time() + self.now

    @staticmethod
    def person(name: str, *grants: Grant) -> Caller:
        return cast("Caller", Person(name, *grants))

    def node(self, state: NodeState = "off", id: str = "a", cluster: str = "vc1") -> Node:
        """The inventory has this of a node now."""
        self.inventory.nodes([msgspec.structs.replace(node(state, id), cluster=cluster)])
        found = self.inventory.node(id)
        assert found is not None
        return found

    async def on(self, id: str = "a") -> Node:
        """The node is on, and its console is held."""
        self.lines[id].power_on()
        self.node("off", id)
        await self.hub.hold(id)
        return self.node("on", id)

    async def printed(self, data: bytes) -> None:
        """Await that airboss has what a guest printed."""
        ring = self.hub._console("a").ring
        await until(lambda: data in ring.read(max(0, ring.end - 9999), 9999), 20, f"{data!r} is there")

    async def act(self, verb: str, id: str = "a", by: Caller | None = None, **args: bool) -> str:
        found = self.inventory.node(id)
        assert found is not None
        given = BY_ID[f"record.{verb}"].arguments({**args})
        async with asyncio.timeout(30):
            return await self.recordings.act(by or self.ann, found, f"record.{verb}", given)

    async def start(self, id: str = "a", **args: bool) -> str:
        """Begin a recording; its id."""
        return (await self.act("start", id, None, **args)).removeprefix("recording ")

    def about(self, id: str) -> wire.Recording:
        found = self.shelf.find(id, "vc1")
        assert found is not None
        return found.recording

    async def ended(self, id: str) -> wire.Recording:
        """Await that it has ended."""
        await until(lambda: self.about(id).ended, 30, f"{id} has ended")
        return self.about(id)

    def ask(
        self, verb: str, by: Caller | None = None, cluster: str = "vc1", **args: Value
    ) -> tuple[Outlet, asyncio.Task[None]]:
        asked = Asked(BY_ID[f"record.{verb}"], cluster, (), BY_ID[f"record.{verb}"].arguments(args))
        out = Outlet()
        stream = self.streams.list if verb == "list" else self.streams.read
        return out, asyncio.create_task(stream(by or self.ann, asked, out))

    async def read(self, id: str, code: str = "o") -> str:
        """What is in a recording."""
        out, task = self.ask("read", id=id)
        async with asyncio.timeout(30):
            await task
        about = out.frames[1]
        assert isinstance(about, wire.Recordings)
        data = b"".join(frame.data for frame in out.frames if isinstance(frame, wire.Output))
        assert about.recordings[0].size == len(data)
        return "".join(event.data for event in Reader(io.BytesIO(data)) if event.code == code)

    async def told(self) -> list[Event]:
        """What the journal says of recordings."""
        return await asyncio.to_thread(lambda: list(events(self.database)))

    async def audit(self) -> Audit:
        """What `journal verify` finds, the chain itself included."""
        report = await asyncio.to_thread(verify_journal, self.database)
        assert report.broken is None
        return await asyncio.to_thread(audit, self.database, self.root, AIRBOSS)

    async def close(self) -> None:
        await self.hub.stop()
        await self.recordings.close()
        await self.lines.stop()
        await self.journal.close()
        self.database.close()


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., asyncio.Task[Scene]]]:
    """`await make(folder=None, **settings)`: a scene that has begun."""
    made: list[Scene] = []

    async def begin(folder: Path | None, settings: dict[str, int]) -> Scene:
        scene = Scene(folder or tmp_path, msgspec.convert(settings, RecordingSettings))
        made.append(scene)
        await scene.recordings.load()
        return scene

    def make(folder: Path | None = None, **settings: int) -> asyncio.Task[Scene]:
        return asyncio.create_task(begin(folder, settings))

    yield make
    for scene in made:
        await scene.close()


@pytest.fixture
async def scene(make: Callable[..., asyncio.Task[Scene]]) -> Scene:
    return await make()


# --- begun and ended by people ------------------------------------------------------------------


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


async def test_a_site_that_does_not_want_it(make: Callable[..., asyncio.Task[Scene]]) -> None:
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


# --- ended by what happens -----------------------------------------------------------------------


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


async def test_airboss_stops_in_order(make: Callable[..., asyncio.Task[Scene]], tmp_path: Path) -> None:
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
    make: Callable[..., asyncio.Task[Scene]], tmp_path: Path
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


async def test_what_a_killed_airboss_left_and_somebody_changed(
    make: Callable[..., asyncio.Task[Scene]], tmp_path: Path
) -> None:
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


# --- bounded ------------------------------------------------------------------------------------


async def test_it_ends_at_its_limit_and_the_console_goes_on(make: Callable[..., asyncio.Task[Scene]]) -> None:
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


async def test_the_oldest_that_have_ended_make_room(make: Callable[..., asyncio.Task[Scene]]) -> None:
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


async def test_a_cluster_has_so_many_bytes(make: Callable[..., asyncio.Task[Scene]]) -> None:
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


async def test_one_is_kept_for_so_many_days(make: Callable[..., asyncio.Task[Scene]]) -> None:
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


# --- read, by the rights of the moment -----------------------------------------------------------


async def recorded(scene: Scene, size: int = 200_000) -> str:
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"x" * size)
    await until(lambda: scene.hub._console("a").ring.end > size, 20)
    await scene.act("stop")
    return id


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


async def test_the_journal_has_little_of_idle_ones(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PULSE", 0.01)
    looked = 0
    due = RecordingFile.due

    def counted(file: RecordingFile, time: float) -> bool:
        nonlocal looked
        looked += 1
        return due(file, time)

    monkeypatch.setattr(RecordingFile, "due", counted)
    scene.node("off")
    id = await scene.start()
    await until(lambda: scene.about(id).size and looked > 20, 20)
    assert len(await scene.told()) == 2, "that it has begun, and its header's seal"
    await scene.act("stop")
    assert [event.verb for event in await scene.told()][-1] == ENDED


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
