"""One node's serial console: what it printed, who is attached, and what happens to the node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Literal

from pilot.agent.consoles import markers
from pilot.agent.consoles.company import Company, names
from pilot.agent.consoles.holder import Holder, Open
from pilot.agent.consoles.keyboard import Keyboard
from pilot.agent.consoles.log import ConsoleLog
from pilot.agent.consoles.log_files import BOOT, MARK, OUTPUT
from pilot.agent.consoles.recall import Recall
from pilot.agent.consoles.ring import Ring
from pilot.agent.consoles.tail import Tails
from pilot.agent.consoles.tenant import Tenant
from pilot.agent.consoles.trouble import Trouble
from pilot.agent.consoles.typist import Typist
from pilot.agent.consoles.viewer import Mode, Viewer
from pilot.backends.provider import Serial
from pilot.records import Node, NodeState
from pilot.wire import Attached, Notice, Output, plain

RUNS: frozenset[NodeState] = frozenset({"on", "paused", "stopping"})
"""States in which there is a console to hold."""
ENDED: dict[NodeState, str] = {"off": "turned off", "crashed": "crashed"}
"""States in which there is none, and how that came. In the others what is held is kept."""
LAST_WORDS = 1.0
"""Seconds after a power-off within which the console ends by itself."""
START_DEADLINE = 10.0
"""Seconds from the announcement of a start within which the node is seen to run."""


class Console:
    """Joins the holder (below) with the ring and the viewers (above), and keeps the node's story."""

    def __init__(
        self,
        node_id: str,
        open_console: Open,
        name: Callable[[], str],
        clock: Callable[[], float],
        presence: Callable[[str, int], None],
        chance: random.Random,
        log: ConsoleLog | None = None,
        absent_since: float = 0.0,
    ) -> None:
        """Nothing is known of the node yet.

        Args:
            node_id: the node's UUID.
            open_console: opens its console.
            name: what it is called now.
            clock: seconds since the epoch.
            presence: told who types (several with commas) and how many others are attached.
            chance: for jitter.
            log: what keeps on the disk what is printed, if anything does.
            absent_since: when airboss was there last before this time, if the log goes back so far.
        """
        self.log = log
        self.ring = Ring(start=log.end if log is not None else 0)
        self.recall = Recall(self, log)
        """Await it before somebody is shown the ring: what was printed before airboss began is put there."""
        self._absent_since = absent_since
        self._tenant: Tenant | None = None
        self.company = Company(clock, presence)
        self.keyboard = Keyboard(self.company)
        self.tails = Tails()
        self._id = node_id
        self._name = name
        self._clock = clock
        self._holder = Holder(open_console, self, chance)
        self._typist = Typist(self._not_typed)
        self._node: Node | None = None
        self._runs: bool | None = None
        self._stale = False
        self._starting: asyncio.TimerHandle | None = None
        self._change: asyncio.Task[None] | None = None
        self._complete = False
        """An announced start is waiting: nothing can have been printed unheard."""
        self._fresh = False
        """The node was seen to come on, and its console has not been held since."""
        self._was_held = False
        self._trouble = Trouble(self._say_lost, self._say_not_held)
        self._shared: tuple[int, int, Output] = (-1, -1, Output(b""))

    # --- what the agent tells ---------------------------------------------------------------

    def node_changed(self, node: Node) -> None:
        """The inventory has a newer record of the node."""
        self._node = node
        if self._change is None:
            self._consider()

    def owned_by(self, tenant: Tenant, text: str) -> None:
        """Whose the node is now. If that are others, those who are attached must go, and are told why."""
        known = self._tenant
        same = known is None or known.is_still(tenant)
        if known is None or not same:
            self._tenant = tenant
        if not same or not (self.log is None or self.log.belongs(tenant)):
            self._begin_anew(tenant, text)

    def _begin_anew(self, tenant: Tenant, text: str) -> None:
        """Others own the node now: nothing from before is kept.

        The console stays held, so that the new owners miss nothing.
        """
        for viewer in self.company.dismiss():
            viewer.close(text)
        self.tails.close(text)
        self._typist.forget()
        self.recall.stop()
        self.ring = Ring()
        if self.log is not None:
            self.log.begin_anew(tenant)
        self._shared = -1, -1, Output(b"")
        if self._runs:
            self._mark("the console is kept from here on", "host", markers.aside)

    async def starting(self) -> None:
        """The node will run once this returns; the caller sets the deadline."""
        while self._change is not None:
            await asyncio.shield(self._change)
        if self._runs and not (self._fresh or self._holder.untouched):
            # Its end has not been told yet, but another start cannot be without one.
            await self._until(self._end(ENDED["off"]))
        if self._starting is not None:
            self._starting.cancel()
        self._starting = asyncio.get_running_loop().call_later(START_DEADLINE, self._start_overdue)
        self._complete = True
        if not self._runs:
            self._begin()
        self._holder.want()
        try:
            await self._holder.wait_held()
        finally:
            self._complete = False

    def attach(self, principal: str, mode: Mode, may_write: bool, back: int | None) -> Viewer:
        """A new viewer. Raises BusyError if there are too many."""
        viewer = Viewer(self, principal, mode != "watch", may_write, back)
        self.keyboard.enter(viewer, mode)
        writers = self.keyboard.writers
        viewer.attached = Attached(
            self._id,
            plain(self._name()),
            viewer.writing,
            viewer.replay,
            names(writers),
            len(self.company.viewers) - len(writers),
            viewer.start,
            self.oldest,
        )
        if (situation := self.situation()) is not None:
            viewer.tell(situation)
        self._holder.nudge()
        return viewer

    @property
    def oldest(self) -> int:
        """Offset of the oldest byte that is kept, in the log or in the ring."""
        start = self.ring.start
        return start if self.log is None or not self.log.on_disk else min(self.log.oldest, start)

    def situation(self) -> Notice | None:
        """What must be said to one who comes now: why nothing is printed."""
        name = plain(self._name())
        if self._stale:
            return Notice("host", f"the host of {name} does not answer")
        if self._trouble.told:
            return Notice("host", self._trouble.told)
        if self._runs is not True:
            state = self._node.state if self._node else "off"
            return Notice("power", f"{name} is {state}; its console follows once it is on")
        return None

    async def stop(self, text: str) -> None:
        """Let the console go and end all streams, saying why."""
        if self._starting is not None:
            self._starting.cancel()
        if self._change is not None:
            self._change.cancel()
        for viewer in self.company.dismiss():
            viewer.finish(text)
        self.tails.finish(text)
        self._trouble.clear()
        self._typist.disconnect()
        self.recall.stop()
        await self._holder.stop()

    # --- what viewers ask -------------------------------------------------------------------

    def typed(self, viewer: Viewer, data: bytes) -> str:
        """Type for a viewer; why that has no effect, or nothing."""
        if refusal := self.keyboard.refusal(viewer):
            return refusal
        if not self._typist.connected:
            why = "has just lost its console" if self._trouble.is_lost else "does not run"
            return self._trouble.told or f"{plain(self._name())} {why}: there is nothing to type at"
        if why := self._typist.type(data):
            return why
        self.company.typed(viewer)
        return ""

    def type(self, data: bytes) -> str:
        """Type for nobody who is attached; why that has no effect, or nothing."""
        if not self._typist.connected:
            return self._trouble.told or "airboss does not hold its console now"
        return self._typist.type(data)

    def tell(self, notice: Notice) -> None:
        """A notice to all who are attached."""
        self.company.tell(notice)

    async def room(self) -> None:
        """Wait while the guest has much to take of what was typed."""
        await self._typist.room()

    def chunk(self, offset: int, limit: int) -> Output:
        """What was printed from an offset on; viewers that keep pace share one frame."""
        end = min(offset + limit, self.ring.end)
        if self._shared[:2] != (offset, end):
            self._shared = offset, end, Output(self.ring.read(offset, limit))
        return self._shared[2]

    # --- what the holder tells --------------------------------------------------------------

    def held(self, serial: Serial) -> None:
        """The console is held: from the first byte, or with something missing, which is said."""
        paused = self._node is not None and self._node.state == "paused"
        if not self._complete and not (paused and self._fresh):
            self._mark(self._held_text(), "host", markers.aside)
        if self._trouble.told:
            self._tell(Notice("host", f"the console of {plain(self._name())} is held now"))
        self._complete = self._fresh = False
        self._was_held = True
        self._trouble.clear()
        self._typist.connect(serial)

    def printed(self, data: bytes, kind: int = OUTPUT) -> None:
        """The guest printed something, or airboss for it."""
        self.ring.append(data)
        if self.log is not None:
            self.log.append(data, kind)
        for viewer in self.company.viewers:
            viewer.wake()
        self.tails.wake()

    def lost(self, why: str) -> None:
        """The console ended by itself; what that means is told by the node's record, which may be late."""
        self._typist.disconnect()
        self._trouble.lost(why)
        if self._starting is not None and self._node is not None and self._node.state in ENDED:
            self._starting.cancel()
            self._start_overdue()

    def not_held(self, why: str) -> None:
        """A try to hold it failed."""
        self._trouble.failed(f"the console of {plain(self._name())} cannot be held: {plain(why)}")

    def _held_text(self) -> str:
        """That it is held, and what may be missing before."""
        if self._was_held:
            return "console held again; there may be a gap"
        if self.log is None or not self.log.last_written:
            return "console held from here on"
        then, now = markers.stamp(self._absent_since), markers.stamp(self._clock())
        return f"console held again; airboss was not there from {then} to {now}"

    def _say_lost(self, why: str) -> None:
        self._mark(f"console lost: {why}", "host", markers.aside)

    def _say_not_held(self, text: str) -> None:
        self._tell(Notice("host", text + "; trying again"))

    # --- the node's story -------------------------------------------------------------------

    def _consider(self) -> None:
        """Bring the story up to the record."""
        node = self._node
        if node is None:
            return
        stale = node.stale_since is not None
        if stale != self._stale:
            self._stale = stale
            self._host_changed(node)
        if stale or not node.serial:
            return
        if node.state in RUNS:
            if self._starting is not None:
                self._starting.cancel()
                self._starting = None
            if self._runs is False:
                self._begin()
            self._runs = True
            self._holder.want()
        elif node.state in ENDED:
            if self._starting is not None:
                return
            if self._runs:
                self._change = asyncio.create_task(self._settle(ENDED[node.state]), name="console-power-off")
            self._runs = False
        else:
            self._holder.pause()

    def _host_changed(self, node: Node) -> None:
        if self._stale:
            self._holder.pause()
            self._trouble.clear()
            text = f"its host does not answer{': console lost' if not self._holder.is_held else ''}"
        else:
            text = "its host answers again"
        if self._runs:
            self._mark(text, "host", markers.aside)
        else:
            self._tell(Notice("host", f"{plain(self._name())}: {text}"))

    def _begin(self) -> None:
        self._runs = True
        self._fresh = True
        self._mark("turned on", "power", markers.closing, BOOT)

    async def _settle(self, text: str) -> None:
        try:
            await self._end(text)
        finally:
            self._change = None
        self._consider()

    async def _end(self, text: str) -> None:
        await self._holder.release(LAST_WORDS)
        self._typist.disconnect()
        self._runs = False
        self._trouble.clear()
        self._mark(text, "power", markers.closing)

    async def _until(self, change: Coroutine[None, None, None]) -> None:
        """Run a change of the story; records that come meanwhile are considered after it."""
        self._change = asyncio.create_task(change, name="console-power-off")
        try:
            await asyncio.shield(self._change)
        finally:
            self._change = None

    def _start_overdue(self) -> None:
        """The announced start did not come to anything, or has ended already: the record holds again."""
        self._starting = None
        if self._change is None:
            self._consider()

    def _tell(self, notice: Notice) -> None:
        self.company.tell(notice)
        self.tails.tell(notice)

    def _mark(
        self, text: str, what: Literal["power", "host"], form: Callable[..., bytes], kind: int = MARK
    ) -> None:
        line = markers.words(self._name(), text, self._clock())
        self.printed(form(self.ring.state(), line), kind)
        self.company.tell(Notice(what, f"{plain(self._name())}: {text}"))

    def _not_typed(self, why: str) -> None:
        for writer in self.keyboard.writers:
            writer.tell(Notice("writer", why))
