"""What airboss does with a request, whatever it came in by: hello, list, watch, console, power."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, cast

import pilot
from pilot import wire
from pilot.agent import gate, watching
from pilot.agent.caller import Caller
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.ledger import Ledger
from pilot.agent.policy import View, role_in, usable_verbs
from pilot.agent.power import Power, Tell, fault_of, unknown_node
from pilot.agent.settings import Limits
from pilot.agent.targets import natural, resolve
from pilot.errors import BusyError, PilotError, RefusedError, SignatureRefusedError, UsageError
from pilot.records import Node, role_covers
from pilot.wire import Outcome

_log = logging.getLogger(__name__)

_RECORDS_PER_FRAME = 500
"""Node records of one frame: well under wire.MAX_SERVER_FRAME."""


class Outlet(Protocol):
    """Where frames go and a viewer's frames come from."""

    async def receive(self) -> wire.AnyClientFrame:
        """The viewer's next frame."""

    def tell(self, frame: wire.ServerFrame) -> None:
        """Send without waiting."""

    async def send(self, frame: wire.ServerFrame) -> None:
        """Send, and wait while the other side does not read."""


class Service:
    """One site's airboss, without its transport."""

    def __init__(
        self,
        *,
        site: str,
        airboss: str,
        inventory: Inventory,
        hub: ConsoleHub,
        power: Power,
        ledger: Ledger,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._max_acting = limits.requests
        self._max_watching = limits.watchers
        self._acting = 0
        self._watching = 0
        self._attached: dict[Viewer, tuple[Caller, str]] = {}
        self.site = site
        self.airboss = airboss
        self.inventory = inventory
        self._hub = hub
        self._power = power
        self._ledger = ledger
        self._clock = clock

    def hello(self, caller: Caller, ask: wire.HelloAsk) -> wire.Hello:
        """Who airboss is, and who it takes the caller for."""
        grants = caller.grants()
        _log.info("hello principal=%s client=%s", caller.principal, wire.plain(ask.client, 60))
        return wire.Hello(
            v=wire.VERSION,
            site=self.site,
            version=pilot.__version__,
            airboss=self.airboss,
            challenge=caller.challenge,
            time=self._clock(),
            principal=caller.principal,
            key=caller.fingerprint,
            grants=grants,
            verbs=usable_verbs(grants),
        )

    async def serve(self, caller: Caller, request: wire.Request, outlet: Outlet) -> None:
        """Check a signed request and do it; returns when it is done and its stream has ended.

        Raises:
            PilotError: it was refused as a whole, which is journaled, or could not be done.
        """
        try:
            asked = gate.check(request, caller, self.airboss)
        except PilotError as error:
            if isinstance(error, SignatureRefusedError):
                caller.refusals += 1
            _log.warning("refused principal=%s: %s", caller.principal, error.message)
            await self._ledger.refused(caller, request, fault_of(error))
            raise
        await self.do(caller, asked, outlet)

    async def do(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        """Do what was asked by one who may."""
        if asked.verb.id == "node.list":
            self._list(caller, asked, outlet)
        elif asked.verb.id == "watch":
            await self._watch(caller, asked, outlet)
        elif asked.verb.id == "console.open":
            await self._console(caller, asked, outlet)
        else:
            outlet.tell(await self.power(caller, asked, outlet.tell))

    async def power(self, caller: Caller, asked: Asked, tell: Tell) -> wire.Reply:
        """Do a power verb that was asked by one who may.

        Raises:
            BusyError: too many verbs are at work.
            PilotError: as for `Power.run`.
        """
        if self._acting >= self._max_acting:
            raise BusyError(f"{self._acting} verbs are at work here already", "Ask again in a moment.")
        self._acting += 1
        try:
            return await self._power.run(caller, asked, tell)
        finally:
            self._acting -= 1

    def nodes(self, caller: Caller, asked: Asked) -> tuple[list[Node], list[Outcome]]:
        """The nodes that a list names (all that are in view if it names none), and what it named in vain."""
        view = View(caller.grants(), asked.cluster)
        if not asked.targets:
            records = self.inventory.records.values()
            nodes = [r for r in records if isinstance(r, Node) and view.sees_cluster(r.cluster)]
            return sorted(nodes, key=lambda node: (node.cluster, natural(node.name))), []
        if not asked.cluster:
            raise UsageError("a list of named nodes needs a cluster", "Say which with --cluster.")
        resolved = resolve(asked.targets, self.inventory.members(asked.cluster))
        return list(resolved.nodes), [unknown_node(s, asked.cluster) for s in resolved.unknown]

    def _list(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        nodes, unknown = self.nodes(caller, asked)
        for start in range(0, len(nodes), _RECORDS_PER_FRAME):
            chunk = tuple(nodes[start : start + _RECORDS_PER_FRAME])
            last = start + _RECORDS_PER_FRAME >= len(nodes)
            outlet.tell(wire.Reply(outcomes=tuple(unknown) if last else (), records=chunk, more=not last))
        if not nodes:
            outlet.tell(wire.Reply(outcomes=tuple(unknown)))

    async def _watch(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        if self._watching >= self._max_watching:
            raise BusyError(f"{self._watching} watchers are attached here already", "Ask again in a moment.")
        self._watching += 1
        try:
            outlet.tell(wire.Reply())
            await watching.stream(self.inventory, caller, asked.cluster, outlet, self._clock)
        finally:
            self._watching -= 1

    # --- consoles --------------------------------------------------------------------------------

    def console_node(self, asked: Asked) -> Node:
        """The one node whose console is asked for.

        Raises:
            UsageError: not exactly one.
            RefusedError: it is not the signer's, or has no serial console.
        """
        resolved = resolve(asked.targets, self.inventory.members(asked.cluster))
        if resolved.unknown:
            fault = unknown_node(resolved.unknown[0], asked.cluster).fault
            assert fault is not None
            raise RefusedError(fault.message, fault.hint)
        if len(resolved.nodes) != 1:
            raise UsageError(f"a console is of one node, not of {len(resolved.nodes)}", "Name one node.")
        node = resolved.nodes[0]
        if not node.serial:
            raise RefusedError(
                f"{node.name} has no serial console",
                f"The admin adds a <serial type='pty'> device to the domain {node.domain}.",
            )
        return node

    async def attach(self, caller: Caller, asked: Asked) -> tuple[Node, Viewer, wire.Reply]:
        """Open the console that is asked for, journaled.

        Raises:
            PilotError: as for `console_node`, or the journal cannot be written.
        """
        node = self.console_node(asked)
        role = role_in(caller.grants(), asked.cluster)
        may_write = role is not None and role_covers(role, "operator")
        mode = cast("Mode", asked.args["mode"])
        if mode == "take" and not may_write:
            raise RefusedError(
                f"typing at {node.name} needs the role operator, yours is {role}", "Watch it with --watch."
            )
        entry = await self._ledger.intend(caller, asked, [node.id])
        viewer = await self._hub.attach(node.id, caller.principal, mode, may_write)
        self._attached[viewer] = caller, asked.cluster
        note = "you write" if viewer.attached.writing else "you watch"
        reply = await self._ledger.settle(
            entry, [Outcome(node.name, "done", node=node.id, state=node.state, note=note)]
        )
        return node, viewer, reply

    async def detach(self, viewer: Viewer, caller: Caller, asked: Asked, node: Node, seconds: float) -> None:
        """Leave a console, journaled."""
        viewer.close()
        self._attached.pop(viewer, None)
        try:
            await self._ledger.noted(
                caller, "console.close", asked.cluster, node.id, {"seconds": round(seconds, 1)}
            )
        except PilotError as error:
            _log.error("console.close of %s is not in the journal: %s", node.name, error.message)

    def recheck(self) -> None:
        """End the consoles of those who may not see them any more; watchers begin anew with what they may."""
        for viewer, (caller, cluster) in list(self._attached.items()):
            role = caller.role(cluster)
            if role is None:
                viewer.close(f"your key is not entitled to {cluster} any more")
            elif not role_covers(role, "operator"):
                viewer.demote(f"your role in {cluster} is {role} now: you watch")
        self.inventory.resync()

    async def _console(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        loop = asyncio.get_running_loop()
        node, viewer, reply = await self.attach(caller, asked)
        begun = loop.time()
        reading = asyncio.create_task(_from_viewer(viewer, outlet))
        try:
            outlet.tell(reply)
            outlet.tell(viewer.attached)
            async for frame in viewer:
                await outlet.send(frame)
        finally:
            reading.cancel()
            await asyncio.shield(self.detach(viewer, caller, asked, node, loop.time() - begun))


async def _from_viewer(viewer: Viewer, outlet: Outlet) -> None:
    while True:
        frame = await outlet.receive()
        if isinstance(frame, wire.Input):
            await viewer.write(frame.data)
        elif isinstance(frame, wire.Take):
            await viewer.take()
