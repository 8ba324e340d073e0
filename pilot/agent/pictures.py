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
from pilot.agent.outcomes import fault_of
from pilot.agent.policy import may
from pilot.agent.shares import Shares
from pilot.agent.targets import one_node
from pilot.errors import DeadlineError, PilotError, RefusedError
from pilot.wire import Outcome, Result

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

        What EC2 refuses is in the reply's outcome; then there are no bytes.

        Raises:
            PilotError: as for `Ledger.intend`.
        """
        node = one_node(self._inventory, asked, "a picture")
        with self._shares.take("act", caller.holder):
            entry = await self._ledger.intend(caller, asked, [node.id])
            data, outcome = b"", Outcome(node.name, "failed", node=node.id)
            try:
                data = await self._take(node.id)
                now = self._inventory.node(node.id)
                entitled = may(caller.grants(), asked.verb, asked.cluster)
                if now is None or now.cluster != asked.cluster or not entitled:
                    raise RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
                outcome = Outcome(node.name, "done", node=node.id, note=f"{len(data)} bytes")
            except PilotError as error:
                data = b""
                result: Result = "refused" if isinstance(error, RefusedError) else "failed"
                outcome = Outcome(node.name, result, node=node.id, fault=fault_of(error))
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
