"""Every node's serial console, held through its provider and shared by many viewers.

The hub follows the inventory: it holds the console of every node that runs, from the first byte if the
start is announced to it, keeps the last of what was printed, and tells viewers what happens to the node.
It knows principals by their name only.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from pilot.agent.consoles.console import Console, Recorder
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.logs import ConsoleLogs
from pilot.agent.consoles.story import RUNS
from pilot.agent.consoles.tail import Tail
from pilot.agent.consoles.tenant import Tenant
from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.backends.provider import Provider, Serial
from pilot.errors import BackendError, PilotError, UnreachableError
from pilot.records import Node
from pilot.wire import Notice, plain

__all__ = ["ConsoleHub", "Mode", "Tail", "Viewer"]

HOLD_DEADLINE = 4.8
"""Seconds a start waits for its console; Sink.starting may take 5."""
STOP_DEADLINE = 5.0

_log = logging.getLogger(__name__)


class ConsoleHub:
    """All consoles of this airboss. All methods are called on the event loop's thread."""

    def __init__(
        self,
        provider_of: Callable[[str], Provider],
        clock: Callable[[], float],
        names: Callable[[str], str],
        presence: Callable[[str, str, int], None],
        chance: random.Random | None = None,
        logs: ConsoleLogs | None = None,
        added: Callable[[str], float] = lambda _cluster: 0.0,
    ) -> None:
        """Nothing is held yet.

        Args:
            provider_of: the provider that drives a node; may raise PilotError.
            clock: seconds since the epoch, for marker lines.
            names: a node's name now, by its id.
            presence: told who types at a node's console (empty: nobody) and how many others are attached.
            chance: for the jitter between tries; tests seed it.
            logs: what keeps on the disk what is printed, if anything does.
            added: when a cluster was added, in seconds since the epoch; 0 if there is none of that name.
        """
        self._provider_of = provider_of
        self._clock = clock
        self._names = names
        self._presence = presence
        self._chance = chance or random.Random()  # noqa: S311 - jitter is no secret
        self._added = added
        self._tenants: dict[str, float] = {}
        """When the clusters of nodes were added, as was known last."""
        self.looked_at: Callable[[str], None] = lambda _node_id: None
        """Told which node's console somebody begins to read."""
        self._logs = logs
        if logs is not None:
            logs.tell = self._tell_all
        self._consoles: dict[str, Console] = {}
        self._nodes: dict[str, Node] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        self._stopped = False

    def node_changed(self, node: Node) -> None:
        """The inventory has a new record of a node. Presence in it is not looked at.

        When the node has moved to another cluster, its console begins anew for the new owners.
        """
        if self._stopped:
            return
        console = self._consoles.get(node.id)
        if console is None and node.serial and node.state in RUNS and node.stale_since is None:
            console = self._console(node.id)  # it is told the record before, so that it sees the change
        before = self._nodes.get(node.id)
        self._nodes[node.id] = node
        self._owned(node, before or node)
        if console is not None:
            console.node_changed(node)

    def clusters_changed(self) -> None:
        """The site's clusters may have changed: one that was added anew has new owners."""
        changed = {cluster for cluster, added in self._tenants.items() if added != self._added(cluster)}
        for node in [node for node in self._nodes.values() if node.cluster in changed]:
            self._owned(node, node)

    def _owned(self, node: Node, before: Node) -> None:
        """See to it that who owns the node now is shown nothing of what was before."""
        added = self._tenants[node.cluster] = self._added(node.cluster)
        tenant = Tenant(node.cluster, added)
        if (console := self._consoles.get(node.id)) is not None:
            name, cluster = plain(before.name), plain(before.cluster)
            text = f"{name} is not {f'of {cluster} any more' if cluster else 'without a cluster any more'}"
            console.owned_by(tenant, text)
        elif self._logs is not None:
            self._logs.belongs(node.id, tenant)

    def node_gone(self, node_id: str) -> None:
        """A node is no more: its console is let go, its streams end."""
        node = self._nodes.pop(node_id, None)
        console = self._consoles.pop(node_id, None)
        if console is not None:
            name = plain(node.name) if node else "the node"
            task = asyncio.create_task(console.stop(f"{name} is no more"), name="console-farewell")
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    async def hold(self, node_id: str) -> None:
        """A node is about to run: returns when its console is held, or after 5 s. Never raises."""
        node = self._nodes.get(node_id)
        if self._stopped or (node is not None and not node.serial):
            return
        try:
            async with asyncio.timeout(HOLD_DEADLINE):
                await self._console(node_id).starting()
        except TimeoutError:
            _log.warning("%s starts without its console being held", node_id)
        except Exception:
            _log.exception("the console of %s cannot be held", node_id)

    async def attach(
        self, node_id: str, principal: str, mode: Mode, may_write: bool, back: int | None = None
    ) -> Viewer:
        """Attach to a node's console, also of a node that is off.

        Nothing is awaited in here: it is attached at once, or not at all. Use the viewer as a context
        manager, so that it is closed whatever happens to its reader.

        Args:
            node_id: the node's UUID.
            principal: who attaches; others are told.
            mode: `write` types if nobody else does and gets the keyboard when it is free, `watch` does
                not ask for it, `take` takes it from all who type, `join` types beside them.
            may_write: whether the role allows to type; without it every mode is `watch`.
            back: how many bytes before the newest to begin at, about; None for all that is kept.

        Raises:
            BackendError: the node has no serial console.
            BusyError: too many are attached.
            UnreachableError: airboss stops.
        """
        if self._stopped:
            raise UnreachableError("airboss stops", "Try again in a moment.")
        node = self._nodes.get(node_id)
        if node is not None and not node.serial:
            raise BackendError(
                f"{plain(node.name)} has no serial console", "Add a <serial> device to its definition."
            )
        self.looked_at(node_id)
        return self._console(node_id).attach(principal, mode, may_write, back)

    def tail(self, node_id: str) -> Tail:
        """Glance at a node's console without being attached to it; close the tail in the end.

        Raises:
            UnreachableError: airboss stops.
        """
        if self._stopped:
            raise UnreachableError("airboss stops", "Try again in a moment.")
        node = self._nodes.get(node_id)
        if node is not None and not node.serial:
            return Tail(None, f"{plain(node.name)} has no serial console")
        self.looked_at(node_id)
        return Tail(self._console(node_id))

    def type_at(self, node_id: str, data: bytes) -> str:
        """Type at a node's console for nobody who is attached; why that is in vain, or nothing."""
        console = self._consoles.get(node_id)
        return "airboss does not hold its console" if console is None else console.type(data)

    def printed(self, node_id: str, data: bytes, gap: bool) -> None:
        """A node printed something that its provider has from elsewhere, while its console is not held.

        `gap`: something before it is missing.
        """
        node = self._nodes.get(node_id)
        if not self._stopped and node is not None and node.serial:
            self._console(node_id).fetched(data, gap)

    def tell(self, node_id: str, notice: Notice) -> None:
        """A notice to all who are attached to a node's console."""
        if (console := self._consoles.get(node_id)) is not None:
            console.tell(notice)

    def record(self, node_id: str, recorder: Recorder | None) -> None:
        """Have somebody told what happens at a node's console, also of a node that is off; None ends it."""
        if recorder is not None and not self._stopped:
            self._console(node_id).record(recorder)
        elif (console := self._consoles.get(node_id)) is not None:
            console.record(None)

    async def recall(self, node_id: str) -> None:
        """What a node printed before airboss began can be shown when this returns, a few seconds at most.

        Await it before `attach` or `tail`.
        """
        node = self._nodes.get(node_id)
        if not self._stopped and node is not None and node.serial:
            await self._console(node_id).recall()

    def log(self, node_id: str) -> ConsoleLog | None:
        """The log of a node's console; None if none is kept."""
        node = self._nodes.get(node_id)
        if self._logs is None or node is None:
            return None
        log = self._logs.of(node_id)
        self._owned(node, node)
        self.looked_at(node_id)
        return log

    async def stop(self) -> None:
        """Let all consoles go and end all streams. Takes 5 s at most."""
        self._stopped = True
        stops = [
            asyncio.create_task(console.stop("airboss stops"), name="console-stop")
            for console in self._consoles.values()
        ]
        tasks = [*stops, *self._farewells]
        self._consoles = {}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_DEADLINE)
            for task in late:
                task.cancel()

    def _console(self, node_id: str) -> Console:
        console = self._consoles.get(node_id)
        if console is None:

            async def open_console(output: Callable[[bytes], None], lost: Callable[[str], None]) -> Serial:
                return await self._provider_of(node_id).open_console(node_id, output, lost)

            console = self._consoles[node_id] = Console(
                node_id,
                open_console,
                lambda: self._name(node_id),
                self._clock,
                lambda writer, watchers: self._presence(node_id, writer, watchers),
                self._chance,
                self._logs.of(node_id) if self._logs is not None else None,
                self._logs.absent_since if self._logs is not None else 0.0,
            )
            node = self._nodes.get(node_id)
            if node is not None:
                self._owned(node, node)
                console.node_changed(node)
        return console

    def _tell_all(self, text: str) -> None:
        for console in self._consoles.values():
            console.tell(Notice("host", text))

    def _name(self, node_id: str) -> str:
        try:
            return self._names(node_id)
        except (KeyError, PilotError):
            return node_id
