"""Connecting: host keys, the user's keys and passphrases, hellos; and who answers badly or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from keys.identity import identities
from pilot.client_config import Site
from pilot.errors import IdentityError, PilotError, UnreachableError, WireError
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use, refuse_first_use
from tests.client.conftest import Connect
from tests.client.stand_in import Channel, StandIn, User


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
    monkeypatch.setattr("pilot.link.dial.HELLO_SECONDS", 0.2)
    with pytest.raises(UnreachableError, match="hello"):
        await connect()
