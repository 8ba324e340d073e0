"""Frames of a stream's viewer: bounded, and fair to everybody else."""

from __future__ import annotations

import asyncio
import itertools
from typing import cast

import asyncssh

from pilot import wire
from pilot.agent.channel import FrameChannel


class Pipe:
    """What of an SSH channel is used here."""

    def __init__(self) -> None:
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def test_a_flood_of_frames_lets_others_run_in_between() -> None:
    pipe = Pipe()
    channel = FrameChannel(cast("asyncssh.SSHServerChannel[bytes]", pipe))
    for token in range(1000):
        channel.put(wire.Ping(token))
    assert not pipe.reading, "the client is held back"
    taken: list[int] = []
    seen: list[int] = []

    async def others() -> None:
        while True:
            seen.append(len(taken))
            await asyncio.sleep(0)

    async def stream() -> None:
        while len(taken) < 1000:
            frame = await channel.receive()
            assert isinstance(frame, wire.Ping)
            taken.append(frame.token)

    task = asyncio.create_task(others())
    async with asyncio.timeout(20):
        await stream()
    task.cancel()
    assert taken == list(range(1000))
    assert max(after - before for before, after in itertools.pairwise(seen)) <= 2
    assert pipe.reading
