"""Who looks at a screen with whom, when things happen at the same time. Real VNC servers: tests/e2e."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest

from pilot import wire
from pilot.agent.database import Database
from pilot.agent.gate import entitle
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.journal_read import read
from pilot.agent.ledger import Ledger
from pilot.agent.screens.screens import Screens
from pilot.agent.sending import Sending
from pilot.agent.settings import Limits
from pilot.agent.shares import Shares
from pilot.backends.libvirt.streams import StreamScreen
from pilot.backends.provider import Acted, Screen, Serial, Sink
from pilot.errors import BackendError, BusyError, RefusedError
from pilot.records import Node, NodeState, Role
from pilot.verbs import Value
from tests.agent.journals import open_database
from tests.agent.test_gate import Registrar
from tests.agent.test_gate import caller as make_caller
from tests.support.waiting import until

NODE = Node("id-0", "compute-0-0", "vc1", "host", "domain", "on", 1.0, screen=True)
SECONDS = 20.0
HELLO = b"RFB 003.008\n\x01\x01"
KEY = b"\x04\x01\0\0\0\0\0a"
RELEASE = b"\x04\0\0\0\0\0\0a"


class Hypervisor:
    """A provider whose VNC servers are the other ends of sockets."""

    def __init__(self) -> None:
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.asked = 0
        self.servers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open_screen(self, _node_id: str) -> Screen:
        self.asked += 1
        await self.may_open.wait()
        ours, theirs = socket.socketpair()
        self.servers.append(await asyncio.open_unix_connection(sock=theirs))
        return StreamScreen(*await asyncio.open_unix_connection(sock=ours))

    async def start(self, sink: Sink) -> None: ...
    async def stop(self) -> None: ...
    def owns(self, node_id: str) -> bool:
        return True

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        raise NotImplementedError

    async def open_console(
        self, node_id: str, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> Serial:
        raise NotImplementedError


class Viewer:
    """A client's end of the stream: an outlet that may stop reading."""

    def __init__(self) -> None:
        self.frames: list[wire.ServerFrame] = []
        self.keys: asyncio.Queue[wire.AnyClientFrame] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.task: asyncio.Task[None]

    async def receive(self) -> wire.AnyClientFrame:
        return await self.keys.get()

    def tell(self, frame: wire.ServerFrame) -> None:
        self.frames.append(frame)

    async def send(self, frame: wire.ServerFrame) -> None:
        self.tell(frame)
        await self.reads.wait()

    @property
    def attached(self) -> wire.ScreenAttached | None:
        return next((frame for frame in self.frames if isinstance(frame, wire.ScreenAttached)), None)

    @property
    def output(self) -> bytes:
        return b"".join(frame.data for frame in self.frames if isinstance(frame, wire.Output))

    @property
    def told(self) -> list[str]:
        return [frame.text for frame in self.frames if isinstance(frame, wire.Notice)]

    def type(self, data: bytes) -> None:
        self.keys.put_nowait(wire.Input(data))

    async def ends(self) -> str:
        async with asyncio.timeout(SECONDS):
            await self.task
        last = self.frames[-1]
        assert isinstance(last, wire.Notice)
        assert last.final
        return last.text


class Place:
    """The screens of one node, and those who come."""

    def __init__(
        self,
        screens: Screens,
        inventory: Inventory,
        hypervisor: Hypervisor,
        ledger: Ledger,
        database: Database,
    ) -> None:
        self.screens = screens
        self.ledger = ledger
        self.database = database
        self.inventory = inventory
        self.hypervisor = hypervisor
        self.registrars: dict[Viewer, Registrar] = {}

    def come(self, role: Role = "owner", **args: Value) -> Viewer:
        """Somebody asks for the screen."""
        viewer = Viewer()
        caller = make_caller(role)
        self.registrars[viewer] = caller._registry  # type: ignore[assignment]
        asked = entitle(caller, "screen.open", "vc1", ("compute-0-0",), args)
        viewer.task = asyncio.create_task(self.screens.serve(caller, asked, viewer))
        return viewer

    async def at(self, role: Role = "owner", **args: Value) -> Viewer:
        """Somebody who is attached."""
        viewer = self.come(role, **args)
        await until(lambda: viewer.attached or viewer.task.done(), SECONDS, "attached")
        if viewer.task.done():
            viewer.task.result()
        return viewer

    def gets(self, viewer: Viewer, role: Role | None) -> None:
        """The role of somebody is another now."""
        registrar = self.registrars[viewer]
        registrar.snapshot = Registrar(role or "viewer", "vc1" if role else "other").snapshot
        self.screens.recheck()

    def node_is(self, **changes: Any) -> None:
        self.inventory.nodes([msgspec.structs.replace(NODE, **changes)])


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = open_database(tmp_path)
    journal = Journal(database, lambda: 1.0)
    ledger = Ledger(journal, asyncssh.generate_private_key("ssh-ed25519"), lambda: 1.0)
    inventory, hypervisor = Inventory(), Hypervisor()
    screens = Screens(inventory, lambda _id: hypervisor, ledger, Shares(Limits()))
    inventory.on_node.append(screens.node_changed)
    inventory.on_gone.append(screens.node_gone)
    inventory.nodes([NODE])
    made = Place(screens, inventory, hypervisor, ledger, database)
    yield made
    for viewer in made.registrars:
        viewer.task.cancel()
    await asyncio.wait([viewer.task for viewer in made.registrars])
    for _, writer in hypervisor.servers:
        writer.close()
    assert screens._rooms == {}
    await ledger.close()
    await journal.close()
    database.close()


