"""Requests in the journal: intent before, outcome after, and the receipt that airboss signs over both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

import asyncssh
import msgspec

from keys import sshsig
from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.gate import Asked
from pilot.agent.journal import Journal
from pilot.agent.rate import Rate
from pilot.errors import BusyError, PilotError
from pilot.wire import Outcome

_log = logging.getLogger(__name__)

OPENINGS, OPENINGS_PER_SECOND = 500, 6.0
"""Consoles and screens that a signer may open at once, and for ever. Each leaves three records, and costs
nothing else: without a bound anybody who may look at one node could fill the journal's disk. A wall that
shows its screens in turns opens 5 a second."""


class Ledger:
    """Writes what was asked and what came of it, and signs receipts with the host key."""

    def __init__(
        self,
        journal: Journal,
        host_key: asyncssh.SSHKey,
        clock: Callable[[], float],
        openings: Rate | None = None,
    ) -> None:
        """`openings`: how often one signer may open consoles and screens."""
        self._journal = journal
        self._host_key = host_key
        self._airboss = sshsig.fingerprint(host_key.public_data)
        self._clock = clock
        self._refusals = Rate(burst=30, per_second=0.2)
        self._openings = openings or Rate(burst=OPENINGS, per_second=OPENINGS_PER_SECOND)
        self._late: set[asyncio.Task[None]] = set()

    async def intend(self, caller: Caller, asked: Asked, node_ids: Iterable[str]) -> tuple[int, Asked]:
        """Make durable what is about to be done, and for whom.

        Whoever is cancelled in here leaves an outcome all the same; see `Journal.intent`.

        Raises:
            BusyError: the signer opens consoles and screens faster than the journal is to grow.
            PilotError: as for `Journal.intent`.
        """
        if asked.verb.stream and not self._openings.allows(caller.holder):
            raise BusyError(
                f"your key opens consoles and screens faster than {OPENINGS_PER_SECOND:g} a second",
                "Each is written in the journal. Keep them open, or ask again in a second.",
            )
        intent = await self._journal.intent(
            actor=caller.principal,
            fingerprint=caller.fingerprint,
            auth="signed" if asked.signed else "ssh",
            cluster=asked.cluster,
            verb=asked.verb.id,
            targets=list(node_ids),
            args={**asked.args, "selectors": list(asked.targets)},
            body=asked.body,
            signature=asked.signature,
        )
        return intent, asked

    async def settle(self, entry: tuple[int, Asked], outcomes: list[Outcome]) -> wire.Reply:
        """Make durable what came of it, and answer with a signed receipt."""
        intent, asked = entry
        try:
            head = await self._journal.outcome(intent, [msgspec.to_builtins(outcome) for outcome in outcomes])
        except PilotError as error:
            # What was done is done: it is told, without the receipt that would say it is on disk.
            _log.error("the outcome of journal record %d is not on disk: %s", intent, error.message)
            return wire.Reply(outcomes=tuple(outcomes))
        body = wire.encode_body(
            wire.ReceiptBody(
                v=wire.VERSION,
                airboss=self._airboss,
                request=wire.digest(asked.body),
                outcomes=tuple(outcomes),
                journal_id=head.id,
                journal_head=head.hash,
                time=self._clock(),
            )
        )
        return wire.Reply(
            outcomes=tuple(outcomes),
            receipt=body,
            receipt_signature=sshsig.make(self._host_key, body, wire.RECEIPT_NAMESPACE),
        )

    async def settle_late(self, entry: tuple[int, Asked], outcomes: Awaitable[list[Outcome]]) -> None:
        """Settle a request whose asker has gone: nobody waits for the answer, the journal does."""

        async def settle() -> None:
            try:
                await self.settle(entry, await outcomes)
            except Exception:
                _log.exception("the outcome of journal record %d could not be written", entry[0])

        task = asyncio.create_task(settle())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def refused(
        self, caller: Caller, request: wire.Request, fault: wire.Fault, *, signed: bool
    ) -> None:
        """Note that a known signer's request was refused, by the digest of what was sent.

        `signed`: whether its signature held. Beyond a rate, refusals of one signer are not noted: a journal
        that anybody can fill is a way to stop everybody.
        """
        if not self._refusals.allows(caller.holder):
            return
        await self._journal.event(
            actor=caller.principal,
            fingerprint=caller.fingerprint,
            auth="signed" if signed else "ssh",
            verb="refused",
            result={"code": fault.code, "message": fault.message, "request": wire.digest(request.body)},
        )

    async def noted(
        self, caller: Caller, verb: str, asked: Asked, node_id: str, result: dict[str, object]
    ) -> None:
        """Note something that happened in a request's stream, such as its end."""
        await self._journal.event(
            actor=caller.principal,
            fingerprint=caller.fingerprint,
            auth="signed" if asked.signed else "ssh",
            cluster=asked.cluster,
            verb=verb,
            targets=[node_id],
            result=result,
        )

    async def close(self) -> None:
        """Wait for the outcomes that are still to be written."""
        if self._late:
            await asyncio.wait(self._late, timeout=5)
