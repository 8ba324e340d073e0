"""Leases: nodes that airboss turns off at a time, because people forget to, unless somebody renews that.

They are kept in the database, so that a restart changes nothing. Nobody's node goes off unwarned: where
airboss was not there to warn, the lease lasts a little longer. What cannot be done then is tried again; what
who gave the lease may not do any more is refused. A node with HTCondor jobs is drained first, for a while.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import logging
from collections.abc import Callable, Mapping

import msgspec

from pilot.agent.askers import Asker
from pilot.agent.database import Database
from pilot.agent.draining import Drainings
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.late import Late, shutdown_args
from pilot.agent.leases_table import Leased, LeasesTable
from pilot.agent.outcomes import fault_of
from pilot.backends.provider import Provider
from pilot.errors import BusyError, DeadlineError, PilotError, RefusedError, StorageError, UsageError
from pilot.records import Node
from pilot.verbs import Value
from pilot.verbs.leases import LONGEST, warned_before
from pilot.wire import Notice, Outcome, Result, plain

_log = logging.getLogger(__name__)

VERBS = ("lease.set", "lease.renew", "lease.cancel")
TICK_SECONDS = 1.0
FOLLOW_TICKS = 5
"""After so many ticks, what another airboss of the same database wrote is taken up."""
LEAST_WARNING = 60.0
AGAIN_FIRST, AGAIN_LAST = 30.0, 3600.0
"""Seconds between two tries to turn a node off."""
GIVE_UP_SECONDS = 7 * 86_400.0
"""After which a lease is forgotten that never could be kept: its node is not seen any more."""
AT_ONCE = 16
"""Nodes that are turned off at the same time."""
_OFF = "power.shutdown"
"""How a node is turned off."""


class Leases:
    """Which nodes are leased until when. Used on the event loop's thread."""

    def __init__(
        self,
        database: Database,
        inventory: Inventory,
        provider_of: Callable[[str], Provider | None],
        journal: Journal,
        late: Late,
        drainings: Drainings,
        tell: Callable[[str, Notice], None],
        clock: Callable[[], float],
        drain_seconds: float = 0.0,
        tick: float = TICK_SECONDS,
        again: float = AGAIN_FIRST,
    ) -> None:
        """`tell` tells those who are at a node's console; `drain_seconds`: for how long jobs may go on."""
        self._table = LeasesTable(database)
        self._inventory = inventory
        self._provider_of = provider_of
        self._journal = journal
        self._late = late
        self._drainings = drainings
        self._drain_seconds = drain_seconds
        self._tell = tell
        self._clock = clock
        self._tick = tick
        self._again = again
        self._rows: dict[str, Leased] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tries: dict[str, tuple[int, float]] = {}
        """How often it was tried, and when it is tried again."""
        self._room = asyncio.Semaphore(AT_ONCE)
        self._trouble = ""

    async def load(self) -> None:
        """Take what the database says.

        Raises:
            StorageError: it cannot be read.
        """
        self._rows = await self._table.rows()
        self._told()

    async def run(self) -> None:
        """Warn, and turn off, for ever. Troubles with the database are logged, once each."""
        ticks = 0
        try:
            while True:
                await asyncio.sleep(self._tick)
                ticks += 1
                try:
                    if ticks % FOLLOW_TICKS == 0:
                        await self.load()
                    await self._look()
                except PilotError as error:
                    if error.message != self._trouble:
                        _log.error("leases: %s", error.message)
                    self._trouble = error.message
                else:
                    self._trouble = ""
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # --- asked -----------------------------------------------------------------------------------

    async def act(self, asker: Asker, node: Node, verb: str, args: Mapping[str, Value]) -> str:
        """Give, renew or cancel a lease; what is to be said of it.

        Raises:
            UsageError: no time, or one that will not do.
            RefusedError: there is no lease to renew.
            BusyError: its end has come, or somebody else was quicker.
            StorageError: the database did not take it.
        """
        old = self._rows.get(node.id)
        if old is not None and old.cluster != node.cluster:
            old = None
        if old is not None and node.id in self._tasks:
            raise BusyError(
                f"the lease of {plain(node.name, 80)} is over: it is being turned off",
                "`power.on` turns it on again.",
            )
        if old is None and verb != "lease.set" and self._drainings.waits(node.id):
            raise BusyError(
                f"{plain(node.name, 80)} is turned off already, once its HTCondor jobs have ended",
                "`pilot undrain` takes that back; then `pilot lease` gives it another lease.",
            )
        if verb == "lease.cancel":
            if old is None:
                return "it had no lease"
            await self._put(None, old)
            return f"it was to go off at {moment(old.ends)}"
        now = self._clock()
        if verb == "lease.renew":
            if old is None:
                raise RefusedError(f"{plain(node.name, 80)} has no lease", "`lease.set` gives it one.")
            ends = now + (float(args["seconds"]) or old.seconds)
            seconds = float(args["seconds"]) or old.seconds
            if not args["seconds"]:
                ends = max(ends, old.ends)
        else:
            ends = _ends(args, now)
            seconds = ends - now
        row = Leased(
            node.id, node.cluster, ends, seconds, asker.principal, now, key=asker.key, username=asker.username
        )
        await self._put(row, old)
        return f"goes off at {moment(ends)}"

    async def _put(self, row: Leased | None, old: Leased | None) -> None:
        if row is not None:
            done = await self._table.put(row, old)
        else:
            assert old is not None
            done = await self._table.remove(old)
        await self.load()
        self._tries.pop((row or old).node, None)  # type: ignore[union-attr]
        if not done:
            raise BusyError("its lease has just been changed by somebody else", "Look, and ask again.")

    # --- by itself -------------------------------------------------------------------------------

    async def _look(self) -> None:
        now = self._clock()
        for row in list(self._rows.values()):
            if row.node in self._tasks:
                continue
            warning = warned_before(row.seconds)
            if not row.warned and now >= row.ends - warning:
                await self._warn(row, now, min(LEAST_WARNING, warning))
            elif row.warned and now >= row.ends and now >= self._tries.get(row.node, (0, 0.0))[1]:
                task = asyncio.create_task(self._end(row), name=f"lease of {row.node}")
                self._tasks[row.node] = task
                task.add_done_callback(functools.partial(self._ended, row))

    def _ended(self, row: Leased, task: asyncio.Task[None]) -> None:
        del self._tasks[row.node]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the lease of %s", row.node, exc_info=error)
            self._later(row)

    async def _warn(self, row: Leased, now: float, least: float) -> None:
        node = self._inventory.node(row.node)
        if node is None:
            # After a restart it may not be seen yet: it is warned when it is.
            return await self._forget(row) if now > row.ends + GIVE_UP_SECONDS else None
        warned = msgspec.structs.replace(row, warned=True, ends=max(row.ends, now + least))
        if not await self._table.put(warned, row):
            return await self.load()
        self._rows[row.node] = warned
        self._told()
        if node.cluster == row.cluster and node.state != "off":
            text = f"goes off at {moment(warned.ends)}: its lease, given by {plain(row.principal, 80)}, ends"
            self._tell(row.node, Notice("power", f"{plain(node.name, 80)} {text}. `pilot lease` renews it"))
        return None

    async def _end(self, row: Leased) -> None:
        """Turn it off, and forget the lease if that is done."""
        async with self._room:
            node = self._inventory.node(row.node)
            if node is None or node.stale_since is not None:
                if self._clock() > row.ends + GIVE_UP_SECONDS:
                    await self._forget(row)
                else:
                    self._later(row)
                return
            try:
                self._late.check(row.asker, node.id, row.cluster, "lease.set", row.given)
            except RefusedError as error:
                args = {"lease": row.ends, "given": row.given}
                await self._late.refused(row.asker, node.id, row.cluster, _OFF, args, error.message)
                await self._forget(row)
                return
            if node.state == "off" or await self._drain(row, node) or await self._turn_off(row, node):
                await self._forget(row)
            else:
                self._later(row)

    async def _drain(self, row: Leased, node: Node) -> bool:
        """Leave it to who turns off what is empty, where jobs run on it; whether that is so."""
        until = row.ends + self._drain_seconds
        if self._drainings.waits(node.id):
            return True
        if not self._drainings.jobs(node.id) or self._clock() >= until:
            return False
        reason = f"its lease is over, given by {plain(row.principal, 80)}"
        try:
            await self._drainings.later(row.asker, node, reason, _OFF, shutdown_args(node), row.given, until)
        except StorageError:
            raise
        except PilotError as error:
            _log.warning(
                "%s is turned off with its jobs, since it is not drained: %s", node.id, error.message
            )
            return False
        return True

    async def _turn_off(self, row: Leased, node: Node) -> bool:
        args = shutdown_args(node)
        intent = await self._journal.intent(
            actor=f"airboss for {row.principal}",
            fingerprint="",
            auth="airboss",
            cluster=row.cluster,
            verb=_OFF,
            targets=[node.id],
            args={**args, "lease": row.ends, "for": row.principal, "given": row.given},
        )
        begun = self._clock()
        outcome = Outcome(node.name, "unknown", node=node.id, note="airboss ended meanwhile")
        try:
            provider = self._provider_of(node.id)
            if provider is None:
                raise RefusedError("it is gone", "`pilot nodes` lists what is there.")
            acted = await provider.act(node.id, _OFF, args, lambda _text: None)
            seconds = round(max(0.0, self._clock() - begun), 4)
            outcome = Outcome(
                node.name, "done", node=node.id, state=acted.state, note=acted.note, seconds=seconds
            )
        except PilotError as error:
            result: Result = "unknown" if isinstance(error, DeadlineError) else "failed"
            outcome = Outcome(node.name, result, node=node.id, fault=fault_of(error))
            _log.warning("the lease of %s is over, and it was not turned off: %s", node.id, error.message)
        finally:
            # Cancelled, too: what was asked may still happen.
            await asyncio.shield(self._journal.outcome(intent, [msgspec.to_builtins(outcome)]))
        return outcome.result == "done"

    async def _forget(self, row: Leased) -> None:
        self._tries.pop(row.node, None)
        await self._table.remove(row)
        await self.load()

    def _later(self, row: Leased) -> None:
        count = self._tries.get(row.node, (0, 0.0))[0] + 1
        pause = min(AGAIN_LAST, self._again * 2 ** min(count - 1, 10))
        self._tries[row.node] = count, self._clock() + pause

    def _told(self) -> None:
        self._inventory.leased({row.node: (row.cluster, row.lease) for row in self._rows.values()})


def _ends(args: Mapping[str, Value], now: float) -> float:
    """The end that a `lease.set` gives."""
    ends, seconds = float(args["ends"]), float(args["seconds"])
    if (ends > 0) == (seconds > 0):
        raise UsageError("a lease takes either `ends` or `seconds`", "`pilot lease NODE 19:00`, or +8h.")
    ends = ends or now + seconds
    if ends <= now:
        raise UsageError(f"{moment(ends)} is over: it is {moment(now)} at the site", "Give a time to come.")
    if ends > now + LONGEST:
        raise UsageError("a lease lasts a year at most")
    return ends


def moment(seconds: float) -> str:
    """A time in words. Of the reader's zone nothing is known here."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
