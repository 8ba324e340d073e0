"""One call on a lane, how it ends, and the words for those that end badly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pilot.backends.libvirt.connection import Connection
from pilot.errors import BusyError, DeadlineError, PilotError, UnreachableError


class Call:
    """One call: waiting, running, or over."""

    __slots__ = ("deadline", "doing", "function", "future", "queued", "started")

    def __init__(
        self, doing: str, function: Callable[[Connection], Any], deadline: float, future: asyncio.Future[Any]
    ) -> None:
        self.doing = doing
        self.function = function
        self.deadline = deadline
        self.future = future
        self.queued = time.monotonic()
        self.started = 0.0


def settle(call: Call, result: Any, error: BaseException | None) -> None:
    """On the loop: say how a call came back, if somebody still waits for it."""
    if call.future.done():
        return
    if error is None:
        call.future.set_result(result)
    else:
        call.future.set_exception(error)


def fail(call: Call, error: PilotError) -> None:
    """On the loop: give a call up."""
    if not call.future.done():
        call.future.set_exception(error)


def overdue(call: Call, host: str) -> PilotError:
    """A call did not come back by its deadline."""
    return DeadlineError(
        f"{call.doing}: libvirt on host {host} has not answered for {call.deadline:g} s",
        "It may still take effect. If the node is shown as hung, `power.off` ends it.",
    )


def mute(call: Call, host: str) -> PilotError:
    """No connection opens."""
    return UnreachableError(
        f"{call.doing} failed: host {host} accepts connections but its libvirtd does not answer",
        "Look at libvirtd on that host.",
    )


def exhausted(call: Call, host: str, connections: int) -> PilotError:
    """All connections are held by calls that are overdue."""
    return BusyError(
        f"{call.doing} was not tried: {connections} connections to host {host} are held by calls that do "
        "not come back",
        "Turn off the nodes shown as hung there, or look at libvirtd on that host.",
    )
