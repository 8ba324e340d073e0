"""Nodes that HTCondor jobs run on: drained, and turned off once they are empty.

What is to be turned off is kept in the database, so that it happens after a restart, too. It ends when the
node has been turned off, by this or otherwise, belongs to another cluster, or it is taken back
(`machine.undrain`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from pilot.agent.database import Database
from pilot.agent.drainings_table import Draining, DrainingsTable
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.backends.provider import Acted, Provider
from pilot.errors import BusyError, DeadlineError, PilotError, RefusedError, UnreachableError
from pilot.jobs import doomed, empty, job_words, left
from pilot.records import Machine, Node
from pilot.verbs import Value
from pilot.wire import plain

_log = logging.getLogger(__name__)

VERBS = ("machine.drain", "machine.undrain")
LOOK_SECONDS = 1.0
"""Between two looks whether a node is empty."""
AGAIN_SECONDS = 30.0
"""After which a machine that does not drain, though it should, is told so again: its startd was restarted."""
LONGEST_REASON = 200
ABSENT_SECONDS = 900.0
"""After which a machine that is not in its pool has no jobs: for as long its startd would have been believed.
A collector that was restarted knows no machines at first."""

Progress = Callable[[str], None]


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


class Drainings:
    """What is drained, and what is turned off after that. Used on the event loop's thread."""

    def __init__(
        self,
        database: Database,
        inventory: Inventory,
        machines: Machines,
        pools: Pools,
        provider_of: Callable[[str], Provider | None],
        journal: Journal,
        clock: Callable[[], float],
        look: float = LOOK_SECONDS,
        absent: float = ABSENT_SECONDS,
    ) -> None:
        self._table = DrainingsTable(database)
        self._inventory = inventory
        self._machines = machines
        self._pools = pools
        self._provider_of = provider_of
        self._journal = journal
        self._clock = clock
        self._look = look
        self._absent = absent
        self._rows: dict[str, Draining] = {}
        self._tasks: dict[str, asyncio.Task[Acted]] = {}
        self._said: dict[str, str] = {}
        """How far each is."""
        self._ending = False
        self._followed: set[str] = set()
        """Nodes whose asker still waits, and hears of the end himself."""

    async def load(self) -> None:
        """Take up what earlier airbosses had begun.

        Raises:
            StorageError: it cannot be read.
        """
        for row in await self._table.rows():
            _log.info("%s is turned off once it is empty, for %s", row.node, plain(row.principal, 80))
            self._begin(row)

    async def stop(self) -> None:
        """Leave what is left to the next airboss."""
        self._ending = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- asked -----------------------------------------------------------------------------------

    async def act(self, principal: str, node: Node, verb: str, args: Mapping[str, Value]) -> str:
        """Drain a node's machines, or take that back; gives what is to be said of it.

        Raises:
            RefusedError: it is no machine of a pool, or airboss may not drain it.
            BackendError, DeadlineError: HTCondor refused or did not answer.
        """
        machines = self._of(node)
        if verb == "machine.drain":
            reason = plain(str(args.get("reason", "")).strip(), LONGEST_REASON)
            for machine in machines:
                if not machine.draining:
                    await self._pools.drain(machine, reason or f"asked by {plain(principal, 80)}")
            return f"drains already; {left(machines)}" if machines[0].draining else left(machines)
        given_up = await self._give_up(node.id)
        for machine in machines:
            await self._pools.drain(machine, "", undo=True)
        return "it is not turned off any more once it is empty" if given_up else ""

    async def off(
        self,
        principal: str,
        node: Node,
        args: Mapping[str, Value],
        act: Callable[[], Awaitable[Acted]],
        progress: Progress,
    ) -> Acted:
        """Turn a node off: now, or once its jobs have ended.

        Cancelling leaves one that drains to be turned off all the same.

        Args:
            principal: who asked.
            node: which.
            args: of `power.off`.
            act: turns it off now.
            progress: told what is waited for.

        Raises:
            RefusedError: jobs run there, and it was not said what is to become of them.
            PilotError: as for `act`.
        """
        if not args.get("drain"):
            jobs = [slot for machine in self._machines.machines_of(node.id) for slot in doomed(machine)]
            if jobs and not args.get("anyway") and node.state != "off":
                raise RefusedError(
                    f"{job_words(jobs)} would die with {plain(node.name, 80)}",
                    "`--drain` lets them end first and turns it off then; `--anyway` turns it off now.",
                )
            # Nobody is to find it off, on again, and off once more.
            await self._give_up(node.id)
            return await act()
        machines = self._of(node)
        task = self._tasks.get(node.id)
        if task is None:
            reason = f"to be turned off, for {plain(principal, 80)}"
            ids = " ".join(machine.id for machine in machines)
            row = Draining(node.id, node.cluster, ids, principal, reason, self._clock())
            await self._table.put(row)
            try:
                for machine in machines:
                    if not machine.draining:
                        await self._pools.drain(machine, reason)
            except DeadlineError:
                pass  # It may have happened, and is tried again.
            except BaseException:
                await self._table.remove(node.id)
                raise
            task = self._begin(row)
        self._followed.add(node.id)
        try:
            while True:
                progress(self._said.get(node.id, "draining"))
                done, _ = await asyncio.wait((task,), timeout=self._look)
                if done:
                    if task.cancelled() and self._ending:
                        raise DeadlineError("airboss is ending", "The next one goes on with it.")
                    if task.cancelled():
                        raise RefusedError(
                            f"turning off {plain(node.name, 80)} was taken back",
                            "`pilot journal` says by whom.",
                        )
                    return task.result()
        finally:
            self._followed.discard(node.id)

    # --- inside ----------------------------------------------------------------------------------

    def _of(self, node: Node) -> list[Machine]:
        machines = self._machines.machines_of(node.id)
        if not machines:
            raise RefusedError(
                f"{plain(node.name, 80)} is in no HTCondor pool that airboss knows",
                "`pilot slots` lists them.",
            )
        return machines

    def _begin(self, row: Draining) -> asyncio.Task[Acted]:
        task = asyncio.create_task(self._run(row), name=f"draining {row.node}")
        self._rows[row.node], self._tasks[row.node] = row, task
        task.add_done_callback(lambda done: self._ended(row, done))
        return task

    def _ended(self, row: Draining, task: asyncio.Task[Acted]) -> None:
        if self._tasks.get(row.node) is task:
            del self._tasks[row.node], self._rows[row.node]
            self._said.pop(row.node, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("turning off %s once it is empty: %s", row.node, error)

    async def _give_up(self, node_id: str) -> bool:
        """Forget that a node is to be turned off; whether it was to be."""
        task = self._tasks.get(node_id)
        if task is None:
            return False
        await self._table.remove(node_id)
        task.cancel()
        await asyncio.wait((task,))
        return True

    async def _run(self, row: Draining) -> Acted:
        """Wait until the node is empty, and turn it off."""
        node = await self._empty(row)
        result: object = "left alone"
        acted = Acted("off", "it was off already")
        try:
            if node is None or node.cluster != row.cluster:
                raise RefusedError(f"{row.node} is not a node of {plain(row.cluster, 80)} any more", "")
            if node.state != "off":
                acted = await self._turn_off(row)
            result = "off"
        except PilotError as error:
            result = f"failed: {error.message}"
            raise
        finally:
            if result != "left alone":
                await self._forget(row, result)
        return acted

    async def _forget(self, row: Draining, result: object) -> None:
        await self._table.remove(row.node)
        if row.node in self._followed:
            return  # Its asker's own record says so.
        await self._journal.event(
            actor="airboss",
            auth="airboss",
            verb="power.off",
            cluster=row.cluster,
            targets=[row.node],
            args={"drain": True, "for": row.principal, "asked": row.begun},
            result=result,
        )

    async def _empty(self, row: Draining) -> Node | None:
        """Wait until nothing runs there any more, or the node is gone; the node as it is then."""
        loop = asyncio.get_running_loop()
        again = loop.time() + AGAIN_SECONDS
        wanted = row.machine.split()
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
                machines = self._machines.machines_of(row.node)
                pools = {name.partition("/")[0].removeprefix("machine:") for name in wanted}
                stale = sorted(pool for pool in pools if not self._pools.fresh(pool))
                if not stale and {machine.id for machine in machines}.issuperset(wanted):
                    present = loop.time()
                    if all(empty(machine) for machine in machines):
                        return node
                    self._said[row.node] = left(machines)
                elif stale:
                    present = loop.time()
                    self._said[row.node] = f"pool {', '.join(stale)} does not answer"
                else:
                    self._said[row.node] = "it is not in its pool now"
                    if loop.time() - present >= self._absent and all(empty(m) for m in machines):
                        return node
                if loop.time() >= again:
                    again = loop.time() + AGAIN_SECONDS
                    await self._drain_again(row, machines)
            await asyncio.sleep(self._look)

    async def _drain_again(self, row: Draining, machines: Iterable[Machine]) -> None:
        for machine in machines:
            if machine.draining:
                continue
            try:
                await self._pools.drain(machine, row.reason)
            except PilotError as error:
                self._said[row.node] = error.message
                _log.warning("draining %s: %s", machine.name, error.message)

    async def _turn_off(self, row: Draining) -> Acted:
        pause = self._look
        while True:
            provider = self._provider_of(row.node)
            try:
                if provider is None:
                    raise UnreachableError(f"no host has the node {row.node} now", "")
                self._said[row.node] = "empty: turning it off"
                return await provider.act(row.node, "power.off", {}, lambda _: None)
            except (UnreachableError, BusyError, DeadlineError) as error:
                self._said[row.node] = error.message
            await asyncio.sleep(pause)
            pause = min(2 * pause, 60.0)
