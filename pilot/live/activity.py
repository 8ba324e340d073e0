"""Every verb asked in this app: held, sent, answered, and taken back where that is possible."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from pilot import offers, wire
from pilot.asked import Activity, Request, requests
from pilot.danger import Stake, at_stake
from pilot.errors import BusyError, RefusedError, UnreachableError, UsageError
from pilot.jobs import undrainable
from pilot.live import draining
from pilot.live.notifier import Notifier
from pilot.live.pending import SETTLE_SECONDS, Pending
from pilot.live.sending import NOT_SENT, SIDE_BY_SIDE, Asks, send
from pilot.records import Host, Instance, Machine, Node, Source
from pilot.verbs import BY_ID, Value, Verb

KEPT = 500
"""Activities that are remembered."""
UNDO_SECONDS = 5.0
INVERSE_SECONDS = 60.0
"""For how long after its end a verb is taken back by its inverse: later it is no slip of the hand."""
NO_POOL = "it is in no HTCondor pool"
_MOST_OPEN = 48
"""Requests under way at the same time: airboss opens 64 channels to a connection, consoles need some."""
_TELL_SECONDS = 0.05


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> object:
        """It will not."""


Later = Callable[[float, Callable[[], None]], Timer]


def _loop_later(seconds: float, then: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, then)


class Activities:
    """The last verbs that were asked, and what has come of them. Lives on the event loop's thread."""

    def __init__(
        self,
        site: Asks,
        *,
        undo_seconds: float = UNDO_SECONDS,
        readonly: bool = False,
        clock: Callable[[], float] = time.time,
        later: Later = _loop_later,
    ) -> None:
        """`undo_seconds`: for how long a verb that is held waits before it is sent; 0 sends it at once.

        `readonly` refuses every verb of danger 1 and above. `later` calls something after so many seconds.
        """
        self.undo_seconds = undo_seconds
        self.readonly = readonly
        self.changed = Notifier()
        self._site = site
        self._clock = clock
        self._later = later
        self._entries: list[Activity] = []
        self._numbers = itertools.count(1)
        self._timers: dict[int, Timer] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._telling: Timer | None = None
        self._pending = Pending(self._node, clock)
        self._unlisten = site.changed.listen(self._link_changed)

    # --- looking ---------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Activity]:
        """All that are remembered, newest first."""
        return self._entries[::-1]

    @property
    def open(self) -> list[Activity]:
        """Those held or under way, newest first: ending the app would give them up."""
        return [activity for activity in self.entries if activity.open]

    def find(self, activity_id: int) -> Activity | None:
        """The one of that id, while it is remembered."""
        return next((activity for activity in self._entries if activity.id == activity_id), None)

    def pending(self, node_id: str) -> str | None:
        """What a node has been asked and the inventory does not show yet, such as `shutting down …`."""
        return self._pending.text(node_id)

    def all_pending(self) -> dict[str, str]:
        """All nodes for which `pending` says something, and what."""
        return self._pending.all()

    def why_not(self, verb: Verb, clusters: Iterable[str], nodes: Iterable[Node] = ()) -> str:
        """Why the verb would be refused there, in a few words; empty if nothing speaks against it.

        `nodes`: whom it would be asked; what can be asked of none of them is refused, too.
        """
        if self.readonly and verb.danger >= 1:
            return "read-only"
        if any(not self._site.may(verb.id, cluster) for cluster in clusters):
            return f"needs {verb.role}"
        if self._site.state != "live":
            return "no link"
        if verb.id.startswith("machine.") and not self.in_pool(nodes):
            return NO_POOL
        if verb.id == "machine.drain" and (reason := self.undrainable(nodes)):
            return reason
        return offers.why_not(verb, nodes, self.instance)

    def in_pool(self, nodes: Iterable[Node]) -> bool:
        """Whether one of these nodes is a machine of an HTCondor pool."""
        ids = {node.id for node in nodes}
        return any(machine.node in ids for machine in self._site.store.of(Machine))

    def undrainable(self, nodes: Iterable[Node]) -> str:
        """Why none of these nodes can be drained, in a few words; empty if at least one of them can."""
        ids = {node.id for node in nodes}
        machines = [machine for machine in self._site.store.of(Machine) if machine.node in ids]
        return undrainable(machines, self._site.store.of(Source))

    def at_stake(self, verb: Verb, nodes: Sequence[Node], now: float) -> Stake | None:
        """The HTCondor jobs that a verb would end on these nodes; None if it ends none."""
        store = self._site.store
        return at_stake(verb, nodes, store.of(Machine), store.of(Source), now)

    def instance(self, node_id: str) -> Instance | None:
        """What EC2 says of a node that is an instance."""
        found = self._site.store.records.get(f"instance:{node_id.removeprefix('ec2:')}")
        return found if isinstance(found, Instance) else None

    # --- asking ----------------------------------------------------------------------------------

    def ask(
        self,
        verb_id: str,
        nodes: Sequence[Node | Host],
        args: Mapping[str, Value] | None = None,
        *,
        undoes: int = 0,
    ) -> Activity:
        """Ask for a verb on nodes, of one cluster or several, or on hosts; what has to be confirmed has been.

        Raises:
            UsageError: no nodes, a node of no cluster, or arguments that the verb does not take.
            RefusedError: the signer's role does not reach, or the app is read-only.
            UnreachableError: there is no link; nothing is sent later.
            BusyError: too much is under way.
        """
        verb = BY_ID[verb_id]
        given = verb.arguments(dict(args or {}))
        parts = requests(nodes)
        self._check(verb, parts)
        hello = self._site.hello
        activity = Activity(
            next(self._numbers), verb, given, hello.principal if hello else "", parts, self._clock()
        )
        activity.undoes = undoes
        self._remember(activity)
        self._pending.add(activity)
        if verb.held and self.undo_seconds > 0:
            activity.state = "held"
            activity.held_until = activity.asked_at + self.undo_seconds
            self._timers[activity.id] = self._later(self.undo_seconds, lambda: self._send(activity))
            self.changed.tell()
        else:
            self._send(activity)
        return activity

    def undoable(self, activity: Activity) -> bool:
        """Whether `undo` can take this one back now."""
        return (
            activity.state == "held"
            or bool(self._undoable_nodes(activity))
            or bool(draining.waiting(activity, self._node))
        )

    def next_undo(self) -> Activity | None:
        """What `undo` would take back: the newest that is held, else the newest whose inverse is real."""
        held = (activity for activity in self.entries if activity.state == "held")
        done = (activity for activity in self.entries if self._undoable_nodes(activity))
        waits = (activity for activity in self.entries if draining.waiting(activity, self._node))
        return next(held, None) or next(done, None) or next(waits, None)

    def undo(self, activity: Activity | None = None) -> Activity | None:
        """Take one back, or what `next_undo` names: it is withdrawn, or its inverse is asked.

        Gives the activity that was withdrawn, or the one that asks for the inverse; None if there is nothing
        that can be taken back.

        Raises:
            as `ask`, for the inverse.
        """
        activity = activity or self.next_undo()
        if activity is None:
            return None
        if activity.state == "held":
            self._withdraw(activity, "taken back before it was sent")
            self.changed.tell()
            return activity
        if waiting := draining.waiting(activity, self._node):
            return self.ask("machine.undrain", waiting, undoes=activity.id)
        nodes = self._undoable_nodes(activity)
        if not nodes:
            return None
        inverse = self.ask(activity.verb.inverse, nodes, undoes=activity.id)
        activity.undone, activity.note = True, f"taken back by {inverse.verb.label}"
        self.changed.tell()
        return inverse

    async def close(self) -> None:
        """The app ends: what is held is not sent, what is under way is given up."""
        self._unlisten()
        for activity in self.open:
            if activity.state == "held":
                self._withdraw(activity, "not sent: the app was closed while it was held")
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._telling is not None:
            self._telling.cancel()
        self.changed.tell()

    # --- inside ----------------------------------------------------------------------------------

    def _node(self, node_id: str) -> Node | None:
        record = self._site.store.records.get(node_id)
        return record if isinstance(record, Node) else None

    def _check(self, verb: Verb, parts: Sequence[Request]) -> None:
        if not parts:
            raise UsageError(f"{verb.label}: of no node", "Put the cursor on a node, or mark some.")
        if self.readonly and verb.danger >= 1:
            raise RefusedError(f"{verb.label} is not asked for: the app is read-only", "Start it without.")
        for part in parts:
            if not part.cluster and verb.scope == "node":
                name = wire.plain(part.targets[0].name)
                raise UsageError(f"{name} is in no cluster", "`pilot-agent cluster adopt` puts it in one.")
            if not self._site.may(verb.id, part.cluster):
                raise RefusedError(
                    f"{verb.label} needs the role {verb.role} in {wire.plain(part.cluster)}",
                    "Ask the site's admin.",
                )
        if self._site.state != "live":
            raise UnreachableError(f"{verb.label} was not asked for: there is no link now", NOT_SENT)
        if sum(min(SIDE_BY_SIDE, len(a.requests)) for a in self.open) + len(parts) > _MOST_OPEN:
            raise BusyError("too many requests are under way", "Mark the nodes, and ask for all at once.")

    def _remember(self, activity: Activity) -> None:
        self._entries.append(activity)
        if len(self._entries) > KEPT:
            # Those that are open are few, and never forgotten.
            oldest = next(entry for entry in self._entries if not entry.open)
            self._entries.remove(oldest)
            self._pending.drop(oldest)

    def _undoable_nodes(self, activity: Activity) -> list[Node]:
        """The nodes that the verb brought from where its inverse leads, and that are as it left them."""
        verb, ended = activity.verb, activity.ended_at
        if not verb.inverse or ended is None or activity.undone or activity.undoes:
            return []
        if self._clock() - ended > INVERSE_SECONDS:
            return []
        origin = BY_ID[verb.inverse].leads_to
        found = []
        for target in activity.targets:
            done = target.outcome is not None and target.outcome.result == "done"
            node = self._node(target.id) if done and target.before == origin else None
            if node is not None and node.state == verb.leads_to and node.cluster == target.cluster:
                found.append(node)
        return found

    def _link_changed(self) -> None:
        if self._site.state == "live":
            return
        held = [activity for activity in self._entries if activity.state == "held"]
        for activity in held:
            self._withdraw(activity, "not sent: the link was lost while it was held. Ask again.")
        if held:
            self.changed.tell()

    def _withdraw(self, activity: Activity, note: str) -> None:
        timer = self._timers.pop(activity.id, None)
        if timer is not None:
            timer.cancel()
        activity.state, activity.note, activity.ended_at = "withdrawn", note, self._clock()
        self._pending.drop(activity)

    def _send(self, activity: Activity) -> None:
        self._timers.pop(activity.id, None)
        activity.state = "asked"
        task = asyncio.get_running_loop().create_task(
            self._run(activity), name=f"{activity.verb.id} {activity.id}"
        )
        self._tasks[activity.id] = task
        self.changed.tell()

    async def _run(self, activity: Activity) -> None:
        try:
            await send(activity, self._site, self._tell_soon)
            await draining.follow(activity, self._site, self._tell_soon)
        finally:
            activity.state, activity.ended_at = "done", self._clock()
            self._tasks.pop(activity.id, None)
            self.changed.tell()
        # By then the list no longer shows its nodes as waiting.
        self._later(SETTLE_SECONDS, self.changed.tell)

    def _tell_soon(self) -> None:
        """Thousands of targets report side by side: listeners are told once for many."""
        if self._telling is None:

            def tell() -> None:
                self._telling = None
                self.changed.tell()

            self._telling = self._later(_TELL_SECONDS, tell)
