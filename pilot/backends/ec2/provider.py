"""The EC2 provider: the instances of one account, as airboss sees them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pilot.backends.ec2 import screenshot
from pilot.backends.ec2.acts import Target
from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.idle import IdleWatch
from pilot.backends.ec2.kept import Kept
from pilot.backends.ec2.may import MayWatch
from pilot.backends.ec2.operations import Operations
from pilot.backends.ec2.output import OutputWatch, Printed
from pilot.backends.ec2.pins import Pins
from pilot.backends.ec2.prices import Cached, Prices
from pilot.backends.ec2.region import Region, Told
from pilot.backends.ec2.regions import RegionWatch
from pilot.backends.ec2.serial import Serials
from pilot.backends.ec2.settings import Bounds, Ec2Settings
from pilot.backends.provider import Acted, Extra, Screen, Serial, Sink
from pilot.errors import BackendError, NoSuchNodeError, RefusedError, UnreachableError
from pilot.records import Node, Source
from pilot.verbs import Value

__all__ = ["Bounds", "Ec2Provider", "Ec2Settings"]

_log = logging.getLogger(__name__)


class _Part:
    """One region's parts."""

    def __init__(self, watch: RegionWatch, output: OutputWatch) -> None:
        self.watch = watch
        self.output = output
        self.may = MayWatch(watch)
        self.tasks: list[asyncio.Task[None]] = []


