"""A small hosting cluster on this machine, from real parts: hosts, VMs, an airboss and keys."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import libvirt

from keys import hostkey
from keys.identity import identities
from pilot.client_config import ClientConfig
from pilot.demo import domains, guest, people, processes
from pilot.demo.account import cache_folder
from pilot.demo.cloud import Cloud
from pilot.demo.condor import POOL
from pilot.demo.ec2.fleet import LEASED
from pilot.demo.guest import Guest
from pilot.demo.hypervisor import PrivateHost
from pilot.demo.plan import HOSTS, PLACES, RUNNING
from pilot.demo.pool import Pool
from pilot.demo.port import Port
from pilot.demo.progress import Progress
from pilot.demo.readiness import Readiness
from pilot.demo.state import HOST_PREFIX, StateFolder
from pilot.errors import BackendError, DeadlineError, PilotError
from pilot.link.link import Link
from pilot.link.trust import KnownHosts
from pilot.records import Node
from pilot.wire import Snapshot

READY_SECONDS = 30.0
EC2_SECONDS = 90.0
"""Until airboss shows the instances: the pretended EC2 needs seconds of a processor to begin."""
LEASE_SECONDS = 2700.0
"""Of the instance that is leased: soon enough to be among what needs attention."""


class DemoSite:
    """The whole of it. `build` starts everything, `stop` ends everything and removes it."""

    def __init__(self, folder: Path, progress: Progress, port: int = 0) -> None:
        """Nothing is started yet.

        Args:
            folder: the demo's state; made if missing.
            port: where airboss listens on 127.0.0.1; 0 for its own, 8677, or the next one that is free.
        """
        self.state = StateFolder(folder)
        self.folder = folder
        self.port = port
        self.hosts = [PrivateHost(folder / f"{HOST_PREFIX}{n}", name) for n, name in enumerate(HOSTS)]
        self.pool = Pool(folder)
        self.cloud = Cloud(folder)
        self._progress = progress
        self._airboss: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._port = Port(port)

    @property
    def config(self) -> Path:
        """airboss's configuration: `pilot-agent --config` takes it."""
        return self.folder / "agent.toml"

    @property
    def claimed(self) -> bool:
        """Whether the state folder is this demo's: nothing was begun where another demo has it."""
        return self.state.claimed

    @property
    def airboss_pid(self) -> int | None:
        """Pid of the airboss, or None if it is not running."""
        return None if self._airboss is None or self._airboss.poll() is not None else self._airboss.pid

    def build(self) -> None:
        """Claim the state folder, start hosts and airboss, define the nodes.

        Raises:
            PilotError: a part failed; what was started is ended by `stop`.
        """
        if cleared := self.state.claim():
            self._progress.say(f"  cleared what an earlier demo left: {', '.join(cleared)}")
        self._port = Port(self.port) if self.port else Port.free(people.ADDRESS)
        self.port = self._port.number
        with ThreadPoolExecutor(max_workers=4) as pool:
            image = pool.submit(self._build_guest)
            hosts = pool.submit(self._start_hosts)
            keys = pool.submit(self._make_keys, pool.submit(self.pool.start))
            shared = image.result()
            hosts.result()
            nodes = pool.submit(self._define_nodes, shared)
            keys.result()
            airboss = pool.submit(self.start_airboss)
            nodes.result()
            airboss.result()
        with self._progress.part("airboss's inventory: all nodes on all hosts seen"):
            asyncio.run(self._await_nodes())

    def stop(self) -> None:
        """End every process of the demo and remove its folder."""
        self._stopping = True
        self.stop_airboss()
        self.pool.stop()
        self.cloud.stop()
        self._port.release()
        self.state.release()

    # --- parts ------------------------------------------------------------------------------------

    def _build_guest(self) -> Guest:
        with self._progress.part("guest: Debian's cloud kernel and busybox on a disk"):
            return domains.share(guest.build(), self.folder / "guest")

    def _start_hosts(self) -> None:
        with self._progress.part(f"hosts: {len(self.hosts)} private libvirtd, none of them root's"):
            first, *others = self.hosts
            first.start()
            if not any((cache_folder() / "capabilities").glob("*.xml")):
                # Once for all of them and for all later demos: libvirt asks QEMU what it can do.
                first.ask_capabilities()
                first.keep_capabilities()
            with ThreadPoolExecutor(max_workers=len(others)) as pool:
                for started in [pool.submit(host.start) for host in others]:
                    started.result()

    def _make_keys(self, condor: Future[list[str]]) -> None:
        with self._progress.part("keys: an owner of vc1 (you), an owner of vc2, a site admin, airboss's own"):
            airboss = self.folder / "airboss"
            airboss.mkdir(mode=0o700)
            host_key = hostkey.load_or_create(airboss / "host_key")
            people.entitle(f"sqlite:///{airboss / 'rocks-pilot.db'}", people.make_keys(self.folder))
            asyncio.run(people.write_settings(self.folder, self.port, host_key))
            lines = [
                "[site]",
                'name = "demo"',
                f'listen = ["{people.ADDRESS}:{self.port}"]',
                'state = "airboss"',
            ]
            for host in self.hosts:
                lines += ["", "[[host]]", f'name = "{host.name}"', f'uri = "{host.uri}"']
            lines += self._start_cloud()
            lines += condor.result()
            self._progress.say(f"  beside  {self.pool.words}")
            self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _start_cloud(self) -> list[str]:
        """Start the pretended EC2, if it can be had; gives its lines of agent.toml."""
        if missing := self.cloud.missing():
            self._progress.say(f"  left out: EC2, since {missing} is not installed (requirements-demo.lock)")
            return []
        lines = self.cloud.start(self.state.record)
        self._progress.say(f"  beside  {self.cloud.words}")
        return lines

    def _define_nodes(self, shared: Guest) -> None:
        how = "KVM" if shared.accelerator == "kvm" else "TCG, since KVM boots nothing here"
        with self._progress.part(f"nodes: {len(PLACES)} VMs of two clusters, defined ({how})"):
            for number, host in enumerate(self.hosts):
                documents = [domains.domain_xml(plan, shared) for at, plan in PLACES if at == number]
                try:
                    domains.define(host.uri, documents, shared.disk.parent)
                except libvirt.libvirtError as error:
                    raise BackendError(
                        f"host {host.name} refused a node: {error}", f"Its log: {host.log}"
                    ) from error

    # --- airboss ----------------------------------------------------------------------------------

    def start_airboss(self) -> None:
        """Start airboss and wait until it serves.

        Raises:
            BackendError: it ended; the message has its last words.
            DeadlineError: it did not say that it is ready.
        """
        with (
            self._progress.part(f"airboss: on {people.ADDRESS}:{self.port}"),
            Readiness(self.folder) as readiness,
        ):
            log = self.folder / "airboss.log"
            log.touch(mode=0o600)
            source = str(Path(__file__).parents[2])
            with log.open("ab") as output:
                self._airboss = subprocess.Popen(
                    [sys.executable, "-m", "pilot.agent.main", "serve", "--config", str(self.config)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={
                        **os.environ,
                        **self.cloud.environment,
                        "NOTIFY_SOCKET": str(readiness.path),
                        "PYTHONPATH": source,
                    },
                    start_new_session=True,
                )
            self.state.record("airboss", self._airboss.pid)
            readiness.wait(self._airboss, READY_SECONDS, log)

    def stop_airboss(self, kill: bool = False) -> None:
        """End airboss: SIGTERM and 5 s to obey, or SIGKILL at once."""
        if self._airboss is not None:
            if (process := processes.find(self._airboss.pid)) is not None:
                processes.end([process], grace=0 if kill else 5)
            self._airboss.wait(timeout=5)
            self._airboss = None

    async def _await_nodes(self) -> None:
        """Wait until airboss has seen every node, so that the first verb finds them.

        Raises:
            DeadlineError: it has not; the message says how many.
        """
        seen: set[str] = set()
        async with await self._link(people.ADMIN) as link:
            try:
                async with asyncio.timeout(READY_SECONDS):
                    async for frame in link.watch():
                        records = frame.records if isinstance(frame, Snapshot) else frame.changed
                        seen |= {
                            record.id for record in records if isinstance(record, Node) and record.cluster
                        }
                        if len(seen) >= len(PLACES):
                            return
            except TimeoutError:
                raise DeadlineError(
                    f"airboss saw {len(seen)} of {len(PLACES)} nodes in {READY_SECONDS:g} s"
                ) from None

    async def turn_on(self) -> None:
        """Have the admin turn on, through airboss, the nodes that are on at first.

        Raises:
            PilotError: airboss refused, or a node did not start.
        """
        async with await self._link(people.ADMIN) as link:
            for cluster, names in RUNNING.items():
                reply = await link.call("power.on", cluster, names)
                for outcome in reply.outcomes:
                    if outcome.fault is not None:
                        raise PilotError(f"{cluster}/{outcome.target}: {outcome.fault.message}")

    def turn_on_meanwhile(self) -> None:
        """The same in the background; what goes wrong is said where the person looks."""

        def work() -> None:
            for what, do in (
                ("A node could not be turned on", self.turn_on),
                ("The HTCondor pool was not filled", self._fill_pool),
                ("An instance could not be leased", self.lease),
            ):
                try:
                    asyncio.run(do())
                except PilotError as error:
                    if not self._stopping:
                        self._progress.say(f"{what}: {error.message}")

        threading.Thread(target=work, daemon=True, name="turn-on").start()

    async def lease(self) -> None:
        """Have the owner lease an instance, once EC2 shows it.

        Raises:
            PilotError: airboss refused, or shows no such instance.
        """
        if self.cloud.missing():
            return
        cluster, name = LEASED
        async with await self._link(people.YOU) as link:
            await self._seen(link, cluster, name)
            await link.call("lease.set", cluster, (name,), {"seconds": LEASE_SECONDS})

    async def _fill_pool(self) -> None:
        async with await self._link(people.YOU) as link:

            async def instance_of(name: str) -> str:
                return "" if self.cloud.missing() else (await self._seen(link, POOL, name)).domain

            await self.pool.fill(instance_of)

    async def _seen(self, link: Link, cluster: str, name: str) -> Node:
        """A node, once airboss shows it.

        Raises:
            DeadlineError: it does not.
        """
        try:
            async with asyncio.timeout(EC2_SECONDS):
                async for frame in link.watch(cluster):
                    records = frame.records if isinstance(frame, Snapshot) else frame.changed
                    for record in records:
                        if isinstance(record, Node) and record.name == name:
                            return record
        except TimeoutError:
            pass
        raise DeadlineError(f"airboss did not show {name} of {cluster} within {EC2_SECONDS:g} s")

    async def _link(self, person: people.Person) -> Link:
        config = ClientConfig(self.folder / person.folder)
        site = config.find("demo")
        signers = await identities([Path(site.key)], use_agent=False, ask_passphrase=None)
        return await Link.connect(site, signers, KnownHosts(config.known_hosts))
