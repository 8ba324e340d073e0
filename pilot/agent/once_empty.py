"""What becomes of one node that drains: it is waited for, acted on once it is empty, and forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

import msgspec

from pilot.agent.drainings_table import Draining, DrainingsTable
from pilot.agent.emptying import Emptying, Machines, Pools
from pilot.agent.journal import Journal
from pilot.agent.late import Late
from pilot.backends.provider import Acted, Provider
from pilot.errors import BusyError, DeadlineError, PilotError, RefusedError, UnreachableError
from pilot.jobs import doomed
from pilot.records import Machine
from pilot.verbs import BY_ID

_log = logging.getLogger(__name__)

Say = Callable[[str], None]
"""Told how far it is, in words."""


class OnceEmpty:
    """Turns nodes off, or does what else was asked for. Used on the event loop's thread."""

    def __init__(
        self,
        table: DrainingsTable,
        machines: Machines,
        pools: Pools,
        provider_of: Callable[[str], Provider | None],
        journal: Journal,
        rights: Late,
        emptying: Emptying,
    ) -> None:
        self._table = table
        self._machines = machines
        self._pools = pools
        self._provider_of = provider_of
        self._journal = journal
        self._rights = rights
        self._emptying = emptying
        self.followed: set[str] = set()
        """Nodes whose asker still waits, and hears of the end himself."""
        self.late: set[str] = set()
        """Nodes that are being turned off at this moment, or have just been: too late to take that back."""
        self.done: set[str] = set()
        """Those of them that have been: what is left is to forget them."""

    async def run(self, row: Draining, say: Say) -> Acted:
        """Wait until the node is empty, and turn it off; `say` is told how far that is.

        Raises:
            RefusedError: it may not be turned off any more.
            PilotError: as for Provider.act.
        """
        try:
            return await self._run(row, say)
        finally:
            self.late.discard(row.node)
            self.done.discard(row.node)

    # --- inside ----------------------------------------------------------------------------------

    async def _run(self, row: Draining, say: Say) -> Acted:
        node = await self._emptying.wait(row, say)
        result = "left alone"
        acted = Acted("off", "it was off already")
        try:
            # What is off can be terminated all the same.
            off = node is not None and node.state == "off" and row.verb != "power.terminate"
            if node is None or not off or node.cluster != row.cluster:
                acted = await self._turn_off(row, say)
            result = "off" if BY_ID[row.verb].leads_to == "off" else "done"
        except RefusedError as error:
            result = f"refused: {error.message}"
            raise
        except PilotError as error:
            result = f"failed: {error.message}"
            raise
        finally:
            if result != "left alone":
                await self._forget(row, result)
        return acted

    async def _forget(self, row: Draining, result: str) -> None:
        self.late.add(row.node)
        self.done.add(row.node)
        await self._table.remove(row.node)
        # Its asker's own record says so, while he waits.
        followed = row.node in self.followed
        args = {"drain": True, "asked": row.begun}
        if result.startswith("refused: "):
            why = result.removeprefix("refused: ")
            await self._rights.refused(
                row.asker, row.node, row.cluster, row.verb, args, why, journaled=not followed
            )
            await self._undrain(row)
        elif not followed:
            await self._journal.event(
                actor="airboss",
                auth="airboss",
                verb=row.verb,
                cluster=row.cluster,
                targets=[row.node],
                args={**args, "for": row.principal},
                result=result,
            )

    async def _undrain(self, row: Draining) -> None:
        """Nobody turns it off: it may work again, unless somebody else drained it."""
        ours: Iterable[Machine] = [
            machine
            for machine in self._machines.machines_of(row.node)
            if machine.draining and machine.drain_reason == row.reason
        ]
        for machine in ours:
            try:
                await self._pools.drain(machine, "", undo=True)
            except PilotError as error:
                _log.warning("%s stays drained: %s", machine.name, error.message)

    async def _turn_off(self, row: Draining, say: Say) -> Acted:
        pause = self._emptying.look
        while True:
            # Anew at each try: a host may have been away for days.
            self._rights.check(row.asker, row.node, row.cluster, row.verb, row.begun)
            provider = self._provider_of(row.node)
            try:
                if provider is None:
                    raise UnreachableError(f"no host has the node {row.node} now", "")
                jobs = any(doomed(machine) for machine in self._machines.machines_of(row.node))
                doing = f"{'its time is up' if jobs else 'empty'}: {BY_ID[row.verb].doing}"
                say(doing)
                args = BY_ID[row.verb].arguments(msgspec.json.decode(row.args))
                self.late.add(row.node)
                return await provider.act(row.node, row.verb, args, say)
            except (UnreachableError, BusyError, DeadlineError) as error:
                self.late.discard(row.node)
                say(error.message)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 60.0)