class Ec2Provider:
    """Watches the regions of one account and acts on its instances; a provider.Provider."""

    def __init__(
        self,
        settings: Ec2Settings,
        state: Path | None = None,
        printed: Printed | None = None,
        clock: Callable[[], float] = time.time,
        rng: Callable[[], float] = random.random,
        bounds: Bounds | None = None,
    ) -> None:
        """Nothing is opened, nor AWS's library imported, before `start`.

        Args:
            settings: the account and its regions.
            state: folder for pinned host keys and prices; None keeps nothing.
            printed: told what consoles printed (GetConsoleOutput): node id, what is new, whether there
                is a gap before it. Not told while the serial console is held.
            clock: seconds since the epoch.
            rng: from 0 to 1, spreads what would else happen at once.
            bounds: intervals and bounds.
        """
        self.settings = settings
        self._bounds = bounds or Bounds()
        self._state = state
        self._printed = printed
        self._clock = clock
        self._rng = rng
        self._calls = Calls(settings, self._bounds, clock)
        self._serials = Serials(Pins(state))
        self._operations = Operations(self._serials.send_break)
        self._prices = Prices(self._calls, clock)
        self._parts: dict[str, _Part] = {}
        self._where: dict[str, _Part] = {}
        self._sink: Sink | None = None
        self._tails: dict[str, dict[str, bytes]] = {}
        """Where console output stood, by region and instance."""

        def file(of: str) -> Path | None:
            return None if state is None else state / f"ec2-{of}-{settings.name}.json"

        self._kept_prices = Kept[list[Cached]](file("prices"), list[Cached], self._prices.dump, 1.0)
        self._kept_output = Kept[dict[str, dict[str, bytes]]](
            file("output"), dict[str, dict[str, bytes]], self._ends, 5.0
        )

    async def start(self, sink: Sink) -> None:
        """Begin to watch; see Provider.start."""
        self._sink = sink
        self._prices.load(await self._kept_prices.load() or [])
        self._prices.on_change = self._kept_prices.changed
        self._tails = await self._kept_output.load() or {}
        for name in self.settings.regions:
            self._parts[name] = self._begin(name)

    async def stop(self) -> None:
        """Stop watching, let the connections go; what hangs is left to itself after 4 s."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._kept_output.stop()
                await self._kept_prices.stop()
        parts, self._parts = list(self._parts.values()), {}
        self._where.clear()
        tasks = [task for part in parts for task in part.tasks]
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.stop_all):
                await self._serials.stop()
                await self._operations.stop()
                await asyncio.gather(*(part.watch.stop() for part in parts))
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._calls.close()

    def owns(self, node_id: str) -> bool:
        """Whether this provider drives the node."""
        return node_id in self._where

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a verb; see Provider.act."""
        part, node = self._find(node_id)
        self._up(part, f"{verb} of {node.name}")
        target = Target(part.watch, node.domain, node.name)
        try:
            return await self._operations.act(target, verb, args, progress)
        except RefusedError:
            part.may.forget(node.domain, verb)
            raise

    async def open_console(
        self, node_id: str, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> Serial:
        """Hold the instance's serial console; see Provider.open_console.

        Raises:
            BusyError: EC2 has another session of it open, or is still ending one.
        """
        part, node = self._find(node_id)
        if self._printed is not None and self.settings.output:
            await part.output.catch_up(node.domain)
        return await self._serials.open(part.watch, node.domain, node.name, output, lost)

    async def open_screen(self, node_id: str) -> Screen:
        """There is none: EC2 only takes pictures of it."""
        _, node = self._find(node_id)
        raise BackendError(
            f"{node.name} is an EC2 instance: EC2 shows no screen, it only takes pictures of it",
            "`screen.picture` takes one.",
        )

    async def picture(self, node_id: str, *, wake: bool = False) -> bytes:
        """A JPEG of the instance's screen; `wake` presses a key first.

        Raises:
            PilotError: as for act.
        """
        part, node = self._find(node_id)
        self._up(part, f"taking a picture of {node.name}")
        return await screenshot.take(part.watch, node.domain, node.name, wake=wake)

    async def console_output(self, node_id: str) -> bytes:
        """All that EC2 keeps of what the instance printed, 64 KB at most.

        Raises:
            PilotError: as for act.
        """
        part, node = self._find(node_id)
        try:
            return await part.output.fetch(node.domain)
        except Fault as fault:
            raise fault.error(f"fetching the console output of {node.name}") from None

    def looked_at(self, node_id: str) -> None:
        """Somebody reads what this node's console printed: fetch that soon."""
        part = self._where.get(node_id)
        if part is not None:
            part.output.want(node_id.removeprefix("ec2:"))

    def refresh(self) -> None:
        """Look at all regions now."""
        for part in self._parts.values():
            part.watch.poke()

    # --- inside ----------------------------------------------------------------------------------

    def _begin(self, name: str) -> _Part:
        told = Told(lambda nodes: self._nodes(name, nodes), self._extras, self._gone)
        region = Region(self.settings.name, name, self.settings.tag, told, self._clock)
        watch = RegionWatch(
            self._calls, region, self._clock, self._rng, lambda source: self._extras([source])
        )
        output = OutputWatch(watch, self._print, self._serials.held)
        output.begin_at(self._tails.get(name, {}))
        part = _Part(watch, output)
        runs = [watch.run(), part.may.run(), self._prices.run(watch)]
        if self._printed is not None and self.settings.output:
            runs.append(output.run())
        if self.settings.idle:
            runs.append(IdleWatch(watch, self._clock).run())
        part.tasks = [asyncio.create_task(run, name=f"ec2-{name}") for run in runs]
        return part

    def _find(self, node_id: str) -> tuple[_Part, Node]:
        part = self._where.get(node_id)
        known = None if part is None else part.watch.region.get(node_id.removeprefix("ec2:"))
        if part is None or known is None:
            if not self._parts:
                raise UnreachableError("airboss is not watching EC2")
            raise NoSuchNodeError("no such node", "`pilot nodes` lists yours.")
        return part, known.node

    def _up(self, part: _Part, doing: str) -> None:
        if fault := part.watch.fault:
            raise UnreachableError(
                f"{doing} failed: region {part.watch.region.name}: {fault}",
                "airboss asks it again by itself; what is shown is the last that was known.",
            )

    def _print(self, node_id: str, new: bytes, gap: bool) -> None:
        if self._printed is not None:
            self._printed(node_id, new, gap)
        self._kept_output.changed()

    def _ends(self) -> dict[str, dict[str, bytes]]:
        return self._tails | {name: part.output.tails() for name, part in self._parts.items()}

    def _nodes(self, region: str, nodes: list[Node]) -> None:
        part = self._parts.get(region)
        if part is None or self._sink is None:
            return
        for node in nodes:
            self._where[node.id] = part
        self._sink.nodes(nodes)

    def _extras(self, records: list[Extra] | list[Source]) -> None:
        if self._sink is not None:
            self._sink.extras(records)

    def _gone(self, ids: list[str]) -> None:
        for record_id in ids:
            self._where.pop(record_id, None)
        if self._sink is not None:
            self._sink.gone(ids)
