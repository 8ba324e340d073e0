"""Nodes that HTCondor jobs run on: drained, and turned off, or otherwise acted on, once they are empty.

What is to be turned off is kept in the database, so that it happens after a restart, too. It ends when the
node has been turned off, by this or otherwise, belongs to another cluster, who asked may not turn it off any
more, or it is taken back (`machine.undrain`).
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from pilot.agent.askers import Asker
from pilot.agent.database import Database
from pilot.agent.drainings_table import Draining, DrainingsTable
from pilot.agent.emptying import Emptying, Machines, Pools
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.late import Late
from pilot.agent.once_empty import OnceEmpty
from pilot.backends.provider import Acted, Provider
from pilot.errors import BusyError, DeadlineError, RefusedError, StorageError
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
        self._look = emptying.look
        self._once_empty = OnceEmpty(self._table, machines, pools, provider_of, journal, late, emptying)
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Acted]] = {}
        self._said: dict[str, str] = {}
        """How far each is."""
        self._rows: dict[str, Draining] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        """Of nodes: who asks and who takes it back at the same time come one after the other."""
        self._ending = False

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
            if node not in self._once_empty.done:
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
        self._once_empty.followed.add(node.id)
        try:
            while True:
                progress(self._said.get(node.id, "draining"))
                done, _ = await asyncio.wait((task,), timeout=self._look)
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
            self._once_empty.followed.discard(node.id)

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
        for machine in machines:
            self._pools.need_live(machine.pool)
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
        if task.done() or node.id in self._once_empty.late:
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
        return await self._once_empty.run(row, lambda words: self._say(row, words))