async def test_while_somebody_waits_to_be_alone_others_are_late(place: Place) -> None:
    first = await place.at()
    place.hypervisor.may_open.clear()
    early = place.come()
    await until(lambda: place.hypervisor.asked == 2, SECONDS, "one is on the way in")
    alone = place.come(exclusive=True)
    await until(lambda: place.hypervisor.asked == 3, SECONDS, "one wants to be alone")
    late = place.come()
    with pytest.raises(BusyError, match="ada has the screen of compute-0-0 for themselves"):
        await late.task
    place.hypervisor.may_open.set()
    with pytest.raises(BusyError, match="ada has the screen"):
        await early.task
    await until(lambda: alone.attached, SECONDS, "alone")
    assert await first.ends() == "ada has the screen of compute-0-0 for themselves now"
    assert alone.attached == wire.ScreenAttached("id-0", "compute-0-0", True, True, 0)
    alone.type(HELLO)
    async with asyncio.timeout(SECONDS):
        assert await place.hypervisor.servers[-1][0].readexactly(14) == HELLO[:-1] + b"\0"
    place.gets(alone, "viewer")
    assert await alone.ends() == "your role in vc1 is viewer now: it is not yours alone"
    await place.at()


async def test_who_could_not_have_it_alone_keeps_nobody_out(place: Place) -> None:
    place.hypervisor.may_open.clear()
    alone = place.come(exclusive=True)
    await until(lambda: place.hypervisor.asked, SECONDS, "it is on the way in")
    alone.task.cancel()
    await asyncio.wait([alone.task])
    place.hypervisor.may_open.set()
    await place.at()


async def test_what_is_given_up_while_it_opens_has_an_outcome_in_the_journal(place: Place) -> None:
    place.hypervisor.may_open.clear()
    viewer = place.come()
    await until(lambda: place.hypervisor.asked, SECONDS, "it is on the way in")
    viewer.task.cancel()
    await asyncio.wait([viewer.task])
    await place.ledger.close()
    intent, outcome = read(place.database)
    assert (intent.kind, outcome.kind, outcome.intent) == ("intent", "outcome", intent.id)
    assert "opening the screen of compute-0-0 was given up" in str(outcome.result)


async def test_rights_that_change_while_it_opens_count(place: Place) -> None:
    place.hypervisor.may_open.clear()
    out, down = place.come(), place.come("operator")
    await until(lambda: place.hypervisor.asked == 2, SECONDS, "both are on the way in")
    place.gets(out, None)
    place.gets(down, "viewer")
    place.hypervisor.may_open.set()
    with pytest.raises(RefusedError, match="not entitled"):
        await out.task
    await until(lambda: down.attached, SECONDS, "the other one is in")
    assert down.attached is not None
    assert not down.attached.controlling
    reader = place.hypervisor.servers[0][0]
    async with asyncio.timeout(SECONDS):
        assert await reader.read() == b"", "the first one's connection is closed"


async def test_a_role_that_changes_changes_what_reaches_the_guest(place: Place) -> None:
    viewer, other = await place.at(), await place.at("viewer")
    reader = place.hypervisor.servers[0][0]
    viewer.type(HELLO + KEY)
    async with asyncio.timeout(SECONDS):
        await reader.readexactly(14)
        assert await reader.readexactly(8) == KEY
        place.gets(viewer, "viewer")
        assert await reader.readexactly(8) == RELEASE
    viewer.type(KEY)
    await until(lambda: "your role in vc1 is viewer now: you watch" in viewer.told, SECONDS)
    await until(viewer.keys.empty, SECONDS, "what was typed is taken")
    place.gets(viewer, "operator")
    await until(lambda: "your role in vc1 is operator now: you control the screen" in viewer.told, SECONDS)
    viewer.type(KEY.replace(b"a", b"b"))
    async with asyncio.timeout(SECONDS):
        assert await reader.readexactly(8) == KEY.replace(b"a", b"b")
    assert "ada has joined and watches" in viewer.told
    assert not any("role" in text for text in other.told)


