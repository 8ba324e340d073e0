"""Who gets in, and who does not although asyncssh alone would let them. On a real airboss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from keys import sshsig
from keys.identity import identities
from keys.signers import SignerLine
from pilot import wire
from pilot.client_config import Site as SiteConfig
from pilot.link.channel import open_channel
from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.support.airboss import no_passphrase
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

Identity = asyncssh.SSHKey | tuple[asyncssh.SSHKey, asyncssh.SSHCertificate]


@pytest.fixture
async def site(make_site: MakeSite, tmp_path: Path) -> Site:
    """An airboss without hosts, with an empty list of revoked keys."""
    (tmp_path / "revoked").write_text("")
    return await make_site(0, f'[signers]\nrevoked = "{tmp_path / "revoked"}"')


@pytest.fixture
async def authority(site: Site) -> asyncssh.SSHKey:
    """An authority that may certify carol as an owner of vc1, and airboss knows it."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    site.airboss.editor.add_signers(
        "vc1", "owner", [SignerLine(principals=("carol",), key_blob=key.public_data, cert_authority=True)]
    )
    good = asyncssh.generate_private_key("ssh-ed25519")
    certificate = key.generate_user_certificate(good, "good", principals=["carol"])
    await until(lambda: gets_in(site, (good, certificate)), 30, "the authority is known")
    return key


@asynccontextmanager
async def ssh(site: Site, who: Identity, *algorithms: str) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """What stock ssh does, as carol; nothing of the client's own rules stands in between."""
    async with asyncssh.connect(
        "127.0.0.1",
        site.airboss.port,
        known_hosts=None,
        config=None,
        agent_path=None,
        client_keys=[who],
        username="carol",
        signature_algs=list(algorithms) or (),
    ) as connection:
        yield connection


async def gets_in(site: Site, who: Identity, *algorithms: str) -> bool:
    try:
        async with ssh(site, who, *algorithms) as connection:
            ran = await connection.run("whoami", timeout=30)
    except asyncssh.PermissionDenied:
        return False
    assert ran.exit_status == 0, ran
    return True


