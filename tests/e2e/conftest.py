"""A site for end-to-end tests: real hosts, real VMs, a real airboss and its people."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from pilot.agent.journal_read import Filter
from pilot.demo.hypervisor import PrivateHost
from pilot.errors import PilotError
from tests.support.airboss import Airboss
from tests.support.vms import Vm


class Site:
    """One airboss over some private hosts; `vc1` and `vc2` exist, and `ada` owns vc1, `bob` vc2."""

    def __init__(self, airboss: Airboss, hosts: list[PrivateHost]) -> None:
        self.airboss = airboss
        self.hosts = hosts
        self.vms: list[Vm] = []
        self.theirs: list[Vm] = []

    async def up(self) -> Site:
        """Make the clusters and their owners, and start airboss."""
        for cluster in ("vc1", "vc2"):
            self.airboss.editor.add_cluster(cluster, None, False)
        self.ada = await self.airboss.person("ada", "vc1")
        self.bob = await self.airboss.person("bob", "vc2")
        await self.airboss.start()
        return self


MakeSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def make_site(short_folder: Path, hosts: Callable[..., PrivateHost]) -> AsyncIterator[MakeSite]:
    """`await make_site(hosts=2)`: an airboss that serves, over so many fresh hosts."""
    made: list[Airboss] = []

    async def make(
        count: int = 1,
        extra: str = "",
        more: dict[str, str] | None = None,
        prepare: Callable[[Path], None] = lambda _state: None,
    ) -> Site:
        fleet = [hosts(f"vm-container-0-{i}") for i in range(count)]
        folder = Path(tempfile.mkdtemp(prefix="a", dir=short_folder))
        (folder / "state").mkdir(mode=0o700)
        prepare(folder / "state")
        airboss = Airboss(folder, {host.name: host.uri for host in fleet} | (more or {}), extra)
        made.append(airboss)
        return await Site(airboss, fleet).up()

    yield make
    for airboss in made:
        await airboss.stop()
        # Shown where the test failed.
        print(airboss.log.read_text())
        try:
            print(*await airboss.journal(Filter()), sep="\n")
        except PilotError as error:  # a test has taken its disk away
            print(error)


@pytest.fixture
def nodes(define_vm: Callable[..., Vm]) -> Callable[..., list[Vm]]:
    """`nodes(host, "vc1", 2)`: so many nodes of a cluster on a host, off."""

    def define(host: PrivateHost, cluster: str, count: int, first: int = 0) -> list[Vm]:
        return [
            define_vm(host, f"compute-0-{i}", cluster, f"{cluster}-hosted-vm-{i}")
            for i in range(first, first + count)
        ]

    return define
