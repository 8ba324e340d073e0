"""Connecting to an airboss: its host key made sure of, one of the user's keys accepted, hellos exchanged."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Sequence
from typing import Protocol

import asyncssh

import pilot
from keys import sshsig
from keys.certificate import is_certificate, parse_certificate
from keys.errors import KeysError
from keys.identity import Signer
from pilot import wire
from pilot.client_config import Site
from pilot.errors import DeadlineError, IdentityError, PilotError, UnreachableError, WireError
from pilot.link.channel import open_channel
from pilot.link.faults import error_of
from pilot.link.trust import KnownHosts
from pilot.ssh import CIPHERS, without_ignores

CONNECT_SECONDS = 10.0
HELLO_SECONDS = 5.0
KEEPALIVE_SECONDS = 5.0
KEEPALIVES = 3


class Prompt(Protocol):
    """Asks the user for passphrases; not while `deferred`."""

    deferred: bool


class _Client(asyncssh.SSHClient):
    """Answers asyncssh's questions: is this the host key, and which key is tried next."""

    def __init__(self, pinned: frozenset[bytes], signers: Sequence[Signer]) -> None:
        self._pinned = pinned
        self._left = list(signers)
        self.offered: asyncssh.SSHKey | None = None
        self.current: Signer | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether the key is pinned."""
        self.offered = key
        return key.public_data in self._pinned

    def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        """One key after the other, so that the last one asked for is the one that was accepted."""
        self.current = self._left.pop(0) if self._left else None
        return [self.current.keypair] if self.current else None


async def reach(
    site: Site, signers: Sequence[Signer], known_hosts: KnownHosts, seconds: float, prompt: Prompt | None
) -> tuple[asyncssh.SSHClientConnection, Signer]:
    """Connect; which of the signers was accepted.

    Questions are asked between two attempts, never during one: airboss gives a login ten seconds. The first
    time at a site that is the one about its host key; for an encrypted key that airboss has found acceptable
    it is the one for the passphrase.

    Raises:
        as for `Link.connect`.
    """
    while True:
        pinned = known_hosts.pinned(site.host, site.port)
        client = _Client(pinned, signers)
        if prompt is not None:
            prompt.deferred = True
        try:
            connection = await _connect(site, client, signers, seconds)
        except asyncssh.HostKeyNotVerifiable as error:
            if client.offered is None:
                raise UnreachableError(f"{site.address}: {wire.plain(str(error))}") from None
            fingerprint = sshsig.fingerprint(client.offered.public_data)
            if pinned:
                raise known_hosts.changed(site.host, site.port, fingerprint) from None
            await known_hosts.first_use(site.host, site.port, client.offered.public_data, fingerprint)
        except asyncssh.PermissionDenied:
            # A signer that failed is one that airboss asked a signature of, so it knows that key.
            failed = next((signer for signer in signers if signer.last_error is not None), None)
            if failed is None or failed.last_error is None:
                raise _denied(site, signers) from None
            if not failed.locked or prompt is None:
                raise identity_error(failed.last_error) from None
            failed.last_error = None
            prompt.deferred = False
            try:
                await failed.unlock()
            except KeysError as error:
                raise identity_error(error) from None
            signers = [failed]
        else:
            assert client.current is not None
            return connection, client.current
        finally:
            if prompt is not None:
                prompt.deferred = False


async def _connect(
    site: Site, client: _Client, signers: Sequence[Signer], seconds: float
) -> asyncssh.SSHClientConnection:
    hint = "Is the address right, and the airboss running? Its admin: `pilot-agent check`."
    try:
        async with asyncio.timeout(seconds):
            connection, _ = await asyncssh.create_connection(
                lambda: client,
                site.host,
                site.port,
                config=None,
                known_hosts=([], [], []),
                server_host_key_algs=["ssh-ed25519"],
                username=_user(site, signers),
                client_keys=None,
                agent_path=None,
                preferred_auth="publickey",
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_host=None,
                x509_trusted_certs=None,
                compression_algs=["none"],
                encryption_algs=CIPHERS,
                client_version=f"rocks-pilot-{pilot.__version__}",
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVES,
            )
    except TimeoutError:
        raise UnreachableError(f"{site.address}: no answer within {seconds:.0f} s", hint) from None
    except (asyncssh.HostKeyNotVerifiable, asyncssh.PermissionDenied):
        raise
    except asyncssh.Error as error:
        raise UnreachableError(
            f"{site.address}: {wire.plain(error.reason) or 'the connection was closed early'}", hint
        ) from None
    except OSError as error:
        # asyncio's own words are of call names; a host that is not found has no errno of the system's.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        reason = wire.plain(reason or str(error))
        raise UnreachableError(f"{site.address}: {reason}", hint) from None
    except KeysError as error:
        raise identity_error(error) from None
    without_ignores(connection)
    return connection


async def say_hello(connection: asyncssh.SSHClientConnection, signer: Signer) -> wire.Hello:
    """The first channel: who airboss is, whom it takes us for, and the challenge of this connection.

    Raises:
        UnreachableError: no answer. WireError: not an airboss of our version.
        IdentityError: it says that it, or that we, are somebody else than the keys say.
    """
    channel = await open_channel(connection, HELLO_SECONDS)
    try:
        channel.send(wire.HelloAsk(f"rocks-pilot {pilot.__version__}"))
        try:
            frame = await channel.receive(HELLO_SECONDS)
        except DeadlineError:
            raise UnreachableError(f"airboss said no hello within {HELLO_SECONDS:.0f} s") from None
    finally:
        channel.close()
    if isinstance(frame, wire.Reply) and frame.fault is not None:
        raise error_of(frame.fault)
    if not isinstance(frame, wire.Hello):
        raise WireError("airboss said no hello", "Is it an airboss that listens there?")
    if frame.v != wire.VERSION:
        raise WireError(
            f"airboss speaks version {frame.v} of the wire, this client {wire.VERSION}",
            "Update the older one.",
        )
    key = connection.get_server_host_key()
    if key is None or sshsig.fingerprint(key.public_data) != frame.airboss:
        raise IdentityError("airboss names another host key than the one it showed", "Tell its admin.")
    if frame.key != signer.airboss_fingerprint:
        raise IdentityError("airboss takes this connection for another key's", "Tell its admin.")
    return frame


def _user(site: Site, signers: Sequence[Signer]) -> str:
    if site.user:
        return site.user
    for signer in signers:
        if is_certificate(signer.public_blob):
            principals = parse_certificate(signer.public_blob).principals
            if principals:
                return principals[0]
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "pilot"


def _denied(site: Site, signers: Sequence[Signer]) -> IdentityError:
    tried = ", ".join(f"{s.fingerprint} ({wire.plain(s.comment, 60) or 'no comment'})" for s in signers)
    return IdentityError(
        f"{site.address} knows none of your keys, or they are no longer valid there. Tried: {tried}",
        "Send the public line of one to the site's admin (`pilot keys list --public` prints them, "
        "`pilot keys create` makes one), who binds it with: pilot-agent key add CLUSTER FILE.pub",
    )


def identity_error(error: KeysError) -> PilotError:
    """An error of the user's keys, as one of ours."""
    return IdentityError(error.message, error.hint or "`pilot keys list` shows your keys.")
