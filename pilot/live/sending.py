"""An activity's requests on their way: sent side by side, and whatever becomes of them is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from pilot import wire
from pilot.asked import Activity, Receipt, Request
from pilot.errors import (
    ConfigError,
    DeadlineError,
    IdentityError,
    PilotError,
    RefusedError,
    UnreachableError,
    WireError,
)
from pilot.live.notifier import Notifier
from pilot.store import Store
from pilot.verbs import Value
from pilot.wire import Fault, Outcome

SIDE_BY_SIDE = 8
"""Requests of one activity that are under way at the same time."""

NOT_SENT = "Nothing was sent. Ask again once there is a link."
LOOK = "The list shows how the nodes are now; the journal says what was done."

_NOT_KNOWN = (UnreachableError, DeadlineError, WireError, IdentityError, ConfigError)
"""Errors that may come after the request was sent: what came of it is not known."""


class Asks(Protocol):
    """What is needed of a live site."""

    @property
    def store(self) -> Store:
        """The mirror of the inventory."""

    @property
    def changed(self) -> Notifier:
        """Told when the link's state changes."""

    @property
    def state(self) -> str:
        """`live` while there is a link."""

    @property
    def hello(self) -> wire.Hello | None:
        """What airboss last said of itself and of us."""

    def may(self, verb_id: str, cluster: str) -> bool:
        """Whether the signer's role reaches."""

    async def call(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str],
        args: Mapping[str, Value],
        on_progress: Callable[[wire.Progress], None],
    ) -> wire.Reply:
        """Ask, and wait for the reply."""


async def send(activity: Activity, site: Asks, progressed: Callable[[], None]) -> None:
    """Send all requests of an activity; each target has an outcome at the end, even if this is cancelled."""
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(request: Request) -> None:
        async with gate:
            await _ask(activity, request, site, progressed)
        progressed()

    try:
        async with asyncio.TaskGroup() as group:
            for request in activity.requests:
                group.create_task(one(request))
    finally:
        for request in activity.requests:
            request.end("unknown", Fault("failed", "given up before it was answered", LOOK))


async def _ask(activity: Activity, request: Request, site: Asks, progressed: Callable[[], None]) -> None:
    def progress(frame: wire.Progress) -> None:
        request.progress(frame)
        progressed()

    if site.state != "live":
        request.error = UnreachableError("not sent: the link was lost", NOT_SENT)
        request.end("failed", _fault(request.error))
        return
    ids = [target.id for target in request.targets]
    try:
        reply = await site.call(activity.verb.id, request.cluster, ids, activity.args, progress)
        _answered(request, reply.outcomes, reply.receipt)
    except PilotError as error:
        request.error = _with_advice(error)
        request.end(_result(error), _fault(request.error))


def _result(error: PilotError) -> wire.Result:
    # A bare PilotError is airboss failing inside: it may have begun.
    if isinstance(error, _NOT_KNOWN) or type(error) is PilotError:
        return "unknown"
    return "refused" if isinstance(error, RefusedError) else "failed"


def _answered(request: Request, outcomes: Iterable[Outcome], receipt: bytes) -> None:
    request.answered = True
    for outcome in outcomes:
        request.outcome(outcome)
    request.end("unknown", Fault("protocol", "airboss said nothing of it", LOOK))
    if receipt:
        body = wire.decode_receipt(receipt)
        request.receipt = Receipt(body.journal_id, body.journal_head, body.time)


def _with_advice(error: PilotError) -> PilotError:
    """The error; where its advice is a command for the shell, with advice for the app instead."""
    if isinstance(error, UnreachableError | DeadlineError):
        return type(error)(error.message, LOOK)
    return error


def _fault(error: PilotError) -> Fault:
    return Fault(error.code, error.message, error.hint)
