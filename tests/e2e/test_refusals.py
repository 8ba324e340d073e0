"""What airboss refuses: strangers, forgeries, replays, half frames, floods. On a real airboss."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import asyncssh
import msgspec
import pytest

from keys import sshsig
from pilot import wire
from pilot.errors import IdentityError, PilotError, RefusedError, UsageError
from pilot.link.channel import open_channel
from pilot.link.link import Link
from pilot.verbs import VERBS
from tests.e2e.conftest import MakeSite, Site
from tests.support.airboss import Person
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> Site:
    """One host with a node of vc1 and a node of vc2 that has the same name."""
    site = await make_site(1)
    nodes(site.hosts[0], "vc1", 1)
    nodes(site.hosts[0], "vc2", 1)
    return site


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    """The owner of vc1, connected, and airboss knows her node."""
    async with await site.ada.link() as link:

        async def known() -> bool:
            return len((await link.call("node.list", "vc1")).records) == 1

        await until(known, what="the node is known")
        yield link


def body(link: Link, **changes: object) -> wire.RequestBody:
    link._seq += 1
    plain = wire.RequestBody(
        v=1,
        airboss=link.hello.airboss,
        challenge=link.hello.challenge,
        seq=link._seq,
        time=time.time(),
        verb="power.on",
        cluster="vc1",
        targets=("compute-0-0",),
    )
    return msgspec.structs.replace(plain, **changes)


async def sign(link: Link, data: bytes, namespace: str = wire.REQUEST_NAMESPACE) -> bytes:
    return await sshsig.make_with(link.signer, data, namespace)


async def answer(link: Link, *frames: bytes) -> wire.Reply:
    """What airboss replies to these bytes on a new channel."""
    channel = await open_channel(link._connection, 30)
    assert channel._chan is not None
    for frame in frames:
        channel._chan.write(frame)
    while True:
        got = await channel.receive(30)
        assert got is not None, "the channel was closed without a reply"
        if isinstance(got, wire.Reply):
            return got


async def refused(link: Link, data: bytes, signature: bytes) -> str:
    """The code of the refusal."""
    reply = await answer(link, wire.encode(wire.Request(data, signature)))
    assert reply.fault is not None, reply
    assert not reply.outcomes
    assert reply.fault.hint
    return reply.fault.code


async def nothing_was_done(site: Site, link: Link) -> None:
    (node,) = (await link.call("node.list", "vc1")).records
    assert getattr(node, "state", "") == "off"
    shown = await site.airboss.admin("journal", "show", "--json")
    assert '"kind":"intent"' not in shown
    await site.airboss.admin("journal", "verify")


async def test_requests_that_were_tampered_with_are_refused_and_journaled(site: Site, ada: Link) -> None:
    good = wire.encode_body(body(ada))
    signature = await sign(ada, good)
    other_key = sshsig.make(asyncssh.generate_private_key("ssh-ed25519"), good, wire.REQUEST_NAMESPACE)
    assert await refused(ada, good.replace(b"compute-0-0", b"compute-0-1"), signature) == "signature"
    assert await refused(ada, good, signature[:-1] + bytes([signature[-1] ^ 1])) == "signature"
    assert await refused(ada, good, signature[:40]) == "signature"
    assert await refused(ada, good, b"") == "signature"
    assert await refused(ada, good, other_key) == "signature"
    assert await refused(ada, good, await sign(ada, good, wire.RECEIPT_NAMESPACE)) == "signature"
    for changes in ({"airboss": "SHA256:elsewhere"}, {"challenge": "00" * 32}, {"seq": 0}):
        data = wire.encode_body(body(ada, **changes))
        assert await refused(ada, data, await sign(ada, data)) == "signature"
    data = wire.encode_body(body(ada)).replace(b'"v":1', b'"v":9')
    assert await refused(ada, data, await sign(ada, data)) == "protocol"
    shown = await site.airboss.admin("journal", "show", "--verb", "refused", "--json")
    assert shown.count('"refused"') >= 10
    await nothing_was_done(site, ada)


async def test_a_request_is_taken_once_and_only_on_its_own_connection(site: Site, ada: Link) -> None:
    data = wire.encode_body(body(ada, verb="node.list", targets=()))
    frame = wire.encode(wire.Request(data, await sign(ada, data)))
    assert (await answer(ada, frame)).fault is None
    again = await answer(ada, frame)
    assert again.fault is not None
    assert "replay" in again.fault.message
    async with await site.ada.link() as second:
        elsewhere = await answer(second, frame)
        assert elsewhere.fault is not None
        assert "another connection" in elsewhere.fault.message


async def test_somebody_elses_node_and_no_node_get_the_same_answer(site: Site, ada: Link) -> None:
    async with await site.bob.link() as bob:

        async def known() -> bool:
            return bool((await bob.call("node.list", "vc2")).records)

        await until(known)
        (theirs,) = (await bob.call("node.list", "vc2")).records
    texts = []
    for target in (theirs.id, "00000000-0000-4000-8000-000000000000"):
        (outcome,) = (await ada.call("power.on", "vc1", [target])).outcomes
        assert outcome.result == "refused"
        assert outcome.fault is not None
        texts.append(outcome.fault.message.replace(target, "X"))
    assert texts[0] == texts[1]
    faults = []
    for cluster in ("vc2", "no-such"):
        with pytest.raises(RefusedError) as caught:
            await ada.call("power.on", cluster, ["compute-0-0"])
        faults.append(caught.value.message.replace(cluster, "X"))
    assert faults[0] == faults[1]
    for verb in ("node.list", "console.open"):
        with pytest.raises(RefusedError):
            await ada.call(verb, "vc2", ["compute-0-0"] if verb == "console.open" else ())


async def test_roles_reach_as_far_as_they_say(site: Site) -> None:
    viewer = await site.airboss.person("vera", "vc1", "viewer")
    operator = await site.airboss.person("otto", "vc1", "operator")
    async with await viewer.link() as link:
        assert set(link.hello.verbs) == {verb.id for verb in VERBS if verb.role == "viewer"}
        with pytest.raises(RefusedError, match="operator"):
            await link.call("power.on", "vc1", ["compute-0-0"])
        with pytest.raises(RefusedError, match="operator"):
            await link.console("compute-0-0", "vc1", "take")
    async with await operator.link() as link:
        with pytest.raises(RefusedError, match="owner"):
            await link.call("power.install", "vc1", ["compute-0-0"])


async def test_strangers_get_in_nowhere(site: Site) -> None:
    stranger = await site.airboss.person("eve")
    with pytest.raises(IdentityError):
        await stranger.link()
    await site.airboss.entitle(stranger, "vc1")
    link = await until(lambda: _try(stranger), 30, "the key is known")
    await link.close()


async def test_a_removed_key_and_an_expired_key_are_refused_at_once(site: Site, ada: Link) -> None:
    await site.airboss.admin("key", "remove", "vc1", site.ada.fingerprint)
    await until(lambda: ada.closed, 30, "the connection of the removed key is closed")
    with pytest.raises(IdentityError):
        await site.ada.link()
    past = await site.airboss.person("paul")
    await site.airboss.admin(
        "key", "add", "vc1", "--role", "owner", "--valid-before", "20200101Z", str(past.public)
    )
    with pytest.raises(IdentityError):
        await past.link()


async def test_frames_that_are_no_frames_are_answered_and_hurt_nobody(site: Site, ada: Link) -> None:
    for junk in (
        b"\x00\x00\x00\x00",
        (wire.MAX_CLIENT_FRAME + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x03abc",
        wire.encode(wire.Input(b"x")),
        wire.encode(wire.Take()),
    ):
        reply = await answer(ada, junk)
        assert reply.fault is not None
        assert reply.fault.code == "protocol"
    assert (await ada.call("node.list", "vc1")).records


async def test_a_half_frame_and_a_silent_client_are_cut_off(make_site: MakeSite) -> None:
    site = await make_site(1, "[limits]\nlogin_grace = 1.0\n")
    async with await site.ada.link() as link:
        half = await open_channel(link._connection, 30)
        assert half._chan is not None
        half._chan.write(b"\x00\x00\x01\x00half")
        assert await half.receive(30) is None
        assert (await link.call("node.list", "vc1")).fault is None
    reader, writer = await asyncio.open_connection("127.0.0.1", site.airboss.port)
    async with asyncio.timeout(40):
        await reader.read()
    writer.close()


async def test_500_connections_at_once_keep_nobody_out(site: Site, ada: Link) -> None:
    sockets = [socket.socket() for _ in range(500)]
    try:
        for one in sockets:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", site.airboss.port))
        for _ in range(20):
            async with asyncio.timeout(30):
                assert (await ada.call("node.list", "vc1")).records
        # Those who come while the silent ones still hold all places, from the same address, get in.
        async with asyncio.timeout(40):
            for person in (site.ada, site.bob):
                async with await person.link() as link:
                    assert link.hello.principal == person.name
    finally:
        for one in sockets:
            one.close()


async def _try(person: Person) -> Link | None:
    try:
        return await person.link()
    except PilotError:
        return None


async def test_one_key_may_not_take_all_channels(site: Site, ada: Link) -> None:
    opened = [
        ada._connection.create_session(asyncssh.SSHClientSession, subsystem=wire.SUBSYSTEM, encoding=None)
        for _ in range(100)
    ]
    results = await asyncio.gather(*opened, return_exceptions=True)
    assert sum(isinstance(r, asyncssh.ChannelOpenError) for r in results) >= 36
    async with await site.ada.link() as other:
        assert (await other.call("node.list", "vc1")).records


async def test_arguments_and_selectors_that_make_no_sense_are_said(ada: Link) -> None:
    for targets in ((), ("compute-0-[",), ("[3-1]",)):
        with pytest.raises(UsageError):
            await ada.call("power.on", "vc1", targets)
