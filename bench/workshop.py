"""What measurements are made with: a folder, hosts, a real airboss and somebody who asks it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import libvirt
import msgspec

from pilot.client_config import ClientConfig, Site
from pilot.demo import domains
from pilot.demo.domains import NodePlan, domain_xml
from pilot.demo.fleet import Fleet
from pilot.demo.guest import Guest
from pilot.demo.hypervisor import PrivateHost
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.records import Node
from tests.support.airboss import Airboss, Person

ROOT = Path(__file__).parents[1]
CLUSTER = "vc1"
COMMAND_SECONDS = 120.0

Notes = list[str]


class Workshop:
    """One run's folder and what is said meanwhile. An async context manager; at its end all is gone."""

    def __init__(self, disk: Path) -> None:
        """`disk` is a folder on the disk that the journal is measured on."""
        self.disk = disk
        self.notes: Notes = []
        """Facts that belong under the table."""
        # A short path that unprivileged accounts may pass: libvirt makes sockets below it.
        self.folder = Path(tempfile.mkdtemp(prefix="rpb", dir="/tmp"))
        self.folder.chmod(0o711)

    async def __aenter__(self) -> Workshop:
        return self

    async def __aexit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, text: str) -> None:
        """Tell what is going on; not on stdout, which is the table's."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def fresh(self, prefix: str) -> Path:
        """A new folder, passable for all."""
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder))
        folder.chmod(0o711)
        return folder

    @asynccontextmanager
    async def host(self, plans: Sequence[NodePlan], guest: Guest | None = None) -> AsyncIterator[PrivateHost]:
        """A private QEMU host with these nodes, off; without a guest they are there to be listed only."""
        host = PrivateHost(self.fresh("h") / "h", "vm-container-0-0")
        guest = guest or Guest(self.folder / "none.img", "tcg")
        await asyncio.to_thread(host.start)
        try:
            await asyncio.to_thread(host.ask_capabilities)
            await asyncio.to_thread(domains.define, host.uri, [domain_xml(plan, guest) for plan in plans])
            yield host
        finally:
            await asyncio.to_thread(host.clear)

    @asynccontextmanager
    async def fleet(self, count: int) -> AsyncIterator[Fleet]:
        """A private host with so many nodes of libvirt's test driver, off."""
        fleet = Fleet(self.fresh("f") / "h", "vm-container-0-0", count)
        await asyncio.to_thread(fleet.start)
        try:
            yield fleet
        finally:
            await asyncio.to_thread(fleet.stop)

    @asynccontextmanager
    async def site(self, hosts: Mapping[str, str], nodes: int) -> AsyncIterator[Bench]:
        """An airboss over these hosts that has seen so many nodes, and ada, who owns them."""
        airboss = Airboss(self.fresh("a"), hosts)
        airboss.editor.add_cluster(CLUSTER, None, False)
        ada = await airboss.person("ada", CLUSTER)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(airboss.stop)
            await airboss.start()
            site = Bench(airboss, ada)
            await site.remember()
            await site.await_nodes(nodes)
            yield site


class Bench(msgspec.Struct, frozen=True):
    """A running airboss and its person."""

    airboss: Airboss
    ada: Person

    @property
    def config(self) -> ClientConfig:
        """The configuration folder of `pilot` for ada."""
        return ClientConfig(Path(self.ada.environment["PILOT_CONFIG"]))

    async def remember(self) -> None:
        """Do what `pilot login` does, so that `pilot` as ada knows the site."""
        site = Site("test", "127.0.0.1", self.airboss.port, key=str(self.ada.key), cluster=CLUSTER)
        self.config.remember(site)
        async with await self.ada.link() as link:
            key = link._connection.get_server_host_key()
            assert key is not None
        known = KnownHosts(self.config.known_hosts, accept_first_use)
        await known.first_use(site.host, site.port, key.public_data, "")

    async def await_nodes(self, count: int) -> None:
        """Wait until airboss has seen so many nodes."""
        async with asyncio.timeout(60), await self.ada.link() as link:
            seen: set[str] = set()
            async for frame in link.watch(CLUSTER):
                records = getattr(frame, "records", ()) or getattr(frame, "changed", ())
                seen |= {record.id for record in records if isinstance(record, Node)}
                if len(seen) >= count:
                    return


def node_plans(count: int) -> list[NodePlan]:
    """Nodes compute-0-0 and so on, whose domains are vm-0 and so on."""
    return [NodePlan(f"compute-0-{number}", f"vm-{number}", CLUSTER) for number in range(count)]


def quiet_libvirt() -> None:
    """libvirt prints every error on stderr besides raising it."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)


def console_script(name: str) -> list[str]:
    """A command of ours as it is installed, or as a module if it is not."""
    script = Path(sys.executable).with_name(name)
    module = {"pilot": "pilot.cli", "pilot-agent": "pilot.agent.main"}[name]
    return [str(script)] if script.exists() else [sys.executable, "-m", module]


async def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bytes:
    """Run a command; what it printed.

    Raises:
        RuntimeError: it failed; with its words.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment or os.environ),
        cwd=ROOT,
    )
    async with asyncio.timeout(COMMAND_SECONDS):
        out, err = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {err.decode(errors='replace')}")
    return out
