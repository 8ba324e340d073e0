"""A watch as a client has it: usage and pings when asked for; airbosses that do not keep to the wire."""

from __future__ import annotations

import contextlib
import time

import pytest

from pilot import wire
from pilot.errors import RefusedError, UnreachableError, WireError
from pilot.link import watching
from tests.client.conftest import Connect
from tests.client.stand_in import Channel, StandIn, node

USED = wire.Usage(5.0, 1.0, (wire.NodeUsage(node(0).id, b"\x01\x02\xff", 4096),))


class Watched:
    """An airboss that sends a snapshot and some frames, then answers pings."""

    def __init__(self, airboss: StandIn, *frames: wire.ServerFrame) -> None:
        self.frames = frames
        self.pings: list[int] = []
        airboss.on_request = self.answer

    async def answer(self, channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(wire.Reply(), wire.Snapshot(1, (node(0),), True, True), *self.frames)
        while True:
            frame = await channel.frames.get()
            assert isinstance(frame, wire.Ping)
            self.pings.append(frame.token)
            channel.send(wire.Pong(frame.token))


async def test_usage_and_pongs_come_when_asked_for(
    airboss: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PING_SECONDS", 0.01)
    sender = Watched(airboss, USED)
    link = await connect()
    seen: list[watching.Watched] = []
    async with contextlib.aclosing(link.watch("vc1", usage=True)) as frames:
        async for frame in frames:
            seen.append(frame)
            if sum(isinstance(one, wire.Pong) for one in seen) == 3:
                break
    assert USED in seen
    tokens = [frame.token for frame in seen if isinstance(frame, wire.Pong)]
    assert tokens == sorted(tokens) == sender.pings[:3]
    assert 0 < time.monotonic_ns() - tokens[-1] < 10e9
    assert airboss.asked[-1].args == {"usage": True}


async def test_without_usage_nothing_is_asked_and_no_ping_sent(
    airboss: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PING_SECONDS", 0.01)
    monkeypatch.setattr(watching, "SILENCE_SECONDS", 0.3)
    sender = Watched(airboss)
    link = await connect()
    with pytest.raises(UnreachableError, match="silent"):
        async for _ in link.watch("vc1"):
            pass
    assert sender.pings == []
    assert airboss.asked[-1].args == {}


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (wire.Output(b"x"), WireError),
        (wire.Reply(), WireError),
        (wire.Reply(fault=wire.Fault("refused", "no longer")), RefusedError),
    ],
)
async def test_what_does_not_belong_ends_it(
    airboss: StandIn, connect: Connect, frame: wire.ServerFrame, error: type[Exception]
) -> None:
    Watched(airboss, frame)
    link = await connect()
    with pytest.raises(error):
        async for _ in link.watch("vc1", usage=True):
            pass
