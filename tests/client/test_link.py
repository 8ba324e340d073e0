"""The link against an airboss that does well, and against ones that do not."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from keys import sshsig
from pilot import wire
from pilot.errors import (
    DeadlineError,
    IdentityError,
    NoSuchNodeError,
    PilotError,
    UnreachableError,
    UsageError,
    WireError,
)
from pilot.records import Node
from tests.client.conftest import Connect
from tests.client.stand_in import Channel, StandIn, User, node
from tests.support.waiting import until


async def test_a_list_is_asked_for_and_seq_counts_from_one(airboss: StandIn, connect: Connect) -> None:
    link = await connect()
    assert (link.hello.site, link.hello.principal) == ("stand-in", "ada")
    reply = await link.call("node.list", "vc1")
    assert [r.name for r in reply.records if isinstance(r, Node)] == [
        "compute-0-0",
        "compute-0-1",
        "compute-0-2",
    ]
    await link.call("node.list", "vc1", ["compute-0-1"])
    assert [body.seq for body in airboss.asked] == [1, 2]
    assert all(body.airboss == airboss.fingerprint for body in airboss.asked)


async def test_a_list_in_parts_is_put_together(airboss: StandIn, connect: Connect) -> None:
    async def parts(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(wire.Reply(records=(node(0),), more=True), wire.Reply(records=(node(1),)))

    airboss.on_request = parts
    reply = await (await connect()).call("node.list", "vc1")
    assert [record.id for record in reply.records] == [node(0).id, node(1).id]


async def test_a_request_that_is_too_long_is_not_sent(airboss: StandIn, connect: Connect) -> None:
    link = await connect()
    with pytest.raises(UsageError, match="too many"):
        await link.call("power.on", "vc1", [f"compute-{i:060d}" for i in range(1500)])
    with pytest.raises(UsageError, match="too many"):
        await link.call("power.on", "vc1", ["x"] * (wire.MAX_TARGETS + 1))
    assert not airboss.asked


async def test_a_receipt_is_kept(airboss: StandIn, connect: Connect, user: User) -> None:
    link = await connect()
    reply = await link.call("power.on", "vc1", ["compute-0-0", "nope"])
    assert [o.result for o in reply.outcomes] == ["done", "refused"]
    (line,) = (user.config / "state" / "receipts.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert kept["site"] == "test"
    body = wire.decode_receipt(kept["body"].encode())
    assert body.outcomes == reply.outcomes
    assert body.request == wire.digest(kept["request"].encode())


async def test_progress_is_passed_on(airboss: StandIn, connect: Connect) -> None:
    async def slow(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        channel.send(wire.Progress("compute-0-0", "waiting for the guest", 1.0))
        await airboss.answer(channel, request, body)

    airboss.on_request = slow
    seen: list[wire.Progress] = []
    await (await connect()).call("power.shutdown", "vc1", ["compute-0-0"], {}, seen.append)
    assert [(p.target, p.text) for p in seen] == [("compute-0-0", "waiting for the guest")]


async def test_a_refusal_is_the_error_that_airboss_meant(airboss: StandIn, connect: Connect) -> None:
    async def refuse(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.send(wire.Reply(fault=wire.Fault("node", "no such \x1b]0;x\x07 node", "look")))

    airboss.on_request = refuse
    with pytest.raises(NoSuchNodeError) as caught:
        await (await connect()).call("node.list", "vc1")
    assert "\x1b" not in caught.value.message
    assert caught.value.hint == "look"


def _tampered(reply: wire.Reply, airboss: StandIn, kind: str) -> wire.Reply:
    if kind == "bit":
        return msgspec.structs.replace(reply, receipt=reply.receipt.replace(b'"done"', b'"fail"'))
    if kind == "outcomes":
        return msgspec.structs.replace(reply, outcomes=())
    body = wire.decode_receipt(reply.receipt)
    key, namespace = airboss.host_key, wire.RECEIPT_NAMESPACE
    if kind == "request":
        body = msgspec.structs.replace(body, request="00" * 32)
    elif kind == "airboss":
        body = msgspec.structs.replace(body, airboss="SHA256:other")
    elif kind == "namespace":
        namespace = wire.REQUEST_NAMESPACE
    elif kind == "key":
        key = StandIn().host_key
    raw = b"[]" if kind == "garbage" else wire.encode_body(body)
    return msgspec.structs.replace(reply, receipt=raw, receipt_signature=sshsig.make(key, raw, namespace))


async def test_a_reply_without_a_receipt_is_told_as_it_is_and_nothing_is_kept(
    airboss: StandIn, connect: Connect, user: User
) -> None:
    async def silent(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        channel.send(wire.Reply(airboss.outcomes(body)))

    airboss.on_request = silent
    link = await connect()
    reply = await link.call("power.on", "vc1", ["compute-0-0"])
    assert reply.outcomes
    assert not reply.receipt
    assert not (user.config / "state" / "receipts.jsonl").exists()
    await link.close()


@pytest.mark.parametrize("kind", ["bit", "outcomes", "request", "airboss", "namespace", "key", "garbage"])
async def test_a_wrong_receipt_is_loud_and_not_kept(
    airboss: StandIn, connect: Connect, user: User, kind: str
) -> None:
    async def lie(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        channel.send(_tampered(airboss.signed(request, airboss.outcomes(body)), airboss, kind))

    airboss.on_request = lie
    link = await connect()
    with pytest.raises(IdentityError, match="receipt"):
        await link.call("power.on", "vc1", ["compute-0-0"])
    assert not (user.config / "state" / "receipts.jsonl").exists()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xff\xff\xff\xff", WireError),
        ((wire.MAX_SERVER_FRAME + 1).to_bytes(4, "big") + b"x", WireError),
        (b"\0\0\0\0", WireError),
        (b"\0\0\0\x04\xc1\xc1\xc1\xc1", WireError),
        (b"\0\0\0\x04\x93\x93", WireError),
        (b"\x00\x00", WireError),
        (wire.encode(wire.Output(b"x")), WireError),
        (b"", UnreachableError),
    ],
)
async def test_what_is_not_the_protocol_ends_in_an_error(
    airboss: StandIn, connect: Connect, data: bytes, error: type[PilotError]
) -> None:
    async def garbage(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        channel.raw(data)

    airboss.on_request = garbage
    link = await connect()
    with pytest.raises(error):
        await link.call("power.on", "vc1", ["compute-0-0"])
    airboss.on_request = airboss.answer
    assert (await link.call("node.list", "vc1")).records, "other requests of the connection go on"


async def test_silence_ends_at_the_deadline(airboss: StandIn, connect: Connect) -> None:
    async def silent(channel: Channel, _request: wire.Request, _body: wire.RequestBody) -> None:
        await channel.closed.wait()

    airboss.on_request = silent
    link = await connect()
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineError):
            await link.call("power.on", "vc1", ["compute-0-0"], deadline=0.2)


async def test_a_flood_is_held_back(airboss: StandIn, connect: Connect) -> None:
    """A console that prints without end does not fill the client's memory."""
    sent = 0

    async def flood(channel: Channel) -> None:
        nonlocal sent
        block = wire.encode(wire.Output(b"x" * wire.MAX_CONSOLE_CHUNK))
        for _ in range(1000):
            channel.raw(block)
            sent += 1
            await asyncio.sleep(0)

    airboss.console = flood  # type: ignore[method-assign]
    link = await connect()
    stream = await link.console("compute-0-0", "vc1")
    async with asyncio.timeout(10):
        await until(lambda: sent == 1000)
        waiting = stream._channel._waiting_bytes
        assert waiting < 6 * 1024 * 1024
        count = 0
        async for frame in stream:
            assert isinstance(frame, wire.Output)
            count += 1
            if count == 1000:
                break
    stream.close()


async def test_a_console_echoes_and_notices_change_who_writes(airboss: StandIn, connect: Connect) -> None:
    async def console(channel: Channel) -> None:
        frame = await channel.frames.get()
        assert frame == wire.Resize(132, 43)
        channel.send(wire.Notice("taken", "bob took the keyboard", writing=False))
        frame = await channel.frames.get()
        assert frame == wire.Take()
        channel.send(wire.Notice("writer", "you write", writing=True), wire.Output(b"bye"))
        channel.send(wire.Notice("closed", "the end", final=True))

    airboss.console = console  # type: ignore[method-assign]
    stream = await (await connect()).console("compute-0-0", "vc1")
    assert stream.writing
    stream.resize(132, 43)
    seen: list[object] = []
    async for frame in stream:
        seen.append((type(frame).__name__, stream.writing))
        if len(seen) == 1:
            stream.take()
    assert seen == [("Notice", False), ("Notice", True), ("Output", True), ("Notice", True)]
