"""What comes on the channel of a watch, and the pings that go there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Literal

from pilot import wire
from pilot.errors import DeadlineError, UnreachableError, WireError
from pilot.link.channel import Channel
from pilot.link.faults import error_of

SILENCE_SECONDS = 20.0
"""A watch with nothing in it for so long is dead: airboss sends a pulse every few seconds."""
PING_SECONDS = 2.0

LoadOf = Literal["", "hosts", "all"]
"""Of what a watch tells how busy it is: nothing, hosts, or nodes' interfaces, too."""
Also = Literal["", "machines"]
"""Which records that there may be very many of are told, too."""
Watched = wire.Snapshot | wire.Delta | wire.Usage | wire.Load | wire.Pong


async def frames(channel: Channel, usage: bool) -> AsyncGenerator[Watched, None]:
    """What airboss sends once it has accepted the watch; with `usage`, pings are sent meanwhile.

    A ping's token is `time.monotonic_ns()` when it was sent.

    Raises:
        UnreachableError: the connection was lost, or is silent.
        WireError: what came does not belong in a watch.
        PilotError: why airboss ended it.
    """
    pinging = asyncio.create_task(_ping(channel)) if usage else None
    try:
        while True:
            try:
                frame = await channel.receive(SILENCE_SECONDS)
            except DeadlineError:
                raise UnreachableError(f"airboss has been silent for {SILENCE_SECONDS:.0f} s") from None
            if isinstance(frame, Watched):
                yield frame
            elif isinstance(frame, wire.Reply) and frame.fault is not None:
                raise error_of(frame.fault)
            elif frame is None:
                raise UnreachableError("airboss ended the watch", "It may be restarting.")
            else:
                raise WireError(f"a {type(frame).__name__} frame in a watch")
    finally:
        if pinging is not None:
            pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pinging


async def _ping(channel: Channel) -> None:
    while True:
        # One that waits to be sent would say more about our own side than about airboss.
        await channel.drain()
        channel.send(wire.Ping(time.monotonic_ns()))
        await asyncio.sleep(PING_SECONDS)
