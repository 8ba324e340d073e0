"""Starts whose end is not known: a node of theirs may come up paused when nobody waits for it any more.

A node is started paused, so that its console is held from the first byte. Where the call that starts it
exceeds its deadline, or its connection is lost, the node can still come up at any time later; then it is
let run here, unless another act has had its way with it meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pilot.backends.libvirt.host import HostWatch
from pilot.errors import BusyError, DeadlineError, PilotError, UnreachableError

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at what is known of the node; they cost no call."""
AFTERWARDS = 600.0
"""For how long to look once the call has come back, or can no longer do so."""


class LateStarts:
    """The starts of one host's nodes that are not known to have ended."""

    def __init__(self, watch: HostWatch, release: Callable[[str], Awaitable[bool]]) -> None:
        """`release` lets a node run that is paused; it may raise PilotError."""
        self._watch = watch
        self._release = release
        self._open: dict[str, float | None] = {}
        """Node to when to stop looking; None while the call that starts it has not come back."""
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def expect(self, uuid: str, *, back: bool) -> None:
        """The node may come up paused; `back` tells whether the call that starts it has come back."""
        if self._stopped:
            return
        loop = asyncio.get_running_loop()
        self._open[uuid] = loop.time() + AFTERWARDS if back else None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def came_back(self, uuid: str, started: bool | None) -> None:
        """The call came back after all; None for `started` means that this is not known."""
        if uuid in self._open:
            if started is False:
                self.settled(uuid)
            else:
                self.expect(uuid, back=True)

    def settled(self, uuid: str) -> None:
        """What becomes of the node is somebody else's matter now."""
        self._open.pop(uuid, None)

    def stop(self) -> None:
        """Look no longer: the next airboss finds the intent."""
        self._stopped = True
        self._open.clear()
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._open:
            await asyncio.sleep(LOOK_SECONDS)
            for uuid, until in list(self._open.items()):
                if until is not None and loop.time() > until:
                    self.settled(uuid)
                elif self._watch.record.state == "up" and uuid in self._watch.domains:
                    await self._one(uuid)

    async def _one(self, uuid: str) -> None:
        node = self._watch.domains.node(uuid)
        if node.state == "on":
            self.settled(uuid)
        if node.state != "paused":
            return
        try:
            if await self._release(uuid):
                log.warning("host %s: %s came up late and runs now", self._watch.address.name, node.name)
        except (BusyError, DeadlineError, UnreachableError) as error:
            log.info("host %s: %s came up late: %s", self._watch.address.name, node.name, error.message)
            return
        except PilotError as error:
            log.warning("host %s: %s stays paused: %s", self._watch.address.name, node.name, error.message)
        self.settled(uuid)
