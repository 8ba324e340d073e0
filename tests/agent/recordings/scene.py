"""An airboss's recordings, on consoles that are sockets and a journal on the disk."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.journal_verify import verify_journal
from pilot.agent.recordings.audit import Audit, audit
from pilot.agent.recordings.events import Event, events
from pilot.agent.recordings.notary import Notary
from pilot.agent.recordings.recordings import Recordings
from pilot.agent.recordings.shelf import Shelf
from pilot.agent.recordings.streams import RecordingStreams
from pilot.agent.settings import Limits, RecordingSettings
from pilot.agent.shares import Shares
from pilot.asciicast import Reader
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
        self.notary = Notary(self.root, self.journal, self.database, self._clock)
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


MakeScene = Callable[..., "asyncio.Task[Scene]"]
"""`await make(folder=None, **settings)`: a scene that has begun."""


async def recorded(scene: Scene, size: int = 200_000) -> str:
    """Record so many bytes; the id."""
    await scene.on()
    id = await scene.start()
    await scene.lines["a"].print(b"x" * size)
    await until(lambda: scene.hub._console("a").ring.end > size, 20)
    await scene.act("stop")
    return id