async def test_a_certificate_is_held_to_the_rules_of_a_signed_request(
    site: Site, authority: asyncssh.SSHKey, tmp_path: Path
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")

    def certificate(principals: list[str], of: asyncssh.SSHKey = key) -> Identity:
        return of, authority.generate_user_certificate(of, "id", principals=principals)

    assert await gets_in(site, certificate(["carol"]))
    assert await gets_in(site, certificate(["dave", "carol"]))
    assert not await gets_in(site, certificate([])), "a certificate for nobody is not one for all"
    assert not await gets_in(site, certificate(["dave"]))
    weak = asyncssh.generate_private_key("ssh-rsa", key_size=1024)
    assert not await gets_in(site, certificate(["carol"], weak))
    forced = authority.generate_user_certificate(key, "id", principals=["carol"], force_command="list")
    assert not await gets_in(site, (key, forced)), "a critical option that is not honoured"
    past = authority.generate_user_certificate(key, "id", principals=["carol"], valid_before=int(time.time()))
    assert not await gets_in(site, (key, past))
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    forged = stranger.generate_user_certificate(key, "id", principals=["carol"])
    assert not await gets_in(site, (key, forged))
    assert not await gets_in(site, key)


async def test_a_certified_key_that_is_revoked_is_cut_and_kept_out(
    site: Site, authority: asyncssh.SSHKey, tmp_path: Path
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    certificate = authority.generate_user_certificate(key, "id", principals=["carol"])
    async with ssh(site, (key, certificate)) as connection:
        (tmp_path / "revoked").write_bytes(key.export_public_key())
        async with asyncio.timeout(30):
            await connection.wait_closed()
    assert not await gets_in(site, (key, certificate))


async def test_a_certificate_that_expires_ends_its_connection(site: Site, authority: asyncssh.SSHKey) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    end = int(time.time()) + 8
    certificate = authority.generate_user_certificate(key, "id", principals=["carol"], valid_before=end)
    async with ssh(site, (key, certificate)) as connection:
        async with asyncio.timeout(30):
            await connection.wait_closed()
        assert time.time() >= end


async def test_rsa_logs_in_with_sha2_only(site: Site) -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    line = SignerLine(principals=("carol",), key_blob=key.public_data)
    site.airboss.editor.add_signers("vc1", "owner", [line])
    await until(lambda: gets_in(site, key, "rsa-sha2-256"), 30, "the key is known")
    assert await gets_in(site, key, "rsa-sha2-512")
    assert not await gets_in(site, key, "ssh-rsa")


async def test_stock_ssh_is_told_nothing_that_its_terminal_would_obey(site: Site) -> None:
    key = asyncssh.read_private_key(str(site.ada.key))
    async with ssh(site, key) as connection:
        for command in ("list --x=\x1b]0;owned\x07\x1b[31m", "console \x1b[2J --cluster vc1", "\x9b31m"):
            ran = await connection.run(f"{command} {'long ' * 700}", term_type="xterm", timeout=30)
            assert ran.exit_status != 0
            said = str(ran.stdout) + str(ran.stderr)
            assert said
            assert all(line.isprintable() and len(line) <= 1000 for line in said.splitlines()), said


async def test_a_public_key_alone_is_nobody(site: Site) -> None:
    """Asking whether a key would do needs no private half: it takes no place and disturbs nobody."""
    waiting: list[asyncio.Event] = []
    hold = asyncio.Event()

    class Borrowed(asyncssh.SSHKeyPair):
        """ada's public key in the hands of somebody who never signs."""

        _key_type = "borrowed"

        def __init__(self, blob: bytes) -> None:
            kind = b"ssh-ed25519"
            super().__init__(kind, kind, (kind,), (kind,), blob, b"", None)
            self.accepted = asyncio.Event()
            waiting.append(self.accepted)

        async def sign_async(self, data: bytes) -> bytes:
            self.accepted.set()
            await hold.wait()
            return b""

    async def ask() -> None:
        with pytest.raises((asyncssh.Error, OSError)):
            await asyncssh.connect(
                "127.0.0.1",
                site.airboss.port,
                known_hosts=None,
                config=None,
                agent_path=None,
                username="ada",
                client_keys=[Borrowed(site.ada.key_blob)],
            )

    async with await site.bob.link() as bob:
        frames: asyncio.Queue[object] = asyncio.Queue()

        async def watch() -> None:
            async for frame in bob.watch():
                frames.put_nowait(frame)

        watching = asyncio.create_task(watch())
        async with asyncio.timeout(30):
            await frames.get()
        asking = [asyncio.create_task(ask()) for _ in range(12)]
        await until(lambda: len(waiting) == 12 and all(one.is_set() for one in waiting), 40, "all were asked")
        async with await site.ada.link() as ada:
            assert ada.hello.principal == "ada"
        hold.set()
        await asyncio.gather(*asking)
        # A heartbeat, and nothing before it: nobody's rights have changed.
        async with asyncio.timeout(40):
            seen = await frames.get()
        assert isinstance(seen, wire.Delta), seen
        assert not seen.changed
        watching.cancel()
    assert site.airboss.log.read_text().count("bye principal=ada") == 1


async def test_a_request_is_signed_with_the_very_certificate_that_logged_in(
    site: Site, authority: asyncssh.SSHKey
) -> None:
    folder = site.ada.folder
    key = asyncssh.generate_private_key("ssh-ed25519")
    path = folder / "id_carol"
    path.write_bytes(key.export_private_key())
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.export_public_key())
    certificate = authority.generate_user_certificate(key, "first", serial=1, principals=["carol"])
    (folder / "id_carol-cert.pub").write_bytes(certificate.export_certificate())
    other = authority.generate_user_certificate(key, "other", serial=2, principals=["carol"])

    found = await identities([path], False, no_passphrase)
    address = SiteConfig("test", "127.0.0.1", site.airboss.port)
    async with await Link.connect(address, found, site.ada.known_hosts) as link:
        assert link.hello.principal == "carol"
        assert link.hello.key == sshsig.fingerprint(authority.public_data)
        assert (await link.call("node.list", "vc1")).fault is None
        body = wire.encode_body(
            wire.RequestBody(
                1, link.hello.airboss, link.hello.challenge, 900, time.time(), "node.list", "vc1", (), {}
            )
        )
        good = await sshsig.make_with(link.signer, body, wire.REQUEST_NAMESPACE)
        blob = certificate.public_data
        assert good.count(blob) == 1
        assert len(other.public_data) == len(blob)
        for signature, refused in ((good.replace(blob, other.public_data), True), (good, False)):
            channel = await open_channel(link._connection, 30)
            channel.send(wire.Request(body, signature))
            reply = await channel.receive(30)
            assert isinstance(reply, wire.Reply)
            assert (reply.fault is not None and reply.fault.code == "signature") == refused
            channel.close()
