"""A real airboss over a fleet of the test driver, and sites that are kept connected to it."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from pilot.client_config import Site
from pilot.demo.fleet import Fleet
from pilot.link.backoff import Backoff
from pilot.live.site import Connect, LiveSite
from tests.support.airboss import Airboss, Person
from tests.support.waiting import until

NODES = 12


@pytest.fixture
async def boss(short_folder: Path) -> AsyncIterator[Airboss]:
    """An airboss that serves, over NODES nodes of vc1; vc2 is empty."""
    folder = Path(tempfile.mkdtemp(prefix="l", dir=short_folder))
    folder.chmod(0o711)
    with Fleet(folder / "h", "fleet", NODES) as fleet:
        made = Airboss(folder, {"fleet": fleet.uri})
        for cluster in ("vc1", "vc2"):
            made.editor.add_cluster(cluster, None, False)
        await made.start()
        yield made
        await made.stop()
        print(made.log.read_text())


@pytest.fixture
async def ada(boss: Airboss) -> Person:
    """The owner of vc1."""
    return await boss.person("ada", "vc1")


class MakeLive(Protocol):
    """Runs a live site for a person, or with a way to connect of one's own."""

    def __call__(self, who: Person | Connect, backoff: Backoff | None = None) -> LiveSite: ...


@pytest.fixture
async def live() -> AsyncIterator[MakeLive]:
    made: list[tuple[LiveSite, asyncio.Task[None]]] = []

    def make(who: Person | Connect, backoff: Backoff | None = None) -> LiveSite:
        connect = who.link if isinstance(who, Person) else who
        site = LiveSite(Site("test", "127.0.0.1"), connect, backoff=backoff)
        made.append((site, asyncio.create_task(site.run())))
        return site

    yield make
    for site, running in made:
        await site.close()
        assert running.done()
        assert running.cancelled()


async def becomes(site: LiveSite, state: str, deadline: float = 10.0) -> None:
    """Await a state."""
    try:
        await until(lambda: site.state == state, deadline)
    except AssertionError:
        raise AssertionError(f"not {state} within {deadline:g} s, is {site.state}: {site.error}") from None


@contextmanager
def stopped(boss: Airboss) -> Iterator[Callable[[], None]]:
    """SIGSTOP airboss; SIGCONT when told, and in the end."""
    process = boss.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)

    def go_on() -> None:
        os.kill(process.pid, signal.SIGCONT)

    try:
        yield go_on
    finally:
        go_on()
