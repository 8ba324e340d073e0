"""What happens to a node, as its console tells it: on, off, starting, host silent, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Literal, Protocol

from pilot.agent.consoles import markers
from pilot.agent.consoles.holder import Holder
from pilot.agent.consoles.log_files import BOOT, MARK
from pilot.agent.consoles.markers import Form
from pilot.agent.consoles.trouble import Trouble
from pilot.agent.consoles.typist import Typist
from pilot.records import Node, NodeState
from pilot.wire import plain

RUNS: frozenset[NodeState] = frozenset({"on", "paused", "stopping"})
"""States in which there is a console to hold."""
ENDED: dict[NodeState, str] = {"off": "turned off", "crashed": "crashed"}
"""States in which there is none, and how that came. In the others what is held is kept."""
LINGER = 60.0
"""Seconds that a console is held on after the last has gone, where it is only held for somebody."""
LAST_WORDS = 1.0
"""Seconds after a power-off within which the console ends by itself."""
START_DEADLINE = 10.0
"""Seconds from the announcement of a start within which the node is seen to run."""


class Teller(Protocol):
    """Who is told the story."""

    def mark(self, text: str, what: Literal["power", "host"], form: Form, kind: int = MARK) -> None:
        """A line in what the console printed, for everybody and for later."""

    def announce(self, text: str) -> None:
        """Words on the host for those who are there now."""


class Story:
    """Follows the node's records, and has its console held or let go as they say."""

    def __init__(self, teller: Teller, holder: Holder, trouble: Trouble, typist: Typist) -> None:
        """Nothing is known of the node yet."""
        self.node: Node | None = None
        """Its newest record."""
        self.runs: bool | None = None
        """Whether it runs; None while that is not known."""
        self.stale = False
        """Its host does not answer."""
        self._teller = teller
        self._holder = holder
        self._trouble = trouble
        self._typist = typist
        self._somebody = False
        """Somebody is at it, or records it."""
        self._going: asyncio.TimerHandle | None = None
        """Lets go of a console that nobody is at any more."""
        self._starting: asyncio.TimerHandle | None = None
        self._change: asyncio.Task[None] | None = None
        self._complete = False
        """An announced start is waiting: nothing can have been printed unheard."""
        self._fresh = False
        """The node was seen to come on, and its console has not been held since."""

    def node_changed(self, node: Node) -> None:
        """There is a newer record."""
        self.node = node
        if self._change is None:
            self._consider()

    async def starting(self) -> None:
        """The node will run once this returns; the caller sets the deadline."""
        while self._change is not None:
            await asyncio.shield(self._change)
        if self.runs and not (self._fresh or self._holder.untouched):
            # Its end has not been told yet, but another start cannot be without one.
            await self._until(self._end(ENDED["off"]))
        if self._starting is not None:
            self._starting.cancel()
        self._starting = asyncio.get_running_loop().call_later(START_DEADLINE, self._start_overdue)
        self._complete = True
        if not self.runs:
            self._begin()
        self._holder.want()
        try:
            await self._holder.wait_held()
        finally:
            self._complete = False

    def held(self) -> bool:
        """The console is held now; whether something may have been printed unheard before."""
        paused = self.node is not None and self.node.state == "paused"
        missed = not self._complete and not (paused and self._fresh)
        self._complete = self._fresh = False
        return missed

    def wanted(self, somebody: bool) -> None:
        """Whether somebody is at it, or records it. See `_shy`."""
        if somebody == self._somebody:
            return
        self._somebody = somebody
        if self._going is not None:
            self._going.cancel()
            self._going = None
        if not self._shy:
            return
        if somebody:
            if self._change is None:
                self._consider()
        else:
            self._going = asyncio.get_running_loop().call_later(LINGER, self._let_go)

    @property
    def _shy(self) -> bool:
        """Whether it is only held while somebody is at it.

        EC2 has one session for each instance: who never lets go of it keeps everybody else out.
        """
        return self.node is not None and self.node.provider == "ec2"

    def _let_go(self) -> None:
        self._going = None
        if not self._somebody and self._change is None and self._holder.is_held:
            self._change = asyncio.create_task(self._settle_away(), name="console-let-go")
        elif not self._somebody:
            self._holder.pause()
            self._trouble.clear()

    async def _settle_away(self) -> None:
        try:
            await self._holder.release(0)
            self._typist.disconnect()
            self._trouble.clear()
            self._teller.mark("nobody is at the console: let go", "host", markers.aside)
        finally:
            self._change = None
        self._consider()

    def lost(self) -> None:
        """The console ended by itself; what that means is told by the node's record, which may be late."""
        if self._starting is not None and self.node is not None and self.node.state in ENDED:
            self._starting.cancel()
            self._start_overdue()

    def stop(self) -> None:
        """It is told no further."""
        if self._starting is not None:
            self._starting.cancel()
        if self._going is not None:
            self._going.cancel()
        if self._change is not None:
            self._change.cancel()

    def _consider(self) -> None:
        """Bring the story up to the record."""
        node = self.node
        if node is None:
            return
        stale = node.stale_since is not None
        if stale != self.stale:
            self.stale = stale
            self._host_changed()
        if stale or not node.serial:
            return
        if node.state in RUNS:
            if self._starting is not None:
                self._starting.cancel()
                self._starting = None
            if self.runs is False:
                self._begin()
            self.runs = True
            if self._somebody or not self._shy:
                self._holder.want()
            elif self._going is None:
                self._holder.pause()
        elif node.state in ENDED:
            if self._starting is not None:
                return
            if self.runs:
                self._change = asyncio.create_task(self._settle(ENDED[node.state]), name="console-power-off")
            self.runs = False
        else:
            self._holder.pause()

    def _host_changed(self) -> None:
        if self.stale:
            self._holder.pause()
            self._trouble.clear()
            text = f"its host does not answer{': console lost' if not self._holder.is_held else ''}"
        else:
            text = "its host answers again"
        if self.runs:
            self._teller.mark(text, "host", markers.aside)
        else:
            assert self.node is not None
            self._teller.announce(f"{plain(self.node.name)}: {text}")

    def _begin(self) -> None:
        self.runs = True
        self._fresh = True
        self._teller.mark("turned on", "power", markers.closing, BOOT)

    async def _settle(self, text: str) -> None:
        try:
            await self._end(text)
        finally:
            self._change = None
        self._consider()

    async def _end(self, text: str) -> None:
        await self._holder.release(LAST_WORDS)
        self._typist.disconnect()
        self.runs = False
        self._trouble.clear()
        self._teller.mark(text, "power", markers.closing)

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
