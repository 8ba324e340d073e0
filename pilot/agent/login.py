"""Who is at the door: every key that is tried is judged here before asyncssh looks at it.

asyncssh alone is not enough. It hands `SSHServer.validate_ca_key` only the authority's key, so neither the
certified key, nor its revocation, nor the certificate itself could be judged; it takes a certificate without
principals for anybody; and it takes RSA signatures with SHA-1. The same rules hold here as for a signed
request: `keys.signers.accepts`, the revoked list, the algorithms of `keys.sshsig`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import asyncssh

from keys import publickey, sshsig
from keys.certificate import bare_key
from keys.errors import KeysError
from pilot.agent.caller import Caller, Registrar
from pilot.wire import plain

_log = logging.getLogger(__name__)

MAX_KEYS_TRIED = 24
"""Public keys a connection may try before it is closed: an agent holds fewer."""


class Login:
    """The keys that one connection tries, until the signature of one holds."""

    def __init__(self, registry: Registrar, clock: Callable[[], float], address: str) -> None:
        self._registry = registry
        self._clock = clock
        self._address = address
        self._tried = 0
        self._candidate: Caller | None = None
        self.proved: Caller | None = None
        """Whose signature holds. Asking whether a public key would do proves nothing, and sets nothing."""

    def guard(self, conn: asyncssh.SSHServerConnection) -> None:
        """Stand before the connection's own judgement of keys.

        `SSHServerConnection.validate_public_key` is what asyncssh's authentication calls with the presented
        blob and the signature, once for a query (no message) and once for a login. Nobody is in before
        `proved` is set, so that if another asyncssh no longer called it, nobody would get in at all.
        """
        judgement = conn.validate_public_key

        async def validate_public_key(username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
            self._tried += 1
            if self._tried > MAX_KEYS_TRIED:
                conn.disconnect(asyncssh.DISC_BY_APPLICATION, "too many keys tried")
                return False
            candidate = self._candidate = self._judge(username, key_data, signature if msg else None)
            if candidate is None or not await judgement(username, key_data, msg, signature):
                return False
            if msg:
                self.proved = candidate
            return True

        conn.validate_public_key = validate_public_key  # type: ignore[method-assign]

    def _judge(self, username: str, key_data: bytes, signature: bytes | None) -> Caller | None:
        """Whom this key or certificate would be, if it is entitled to anything now."""
        try:
            key = bare_key(key_data)
            publickey.require_sound(key)
            if signature is not None:
                publickey.parse_signature(key, signature)
            caller = Caller(
                self._registry, self._clock, public_blob=key_data, username=username, address=self._address
            )
        except KeysError as error:
            _log.info("no login from=%s user=%s: %s", self._address, plain(username, 40), plain(str(error)))
            return None
        reason = caller.refusal()
        if reason is None:
            return caller
        _log.info(
            "unknown key from=%s user=%s key=%s: %s",
            self._address,
            plain(username, 40),
            sshsig.fingerprint(key_data),
            plain(reason),
        )
        return None

    def is_key(self, key: asyncssh.SSHKey) -> bool:
        """Whether asyncssh asks for the plain key that was judged."""
        candidate = self._candidate
        return (
            candidate is not None and candidate.authority is None and candidate.public_blob == key.public_data
        )

    def is_authority(self, key: asyncssh.SSHKey) -> bool:
        """Whether asyncssh asks for the authority of the certificate that was judged."""
        return self._candidate is not None and self._candidate.authority == key.public_data
