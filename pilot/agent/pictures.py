"""`screen.picture`: what EC2 takes of an instance's screen, for who may look at the node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.ledger import Ledger
from pilot.agent.policy import may
from pilot.agent.shares import Shares
from pilot.agent.targets import one_node
from pilot.errors import DeadlineError, RefusedError
from pilot.wire import Outcome

UNREAD_SECONDS = 30.0


class _Outlet(Protocol):
    def tell(self, frame: wire.ServerFrame) -> None: ...

    async def send(self, frame: wire.ServerFrame) -> None: ...


class Pictures:
    """Takes them, and sends them."""

    def __init__(
        self,
        inventory: Inventory,
        take: Callable[[str], Awaitable[bytes]],
        ledger: Ledger,
        shares: Shares,
    ) -> None:
        """`take` gives a JPEG of a node's screen."""
        self._inventory = inventory
        self._take = take
        self._ledger = ledger
        self._shares = shares

    async def serve(self, caller: Caller, asked: Asked, out: _Outlet) -> None:
        """Take a picture and send it: a reply with a receipt, then its bytes.

        Raises:
            RefusedError: it is no instance, or not the signer's any more.
            PilotError: EC2 refused, or did not answer.
        """
        node = one_node(self._inventory, asked, "a picture")
        with self._shares.take("act", caller.holder):
            entry = await self._ledger.intend(caller, asked, [node.id])
            outcome = Outcome(node.name, "failed", node=node.id)
            try:
                data = await self._take(node.id)
                now = self._inventory.node(node.id)
                if (
                    now is None
                    or now.cluster != asked.cluster
                    or not may(caller.grants(), asked.verb, asked.cluster)
                ):
                    raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
                outcome = Outcome(node.name, "done", node=node.id, note=f"{len(data)} bytes")
            finally:
                reply = await asyncio.shield(self._ledger.settle(entry, [outcome]))
            out.tell(reply)
            try:
                async with asyncio.timeout(UNREAD_SECONDS):
                    for start in range(0, len(data), wire.MAX_CONSOLE_CHUNK):
                        await out.send(wire.Output(data[start : start + wire.MAX_CONSOLE_CHUNK]))
            except TimeoutError:
                raise DeadlineError(
                    f"the picture was not read for {UNREAD_SECONDS:g} s", "Ask again."
                ) from None
