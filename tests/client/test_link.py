"""The link against an airboss that does well, and against ones that do not."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import msgspec
import pytest

from keys import sshsig
from keys.identity import identities
from pilot import wire
from pilot.client_config import Site
from pilot.errors import (
    DeadlineError,
    IdentityError,
    NoSuchNodeError,
    PilotError,
    UnreachableError,
    UsageError,
    WireError,
)
from pilot.link import Link
from pilot.records import Node
from pilot.trust import KnownHosts, accept_first_use, refuse_first_use
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
    if kind == "none":
        return wire.Reply(reply.outcomes)
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


@pytest.mark.parametrize(
    "kind", ["none", "bit", "outcomes", "request", "airboss", "namespace", "key", "garbage"]
)
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
    begun = time.monotonic()
    with pytest.raises(DeadlineError):
        await link.call("power.on", "vc1", ["compute-0-0"], deadline=0.2)
    assert time.monotonic() - begun < 2


async def test_a_listener_that_says_nothing_is_given_up(user: User) -> None:
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _r, w: writers.append(w), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(UnreachableError, match="no answer"):
            await Link.connect(
                Site("test", "127.0.0.1", port),
                await identities([user.key_file], False, None),
                KnownHosts(user.config / "known_hosts", accept_first_use),
                connect_seconds=0.3,
            )
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_nobody_there(user: User, airboss: StandIn) -> None:
    await airboss.stop()
    with pytest.raises(UnreachableError, match="refused"):
        await Link.connect(
            airboss.site,
            await identities([user.key_file], False, None),
            KnownHosts(user.config / "known_hosts", accept_first_use),
        )


async def test_an_unknown_host_key_is_not_taken_unasked(user: User, airboss: StandIn) -> None:
    signers = await identities([user.key_file], False, None)
    known = KnownHosts(user.config / "known_hosts", refuse_first_use)
    with pytest.raises(IdentityError, match="not known yet"):
        await Link.connect(airboss.site, signers, known)
    assert not airboss.asked
    assert not known.path.exists()


async def test_a_changed_host_key_stops_everything(user: User, airboss: StandIn, connect: Connect) -> None:
    await connect()
    port = airboss.port
    await airboss.stop()
    other = StandIn()
    other.accepted = airboss.accepted
    await other.start(port)
    try:
        user.airboss = other
        with pytest.raises(IdentityError, match="HAS CHANGED") as caught:
            await connect()
        assert other.fingerprint in caught.value.message
        assert "line 1" in caught.value.hint
        assert not other.asked
    finally:
        await other.stop()


async def test_a_key_that_is_not_known_there(user: User, airboss: StandIn) -> None:
    airboss.accepted.clear()
    (signer,) = await identities([user.key_file], False, None)
    with pytest.raises(IdentityError) as caught:
        await Link.connect(airboss.site, [signer], KnownHosts(user.config / "known_hosts", accept_first_use))
    assert signer.fingerprint in caught.value.message
    assert "pilot-agent key add" in caught.value.hint


async def test_the_key_that_was_accepted_signs(user: User, airboss: StandIn, tmp_path: Path) -> None:
    stranger = User.__new__(User)
    (tmp_path / "other").mkdir()
    stranger.__init__(tmp_path / "other", StandIn())  # type: ignore[misc]
    signers = await identities([stranger.key_file, user.key_file], False, None)
    known = KnownHosts(user.config / "known_hosts", accept_first_use)
    async with await Link.connect(airboss.site, signers, known) as link:
        assert link.signer.fingerprint == signers[1].fingerprint
        assert (await link.call("node.list", "vc1")).records


class Prompt:
    def __init__(self, answer: str | None) -> None:
        self.deferred = False
        self.asked = 0
        self._answer = answer

    async def __call__(self, _path: Path) -> str | None:
        if self.deferred:
            return None
        self.asked += 1
        return self._answer


async def _encrypted(user: User, prompt: Prompt, airboss: StandIn) -> Link:
    user.key_file.write_bytes(
        user.key.export_private_key(passphrase="open sesame", rounds=16, ignore_few_rounds=True)
    )
    user.key_file.with_suffix(".pub").write_bytes(user.key.export_public_key())
    signers = await identities([user.key_file], False, prompt)
    known = KnownHosts(user.config / "known_hosts", accept_first_use)
    return await Link.connect(airboss.site, signers, known, prompt=prompt)


async def test_a_passphrase_is_asked_once_and_only_for_a_key_that_is_accepted(
    user: User, airboss: StandIn
) -> None:
    prompt = Prompt("open sesame")
    async with await _encrypted(user, prompt, airboss) as link:
        assert (await link.call("node.list", "vc1")).records
    assert prompt.asked == 1
    airboss.accepted.clear()
    stranger = Prompt("open sesame")
    with pytest.raises(IdentityError, match="knows none of your keys"):
        await _encrypted(user, stranger, airboss)
    assert stranger.asked == 0


async def test_no_passphrase_no_link(user: User, airboss: StandIn) -> None:
    with pytest.raises(IdentityError, match="passphrase"):
        await _encrypted(user, Prompt(None), airboss)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"airboss": "SHA256:other"}, IdentityError),
        ({"key": "SHA256:other"}, IdentityError),
        ({"v": 2}, WireError),
    ],
)
async def test_a_hello_that_does_not_fit(
    airboss: StandIn, connect: Connect, change: dict[str, object], error: type[PilotError]
) -> None:
    async def wrong(channel: Channel) -> None:
        channel.send(msgspec.structs.replace(airboss.hello_frame(), **change))

    airboss.on_hello = wrong
    with pytest.raises(error):
        await connect()


async def test_a_hello_that_does_not_come(
    airboss: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(channel: Channel) -> None:
        await channel.closed.wait()

    airboss.on_hello = silent
    monkeypatch.setattr("pilot.dial.HELLO_SECONDS", 0.2)
    with pytest.raises(UnreachableError, match="hello"):
        await connect()


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
