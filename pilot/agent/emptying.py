"""Waiting until a node that drains has no HTCondor job any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from pilot.agent.drainings_table import Draining
from pilot.agent.inventory import Inventory
from pilot.errors import PilotError
from pilot.jobs import empty, left
from pilot.records import Machine, Node

_log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks whether a node is empty."""
AGAIN_SECONDS = 30.0
"""After which a machine that does not drain, though it should, is told so again: its startd was restarted."""
ABSENT_SECONDS = 900.0
"""After which a machine that is not in its pool has no jobs: for as long its startd would have been believed.
A collector that was restarted knows no machines at first."""


class Machines(Protocol):
    """Which machines nodes are."""

    def machines_of(self, node_id: str) -> list[Machine]:
        """All machines that a node is."""


class Pools(Protocol):
    """What can drain machines."""

    async def drain(self, machine: Machine, reason: str, undo: bool = False) -> None:
        """Drain a machine, or take that back."""

    def fresh(self, pool: str) -> bool:
        """Whether what is known of a pool's machines is what its collector says now."""

    def need_live(self, pool: str) -> None:
        """Let pass a pool that is asked itself. RefusedError: only a file of its ads is read."""


class Emptying:
    """Waits until nodes are empty. Used on the event loop's thread."""

    def __init__(
        self,
        inventory: Inventory,
        machines: Machines,
        pools: Pools,
        clock: Callable[[], float],
        look: float = LOOK_SECONDS,
        absent: float = ABSENT_SECONDS,
    ) -> None:
        self.look = look
        self._inventory = inventory
        self._machines = machines
        self._pools = pools
        self._clock = clock
        self._absent = absent

    async def wait(self, row: Draining, say: Callable[[str], None]) -> Node | None:
        """Wait until nothing runs on a node any more, its time is up, or it is gone.

        Args:
            row: the node, the machines that it was when it began to drain, and until when.
            say: told how far it is.

        Returns:
            The node as it is then; None if it is gone.
        """
        loop = asyncio.get_running_loop()
        again = loop.time() + AGAIN_SECONDS
        wanted = row.machines
        seen, present = False, loop.time()
        while True:
            node = self._inventory.node(row.node)
            if node is None and seen:
                return None
            # After a restart its host may take a while to tell of it.
            seen = seen or node is not None
            if node is not None and node.stale_since is None:
                if node.state == "off" or node.cluster != row.cluster:
                    return node
                if row.until and self._clock() >= row.until:
                    return node
                machines = self._machines.machines_of(row.node)
                pools = {name.partition("/")[0].removeprefix("machine:") for name in wanted}
                stale = sorted(pool for pool in pools if not self._pools.fresh(pool))
                if not stale and {machine.id for machine in machines}.issuperset(wanted):
                    present = loop.time()
                    if all(empty(machine) for machine in machines):
                        return node
                    say(left(machines))
                elif stale:
                    present = loop.time()
                    say(f"pool {', '.join(stale)} does not answer")
                else:
                    say("it is not in its pool now")
                    if loop.time() - present >= self._absent and all(empty(m) for m in machines):
                        return node
                if loop.time() >= again:
                    again = loop.time() + AGAIN_SECONDS
                    await self._drain_again(row, machines, say)
            await asyncio.sleep(self.look)

    async def _drain_again(
        self, row: Draining, machines: Iterable[Machine], say: Callable[[str], None]
    ) -> None:
        for machine in machines:
            if machine.draining:
                continue
            try:
                await self._pools.drain(machine, row.reason)
            except PilotError as error:
                say(error.message)
                _log.warning("draining %s: %s", machine.name, error.message)
