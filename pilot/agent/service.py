"""What airboss does with a request, whatever it came in by: hello, list, watch, console, journal, power."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import pilot
from pilot import wire
from pilot.agent import gate, watching
from pilot.agent.attaching import Attaching
from pilot.agent.caller import Caller
from pilot.agent.console_log import ConsoleLogStreams
from pilot.agent.consoles.viewer import Viewer
from pilot.agent.cordon import Cordons
from pilot.agent.events import Events
from pilot.agent.gate import Asked
from pilot.agent.history import History
from pilot.agent.inventory import Inventory
from pilot.agent.journal_stream import JournalStreams
from pilot.agent.ledger import Ledger
from pilot.agent.outcomes import fault_of, unknown_node
from pilot.agent.pictures import Pictures
from pilot.agent.policy import View, usable_verbs
from pilot.agent.power import Power, Tell
from pilot.agent.recordings.streams import RecordingStreams
from pilot.agent.screens.screens import Screens
from pilot.agent.shares import Shares
from pilot.agent.usage import Usage
from pilot.errors import DeadlineError, RefusedError, SignatureRefusedError, UsageError, WireError
from pilot.records import Node
from pilot.selectors import natural, resolve
from pilot.wire import Outcome

_log = logging.getLogger(__name__)

_RECORDS_PER_FRAME = 500
"""Node records of one frame: well under wire.MAX_SERVER_FRAME."""
_UNREAD_SECONDS = 30.0
"""After which a list that nobody reads is not kept any longer."""


class Outlet(Protocol):
    """Where frames go and a viewer's frames come from."""

    async def receive(self) -> wire.AnyClientFrame:
        """The viewer's next frame."""

    def tell(self, frame: wire.ServerFrame) -> None:
        """Send without waiting."""

    async def send(self, frame: wire.ServerFrame) -> None:
        """Send, and wait while the other side does not read."""


