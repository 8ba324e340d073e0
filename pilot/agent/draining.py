"""Nodes that HTCondor jobs run on: drained, and turned off, or otherwise acted on, once they are empty.

What is to be turned off is kept in the database, so that it happens after a restart, too. It ends when the
node has been turned off, by this or otherwise, belongs to another cluster, who asked may not turn it off any
more, or it is taken back (`machine.undrain`).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from pilot.agent.askers import Asker
from pilot.agent.database import Database
from pilot.agent.drainings_table import Draining, DrainingsTable
from pilot.agent.emptying import Emptying, Machines, Pools
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.late import Late
from pilot.backends.provider import Acted, Provider
from pilot.errors import BusyError, DeadlineError, PilotError, RefusedError, StorageError, UnreachableError
from pilot.jobs import doomed, left, would_die
from pilot.records import Drain, Machine, Node
from pilot.verbs import BY_ID, Value
from pilot.verbs.power import POWER
from pilot.wire import plain

_log = logging.getLogger(__name__)

VERBS = ("machine.drain", "machine.undrain")
LONGEST_REASON = 200
ENDING = frozenset(verb.id for verb in POWER if any(argument.name == "drain" for argument in verb.args))
"""Verbs that end a node's jobs, and can wait for them."""

Progress = Callable[[str], None]


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
        late: Late,
        emptying: Emptying,
        clock: Callable[[], float],
    ) -> None:
        self._table = DrainingsTable(database)
        self._inventory = inventory
        self._machines = machines
        self._pools = pools
        self._provider_of = provider_of
        self._journal = journal
        self._late = late
        self._emptying = emptying
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Acted]] = {}
        self._said: dict[str, str] = {}
        """How far each is."""
        self._rows: dict[str, Draining] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        """Of nodes: who asks and who takes it back at the same time come one after the other."""
        self._settled: set[str] = set()
        """Nodes that are being turned off at this moment, or have just been: too late to take that back."""
        self._forgetting: set[str] = set()
        """Those of them that have been."""
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
        tasks = dict(self._tasks)
        for node, task in tasks.items():
            # What has been done must be forgotten: the next airboss would do it again. The database has
            # deadlines of its own.
            if node not in self._forgetting:
                task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    # --- asked -----------------------------------------------------------------------------------

    async def act(self, principal: str, node: Node, verb: str, args: Mapping[str, Value]) -> str:
        """Drain a node's machines, or take that back; gives what is to be said of it.

        Raises:
            RefusedError: it is no machine of a pool, or airboss may not drain it.
            BusyError: it is being turned off right now.
            BackendError, DeadlineError: HTCondor refused or did not answer.
        """
        if verb == "machine.drain":
            machines = self._of(node)
            reason = plain(str(args.get("reason", "")).strip(), LONGEST_REASON)
            for machine in machines:
                if not machine.draining:
                    await self._pools.drain(machine, reason or f"asked by {plain(principal, 80)}")
            return f"drains already; {left(machines)}" if machines[0].draining else left(machines)
        # First what airboss itself would do: its startd may have left the pool, or not answer.
        async with self._lock(node.id):
            given_up = await self._give_up(node)
            for machine in self._machines.machines_of(node.id) if given_up else self._of(node):
                await self._pools.drain(machine, "", undo=True)
        return "it is not turned off any more once it is empty" if given_up else ""

    def jobs(self, node_id: str) -> bool:
        """Whether HTCondor jobs run on a node."""
        return any(doomed(machine) for machine in self._machines.machines_of(node_id))

    def waits(self, node_id: str) -> bool:
        """Whether a node is turned off once it is empty."""
        return node_id in self._tasks

    async def off(
        self,
        asker: Asker,
        node: Node,
        verb: str,
        args: Mapping[str, Value],
        act: Callable[[], Awaitable[Acted]],
        progress: Progress,
    ) -> Acted:
        """Do what ends a node's jobs: now, or once they have ended.

        Cancelling leaves one that drains to be acted on all the same.

        Args:
            asker: who asked.
            node: which.
            verb: one of ENDING.
            args: its.
            act: does it now.
            progress: told what is waited for.

        Raises:
            RefusedError: jobs run there, and it was not said what is to become of them.
            BusyError: something else is to be done, or is being done.
            PilotError: as for `act`.
        """
        if not args.get("drain"):
            jobs = [slot for machine in self._machines.machines_of(node.id) for slot in doomed(machine)]
            if jobs and not args.get("anyway") and node.state != "off":
                raise RefusedError(
                    f"{would_die(jobs)} with {plain(node.name, 80)}",
                    "`--drain` lets them end first and turns it off then; `--anyway` turns it off now."
                    if verb == "power.off"
                    else "`--drain` lets them end first and does it then; `--anyway` does it now.",
                )
            # Nobody is to find it off, on again, and off once more.
            async with self._lock(node.id):
                await self._give_up(node)
            return await act()
        what = "turned off" if BY_ID[verb].leads_to == "off" else "rebooted"
        reason = f"to be {what}, for {plain(asker.principal, 80)}"
        rest = {name: value for name, value in args.items() if name not in ("drain", "anyway")}
        task = await self.later(asker, node, reason, verb, rest)
        row = self._rows.get(node.id)
        if row is not None and row.verb != verb:
            raise BusyError(
                f"{plain(row.principal, 80)} has asked for {row.verb} once it is empty, and that goes on",
                "`pilot undrain` takes it back; then ask again.",
            )
        self._followed.add(node.id)
        try:
            while True:
                progress(self._said.get(node.id, "draining"))
                done, _ = await asyncio.wait((task,), timeout=self._emptying.look)
                if done:
                    if task.cancelled() and self._ending:
                        raise DeadlineError("airboss is ending", "The next one goes on with it.")
                    if task.cancelled():
                        raise RefusedError(
                            f"{BY_ID[verb].doing} {plain(node.name, 80)} was taken back",
                            "`pilot journal` says by whom.",
                        )
                    return task.result()
        finally:
            self._followed.discard(node.id)

    async def later(
        self,
        asker: Asker,
        node: Node,
        reason: str,
        verb: str,
        args: Mapping[str, Value],
        asked_at: float = 0.0,
        until: float = 0.0,
    ) -> asyncio.Task[Acted]:
        """Drain a node, and turn it off once it is empty, or at `until`; what ends once it is off.

        One that is already on its way is left as it is.

        Args:
            asker: for whom.
            node: which.
            reason: why it drains, for all who look at the pool.
            verb: how it is turned off, or what else is done.
            args: the verb's.
            asked_at: when that was asked; 0 for now.
            until: seconds since the epoch; 0 waits for as long as it takes.

        Raises:
            RefusedError: it is no machine of a pool, or airboss may not drain it.
            BackendError: HTCondor refused.
        """
        async with self._lock(node.id):
            return await self._later(asker, node, reason, verb, args, asked_at, until)

    # --- inside ----------------------------------------------------------------------------------

    def _lock(self, node_id: str) -> asyncio.Lock:
        return self._locks.setdefault(node_id, asyncio.Lock())

    async def _later(
        self,
        asker: Asker,
        node: Node,
        reason: str,
        verb: str,
        args: Mapping[str, Value],
        asked_at: float,
        until: float,
    ) -> asyncio.Task[Acted]:
        if (task := self._tasks.get(node.id)) is not None:
            return task
        machines = self._of(node)
        row = Draining(
            node.id, node.cluster, "\n".join(machine.id for machine in machines), asker.principal, reason,
            asked_at or self._clock(), asker.key, asker.username, verb, until,
            msgspec.json.encode(args).decode(),
        )  # fmt: skip
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
        return self._begin(row)

    def _of(self, node: Node) -> list[Machine]:
        machines = self._machines.machines_of(node.id)
        if not machines:
            raise RefusedError(
                f"{plain(node.name, 80)} is in no HTCondor pool that airboss knows",
                "`pilot slots` lists them.",
            )
        return machines

    def _begin(self, row: Draining) -> asyncio.Task[Acted]:
        self._say(row, left(self._machines.machines_of(row.node)))
        task = asyncio.create_task(self._run(row), name=f"draining {row.node}")
        self._tasks[row.node] = task
        self._rows[row.node] = row
        task.add_done_callback(lambda done: self._ended(row, done))
        return task

    def _say(self, row: Draining, words: str) -> None:
        self._said[row.node] = words
        drain = Drain(row.principal, row.begun, words, row.until, row.verb)
        self._inventory.drained(row.node, row.cluster, drain)

    def _ended(self, row: Draining, task: asyncio.Task[Acted]) -> None:
        if self._tasks.get(row.node) is task:
            del self._tasks[row.node], self._rows[row.node]
            self._settled.discard(row.node)
            self._forgetting.discard(row.node)
            self._said.pop(row.node, None)
            if not self._ending:  # The next airboss goes on with it: nobody is to believe otherwise.
                self._inventory.drained(row.node, row.cluster, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("turning off %s once it is empty: %s", row.node, error)

    async def _give_up(self, node: Node) -> bool:
        """Forget that a node is to be turned off; whether it was to be.

        Raises:
            BusyError: it is being turned off right now.
            StorageError: the database did not take it; nothing is taken back.
        """
        task, row = self._tasks.get(node.id), self._rows.get(node.id)
        if task is None or row is None:
            return False
        if node.id in self._settled:
            raise BusyError(
                f"{plain(node.name, 80)} is being turned off, which was asked for once it is empty",
                "Look what became of it, and ask again.",
            )
        task.cancel()
        await asyncio.wait((task,))
        try:
            await self._table.remove(node.id)
        except StorageError:
            self._begin(row)
            raise
        return True

    async def _run(self, row: Draining) -> Acted:
        """Wait until the node is empty, and turn it off."""
        node = await self._emptying.wait(row, lambda words: self._say(row, words))
        result = "left alone"
        acted = Acted("off", "it was off already")
        try:
            # What is off can be terminated all the same.
            off = node is not None and node.state == "off" and row.verb != "power.terminate"
            if node is None or not off or node.cluster != row.cluster:
                acted = await self._turn_off(row)
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
        self._settled.add(row.node)
        self._forgetting.add(row.node)
        await self._table.remove(row.node)
        # Its asker's own record says so, while he waits.
        followed = row.node in self._followed
        args = {"drain": True, "asked": row.begun}
        if result.startswith("refused: "):
            why = result.removeprefix("refused: ")
            await self._late.refused(
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

    async def _turn_off(self, row: Draining) -> Acted:
        pause = self._emptying.look
        while True:
            # Anew at each try: a host may have been away for days.
            self._late.check(row.asker, row.node, row.cluster, row.verb, row.begun)
            provider = self._provider_of(row.node)
            try:
                if provider is None:
                    raise UnreachableError(f"no host has the node {row.node} now", "")
                doing = f"{'its time is up' if self.jobs(row.node) else 'empty'}: {BY_ID[row.verb].doing}"
                self._say(row, doing)
                args = BY_ID[row.verb].arguments(msgspec.json.decode(row.args))
                self._settled.add(row.node)
                return await provider.act(row.node, row.verb, args, lambda words: self._say(row, words))
            except (UnreachableError, BusyError, DeadlineError) as error:
                self._settled.discard(row.node)
                self._say(row, error.message)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 60.0)
