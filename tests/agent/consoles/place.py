"""One life of an airboss, reduced to its consoles and their logs, and what tests do with it."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.log_reader import LogReader, Query
from pilot.agent.consoles.logs import ConsoleLogs
from pilot.agent.consoles.viewer import Viewer
from pilot.agent.settings import ConsoleLogSettings
from pilot.records import Node
from tests.agent.consoles.conftest import Reader
from tests.agent.consoles.lines import Lines, node
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


def on_disk(root: Path) -> bytes:
    """All bytes of all logs; folders may go meanwhile."""
    found = b""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".log"):
                with contextlib.suppress(FileNotFoundError):
                    found += (Path(folder) / name).read_bytes()
    return found


@contextlib.contextmanager
def stuck_disk() -> Iterator[threading.Event]:
    """A disk that hangs when a log is written, until the end; the event tells that it does."""
    hanging, go_on = threading.Event(), threading.Event()
    real = os.write

    def hang(fd: int, data: bytes) -> int:
        if threading.current_thread().name == "console-log":
            hanging.set()
            assert go_on.wait(60)
        return real(fd, data)

    os.write = hang  # type: ignore[assignment]
    try:
        yield hanging
    finally:
        os.write = real
        go_on.set()
