"""Consoles as requests: who may attach to which, journaled from the first to the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.consoles.ring import CAPACITY
from pilot.agent.consoles.tail import Tail
from pilot.agent.consoles.timeout import Timeout
from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.ledger import Ledger
from pilot.agent.outcomes import fault_of
from pilot.agent.settings import ConsoleSettings
from pilot.agent.shares import Shares
from pilot.agent.targets import needs_console, one_node
from pilot.errors import PilotError, RefusedError
from pilot.records import Node, Role, role_covers
from pilot.wire import Outcome, plain

_log = logging.getLogger(__name__)

LAST_WORD_SECONDS = 2.0
"""In which somebody who is sent away from a console may read why."""


class Attachment(msgspec.Struct, frozen=True):
    """A signer at a console."""

    node: Node
    viewer: Viewer
    reply: wire.Reply


class Attaching:
    """Lets signers at the consoles of their own nodes, and away from those that are theirs no more."""

    def __init__(
        self, inventory: Inventory, hub: ConsoleHub, ledger: Ledger, shares: Shares, limits: ConsoleSettings
    ) -> None:
        self._inventory = inventory
        self._hub = hub
        self._ledger = ledger
        self._shares = shares
        self._limits = limits
        self._attached: dict[Viewer, tuple[Caller, str, Timeout]] = {}
        self._tails: dict[Tail, tuple[Caller, str]] = {}

    @asynccontextmanager
    async def attached(self, caller: Caller, asked: Asked) -> AsyncIterator[Attachment]:
        """Hold the console that is asked for while the block runs; whatever ends it, nothing stays.

        Raises:
            UsageError: not exactly one node.
            RefusedError: it is not the signer's, has no serial console, or the role does not reach.
            BusyError: too many are attached, or this signer opens too many.
            StorageError: the journal cannot be written.
        """
        node = self._node(asked)
        mode = cast("Mode", asked.args["mode"])
        self._may_write(caller, asked, node, mode)
        loop = asyncio.get_running_loop()
        with self._shares.take("console", caller.holder, node.id):
            await self._hub.recall(node.id)
            entry = await self._ledger.intend(caller, asked, [node.id])
            try:
                # Rights and membership may have changed while the disk took its time.
                node = self._node(asked)
                may_write = self._may_write(caller, asked, node, mode)
                viewer = await self._hub.attach(node.id, caller.principal, mode, may_write, _back(asked))
            except PilotError as error:
                failed = Outcome(node.name, "failed", node=node.id, state=node.state, fault=fault_of(error))
                await self._ledger.settle(entry, [failed])
                raise
            except BaseException:
                await self._ledger.settle_late(entry, _given_up(node))
                raise
            begun = loop.time()
            timeout = Timeout(viewer, self._limits, caller.role(asked.cluster) or "viewer")
            self._attached[viewer] = caller, asked.cluster, timeout
            try:
                note = "you write" if viewer.attached.writing else "you watch"
                done = Outcome(node.name, "done", node=node.id, state=node.state, note=note)
                reply = await self._ledger.settle(entry, [done])
                async with _patience(viewer):
                    yield Attachment(node, viewer, reply)
            finally:
                timeout.close()
                viewer.close()
                del self._attached[viewer]
                await asyncio.shield(self._left(caller, asked, node, loop.time() - begun))

    @asynccontextmanager
    async def tailed(self, caller: Caller, asked: Asked) -> AsyncIterator[Tail]:
        """Glance at the console that is asked for while the block runs. Nothing of it is journaled.

        Raises:
            UsageError: not exactly one node.
            RefusedError: it is not the signer's.
            BusyError: there are too many tails.
        """
        with self._shares.take("tail", caller.holder):
            await self._hub.recall(self._one(asked).id)
            node = self._one(asked)
            self._role(caller, asked)
            tail = self._hub.tail(node.id)
            self._tails[tail] = caller, asked.cluster
            try:
                yield tail
            finally:
                tail.close()
                del self._tails[tail]

    def recheck(self) -> None:
        """End the consoles of those who may not see them any more; who may only watch, watches."""
        for viewer, (caller, cluster, timeout) in list(self._attached.items()):
            role = caller.role(cluster)
            if role is None:
                viewer.close(f"your key is not entitled to {cluster} any more")
                continue
            timeout.role_is(role)
            if role_covers(role, "operator"):
                viewer.promote(f"your role in {cluster} is {role} now: you may type here")
            else:
                viewer.demote(f"your role in {cluster} is {role} now: you watch")
        for tail, (caller, cluster) in list(self._tails.items()):
            if caller.role(cluster) is None:
                tail.close(f"your key is not entitled to {cluster} any more")

    def _one(self, asked: Asked) -> Node:
        return one_node(self._inventory, asked, "a console")

    def _node(self, asked: Asked) -> Node:
        node = self._one(asked)
        needs_console(node)
        return node

    def _role(self, caller: Caller, asked: Asked) -> Role:
        role = caller.role(asked.cluster)
        if role is None:
            raise RefusedError(
                f"your key is not entitled to {asked.cluster} any more", "Ask the site's admin."
            )
        return role

    def _may_write(self, caller: Caller, asked: Asked, node: Node, mode: Mode) -> bool:
        role = self._role(caller, asked)
        may_write = role_covers(role, "operator")
        if mode == "take" and not may_write:
            raise RefusedError(
                f"typing at {node.name} needs the role operator, yours is {role}", "Watch it with --watch."
            )
        return may_write

    async def _left(self, caller: Caller, asked: Asked, node: Node, seconds: float) -> None:
        try:
            await self._ledger.noted(caller, "console.close", asked, node.id, {"seconds": round(seconds, 1)})
        except PilotError as error:
            _log.error("console.close of %s is not in the journal: %s", node.name, error.message)


@asynccontextmanager
async def _patience(viewer: Viewer) -> AsyncIterator[None]:
    """Run the block, but not for long once the viewer is sent away: it may not read its last word."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as patience:
            viewer.when_closed(lambda: patience.reschedule(loop.time() + LAST_WORD_SECONDS))
            try:
                yield
            finally:
                viewer.when_closed(None)
    except TimeoutError:
        if not patience.expired():
            raise


async def _given_up(node: Node) -> list[Outcome]:
    """What comes of a console that was neither opened nor refused."""
    error = PilotError(f"opening the console of {plain(node.name)} was given up", "Ask again.")
    return [Outcome(node.name, "failed", node=node.id, state=node.state, fault=fault_of(error))]


def _back(asked: Asked) -> int | None:
    """How much of what was printed before is asked for, in bytes; None for all that there is."""
    replay = int(asked.args["replay"])
    return None if replay >= CAPACITY else replay