class Service:
    """One site's airboss, without its transport."""

    def __init__(
        self,
        *,
        site: str,
        airboss: str,
        inventory: Inventory,
        consoles: Attaching,
        screens: Screens,
        pictures: Pictures,
        logs: ConsoleLogStreams,
        recordings: RecordingStreams,
        shares: Shares,
        power: Power,
        cordons: Cordons,
        ledger: Ledger,
        journals: JournalStreams,
        usage: Usage,
        history: History,
        events: Events,
        clock: Callable[[], float],
    ) -> None:
        self.site = site
        self.airboss = airboss
        self.inventory = inventory
        self.consoles = consoles
        self._screens = screens
        self._pictures = pictures
        self._logs = logs
        self._recordings = recordings
        self._shares = shares
        self._power = power
        self._cordons = cordons
        self._ledger = ledger
        self._journals = journals
        self._usage = usage
        self._history = history
        self._events = events
        self._clock = clock

    def hello(self, caller: Caller, ask: wire.HelloAsk) -> wire.Hello:
        """Who airboss is, and who it takes the caller for."""
        grants = caller.grants()
        _log.info("hello principal=%s client=%s", caller.principal, wire.plain(ask.client, 60))
        return wire.Hello(
            v=wire.VERSION,
            site=self.site,
            version=pilot.__version__,
            airboss=self.airboss,
            challenge=caller.challenge,
            time=self._clock(),
            principal=caller.principal,
            key=caller.fingerprint,
            grants=grants,
            verbs=usable_verbs(grants),
        )

    async def serve(self, caller: Caller, request: wire.Request, outlet: Outlet) -> None:
        """Check a signed request and do it; returns when it is done and its stream has ended.

        Raises:
            PilotError: it was refused as a whole, which is journaled, or could not be done.
        """
        signed = False
        try:
            asked = gate.check(request, caller, self.airboss)
            signed = True
            await self.do(caller, asked, outlet)
        except (RefusedError, UsageError, WireError) as error:
            if isinstance(error, SignatureRefusedError):
                caller.refusals += 1
            _log.warning("refused principal=%s: %s", caller.principal, wire.plain(error.message))
            await self._ledger.refused(caller, request, fault_of(error), signed=signed)
            raise

    async def do(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        """Do what was asked by one who may."""
        if asked.verb.id == "node.list":
            await self._list(caller, asked, outlet)
        elif asked.verb.id == "watch":
            await self._watch(caller, asked, outlet)
        elif asked.verb.id == "console.open":
            await self._console(caller, asked, outlet)
        elif asked.verb.id == "screen.open":
            await self._screens.serve(caller, asked, outlet)
        elif asked.verb.id == "screen.picture":
            await self._pictures.serve(caller, asked, outlet)
        elif asked.verb.id == "console.tail":
            await self._tail(caller, asked, outlet)
        elif asked.verb.id == "console.log":
            await self._logs.stream(caller, asked, outlet)
        elif asked.verb.id == "record.list":
            await self._recordings.list(caller, asked, outlet)
        elif asked.verb.id == "record.read":
            await self._recordings.read(caller, asked, outlet)
        elif asked.verb.id == "journal.read":
            await self._journal(caller, asked, outlet)
        elif asked.verb.id == "events.read":
            await self._happened(caller, asked, outlet)
        elif asked.verb.scope == "host":
            with self._shares.take("act", caller.holder):
                outlet.tell(await self._cordons.act(caller, asked))
        else:
            outlet.tell(await self.power(caller, asked, outlet.tell))

    async def power(self, caller: Caller, asked: Asked, tell: Tell) -> wire.Reply:
        """Do a verb that acts on nodes, asked by one who may.

        Raises:
            BusyError: too many verbs are at work.
            PilotError: as for `Power.run`.
        """
        with self._shares.take("act", caller.holder):
            return await self._power.run(caller, asked, tell)

    def nodes(self, caller: Caller, asked: Asked) -> tuple[list[Node], list[Outcome]]:
        """The nodes that a list names (all that are in view if it names none), and what it named in vain."""
        view = View(caller.grants(), asked.cluster)
        if not asked.targets:
            records = self.inventory.records.values()
            nodes = [r for r in records if isinstance(r, Node) and view.sees_cluster(r.cluster)]
            return sorted(nodes, key=lambda node: (node.cluster, natural(node.name))), []
        if not asked.cluster:
            raise UsageError("a list of named nodes needs a cluster", "Say which with --cluster.")
        resolved = resolve(asked.targets, self.inventory.members(asked.cluster))
        return list(resolved.nodes), [unknown_node(s, asked.cluster) for s in resolved.unknown]

    async def _list(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        nodes, unknown = self.nodes(caller, asked)
        starts = range(0, max(len(nodes), 1), _RECORDS_PER_FRAME)
        for start in starts:
            last = start == starts[-1]
            chunk = tuple(nodes[start : start + _RECORDS_PER_FRAME])
            frame = wire.Reply(outcomes=tuple(unknown) if last else (), records=chunk, more=not last)
            try:
                async with asyncio.timeout(_UNREAD_SECONDS):
                    await outlet.send(frame)
            except TimeoutError:
                raise DeadlineError(
                    f"the list was not read for {_UNREAD_SECONDS:g} s", "Ask again."
                ) from None

    async def _watch(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        with self._shares.take("watch", caller.holder):
            outlet.tell(wire.Reply())
            usage = self._usage if asked.args.get("usage") else None
            wanted = asked.args.get("load")
            loads = watching.Loads(self._history, wanted == "all") if wanted else None
            await watching.serve(
                self.inventory, usage, caller, asked.cluster, outlet, self._clock, loads,
                machines=asked.args.get("also") == "machines",
            )  # fmt: skip

    async def _journal(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        with self._shares.take("watch", caller.holder):
            outlet.tell(wire.Reply())
            await self._journals.stream(caller, asked, outlet)

    async def _happened(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        with self._shares.take("watch", caller.holder):
            outlet.tell(wire.Reply())
            await self._events.stream(caller, asked, outlet)

    async def _console(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        async with self.consoles.attached(caller, asked) as attachment:
            viewer = attachment.viewer
            outlet.tell(attachment.reply)
            outlet.tell(viewer.attached)
            reading = asyncio.create_task(_from_viewer(viewer, outlet))
            try:
                async for frame in viewer:
                    await outlet.send(frame)
            finally:
                reading.cancel()

    async def _tail(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        async with self.consoles.tailed(caller, asked) as tail:
            outlet.tell(wire.Reply())
            async for frame in tail:
                await outlet.send(frame)

    def recheck(self) -> None:
        """Rights have changed: consoles that are nobody's right any more end, watchers begin anew."""
        self._journals.recheck()
        self._events.recheck()
        self._logs.recheck()
        self.consoles.recheck()
        self._screens.recheck()
        self.inventory.resync()


async def _from_viewer(viewer: Viewer, outlet: Outlet) -> None:
    while True:
        frame = await outlet.receive()
        if isinstance(frame, wire.Input):
            await viewer.write(frame.data)
        elif isinstance(frame, wire.Take):
            viewer.take()
        elif isinstance(frame, wire.Join):
            viewer.join()
        elif isinstance(frame, wire.Release):
            viewer.release(frame.to)
        elif isinstance(frame, wire.Chat):
            viewer.say(frame.text)