@pytest.mark.parametrize(
    ("state", "words"), [("off", "compute-0-0 is off"), ("crashed", "compute-0-0 has crashed")]
)
async def test_the_last_words_wait_for_the_news(place: Place, state: NodeState, words: str) -> None:
    viewer = await place.at()
    place.hypervisor.servers[0][1].close()
    await asyncio.sleep(0)
    assert not viewer.task.done()
    place.node_is(state=state)
    assert await viewer.ends() == words


async def test_a_node_that_moves_or_goes_takes_its_viewers_leave(place: Place) -> None:
    viewer = await place.at()
    place.node_is(writer="bob", watchers=3)
    place.node_is(state="paused")
    place.node_is(state="paused", stale_since=1.0)
    wanted = ["compute-0-0: paused", "the host of compute-0-0 does not answer"]
    await until(lambda: viewer.told == wanted, SECONDS, "it is told")
    place.node_is(cluster="vc2")
    assert await viewer.ends() == "compute-0-0 is not of vc1 any more"
    place.node_is()
    viewer = await place.at()
    place.inventory.gone(["id-0"])
    assert await viewer.ends() == "compute-0-0 is no more"


async def test_who_does_not_read_holds_back_the_own_server_alone(place: Place) -> None:
    deaf, other = await place.at(), await place.at()
    deaf.reads.clear()
    (_, flooding), (_, calm) = place.hypervisor.servers
    async with asyncio.timeout(SECONDS):
        while True:
            flooding.write(b"x" * 65536)
            try:
                async with asyncio.timeout(1):
                    await flooding.drain()
            except TimeoutError:
                break  # the server is held back
    for number in range(1000):
        place.screens.tell("id-0", wire.Notice("sent", f"notice {number}"))
    assert len(deaf.output) <= 256 * 1024
    assert len(deaf.frames) < 10
    calm.write(b"here")
    await until(lambda: other.output == b"here", SECONDS, "the other one goes on")
    place.gets(deaf, None)
    assert "not entitled" in await deaf.ends()
    # Of what it was told meanwhile the newest are kept.
    other.reads.set()
    await until(lambda: "notice 999" in other.told, SECONDS)


async def test_who_has_not_read_it_learns_all_the_same_whether_it_controls(place: Place) -> None:
    viewer = await place.at()
    viewer.reads.clear()
    place.screens.tell("id-0", wire.Notice("sent", "the first, which is on its way"))
    await until(lambda: viewer.told, SECONDS, "it is on its way")
    place.gets(viewer, "viewer")
    for number in range(1000):
        place.screens.tell("id-0", wire.Notice("sent", f"notice {number}"))
    viewer.reads.set()
    await until(lambda: "notice 999" in viewer.told, SECONDS, "the newest")
    notices = [frame for frame in viewer.frames if isinstance(frame, wire.Notice)]
    assert len(notices) <= 66
    assert [notice.writing for notice in notices if notice.writing is not None] == [False]


async def test_a_screen_takes_so_many_and_a_signer_fewer(place: Place) -> None:
    for _ in range(Limits().viewers_per_key):
        await place.at()
    with pytest.raises(BusyError, match="16 viewers of this screen here already"):
        await place.at()


def test_what_was_sent_is_told_and_the_letter_is_typed() -> None:
    typed: list[tuple[str, bytes]] = []
    told: list[tuple[str, str]] = []
    why = ""

    def type_at(node_id: str, data: bytes) -> str:
        typed.append((node_id, data))
        return why

    sending = Sending(type_at, (lambda node_id, notice: told.append((node_id, notice.text)),))
    serial: dict[str, Value] = {"letter": "t", "by": "serial"}
    sending.sent("ada", NODE, "power.off", {})
    assert (typed, told) == ([], [])
    sending.sent("ada", NODE, "send.sysrq", {"letter": "t", "by": "keyboard"})
    sending.sent("ada", NODE, "send.keys", {"keys": "ctrl+\x1bc"})
    sending.sent("eve", NODE, "send.sysrq", serial)
    assert typed == [("id-0", b"t")]
    assert told == [
        ("id-0", "ada sent SysRq t"),
        ("id-0", "ada sent the keys ctrl+\N{REPLACEMENT CHARACTER}c"),
        ("id-0", "eve sent SysRq t"),
    ]
    why = "it is not held"
    with pytest.raises(BackendError, match="not the letter after it: it is not held"):
        sending.sent("ada", NODE, "send.sysrq", serial)
    assert len(told) == 3
