"""The SSH server: who may connect, how many, and who they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncssh

from pilot.agent.caller import Caller, Registrar
from pilot.agent.login import Login
from pilot.agent.service import Service
from pilot.agent.session import Session
from pilot.agent.settings import Limits
from pilot.agent.strangers import Strangers
from pilot.records import Grant
from pilot.ssh import without_ignores
from pilot.wire import MAX_CLIENT_FRAME, plain

_log = logging.getLogger(__name__)

FAREWELL_SECONDS = 0.5
"""From the end of all that was granted to the end of the connection: its streams say why they end."""
_WINDOW = 4 * MAX_CLIENT_FRAME
"""Bytes a client may send on a channel before they are handled."""


class Doors:
    """All connections of one airboss, counted and bounded."""

    def __init__(
        self,
        service: Service,
        registry: Registrar,
        limits: Limits,
        clock: Callable[[], float],
        *,
        ssh_power: bool,
    ) -> None:
        self.service = service
        self.registry = registry
        self.limits = limits
        self.clock = clock
        self.ssh_power = ssh_power
        self.open: set[Door] = set()
        self.strangers: Strangers[Door] = Strangers(
            limits.unauthenticated, limits.unauthenticated_per_address
        )

    def recheck(self) -> bool:
        """Close what is no longer entitled; True if anybody's rights have changed since the last call."""
        changed = False
        for door in list(self.open):
            changed |= door.recheck()
        return changed

    async def close(self) -> None:
        """Close all connections."""
        for door in list(self.open):
            door.disconnect("airboss is stopping")


class Door(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._conn: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._channels = 0
        self._login: Login | None = None
        self._grants: tuple[Grant, ...] = ()
        self._farewell: asyncio.TimerHandle | None = None
        self.caller: Caller | None = None

    # --- the connection ---------------------------------------------------------------------------

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody connected. At a full door, who has waited longest without a login is cut."""
        self._conn = conn
        peer = conn.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unix"
        doors = self._doors
        doors.open.add(self)
        out = doors.strangers.add(self, self._address)
        if out is not None:
            out.cut("too many connections without a login")
        if len(doors.open) > doors.limits.connections:
            # There is one: this one itself, if everybody else has authenticated.
            out = doors.strangers.oldest() or self
            out.cut("too many connections")
            if out is self:
                return
        self._login = Login(doors.registry, doors.clock, self._address)
        self._login.guard(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._doors.strangers.remove(self)
        self._doors.open.discard(self)
        if self._farewell is not None:
            self._farewell.cancel()
        if self.caller is not None:
            _log.info("bye principal=%s from=%s", self.caller.principal, self._address)
        elif exc is not None:
            _log.info("no login from=%s: %s", self._address, plain(str(exc)))

    def cut(self, why: str) -> None:
        """Close at once, without a word to who has not said who they are; it counts no more from now on."""
        _log.warning("%s: cut one from %s", why, self._address)
        self._doors.strangers.remove(self)
        self._doors.open.discard(self)
        if self._conn is not None:
            self._conn.abort()

    def disconnect(self, reason: str) -> None:
        """Close the connection, saying why."""
        if self._conn is not None:
            self._conn.disconnect(asyncssh.DISC_BY_APPLICATION, reason)

    def recheck(self) -> bool:
        """Close soon if nothing is granted any more; True if the grants have changed."""
        if self.caller is None:
            return False
        grants = self.caller.grants()
        changed = grants != self._grants
        self._grants = grants
        if not grants and self._farewell is None:
            loop = asyncio.get_running_loop()
            self._farewell = loop.call_later(FAREWELL_SECONDS, self._no_more)
        return changed

    def _no_more(self) -> None:
        self._farewell = None
        if self.caller is not None and not self.caller.grants():
            _log.warning("cut principal=%s from=%s: entitled no more", self.caller.principal, self._address)
            self.disconnect("your key is not entitled to anything here any more")

    # --- who is it --------------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        """Every user authenticates."""
        return True

    def public_key_auth_supported(self) -> bool:
        """The one way to authenticate."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key is entitled to anything now: `Login` has judged it."""
        return self._login is not None and self._login.is_key(key)

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether this authority's certificate is entitled to anything now: `Login` has judged it."""
        return self._login is not None and self._login.is_authority(key)

    def auth_completed(self) -> None:
        """The signature of a key holds. Only from here on is this connection anybody's."""
        self._doors.strangers.remove(self)
        if self._conn is None or self not in self._doors.open:
            return  # It was cut while its signature was looked at.
        without_ignores(self._conn)
        caller = self._login.proved if self._login is not None else None
        if caller is None:
            _log.error("cut from=%s: it authenticated without being judged", self._address)
            self.disconnect("airboss failed inside")
            return
        self.caller = caller
        self._grants = caller.grants()
        same = sum(
            door.caller is not None and door.caller.holder == caller.holder for door in self._doors.open
        )
        _log.info("login principal=%s from=%s key=%s", caller.principal, self._address, caller.fingerprint)
        if same > self._doors.limits.connections_per_key:
            self.disconnect(f"more than {self._doors.limits.connections_per_key} connections with one key")

    # --- what it opens ----------------------------------------------------------------------------

    def session_requested(
        self,
    ) -> tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]] | bool:
        """A channel; bounded on each connection."""
        if self._conn is None or self.caller is None or self._channels >= self._doors.limits.channels:
            return False
        self._channels += 1
        doors = self._doors
        session = Session(
            doors.service,
            self.caller,
            self._channel_closed,
            patience=doors.limits.login_grace,
            ssh_power=doors.ssh_power,
        )
        return self._conn.create_server_channel(encoding=None, window=_WINDOW), session

    def _channel_closed(self) -> None:
        self._channels -= 1


async def listen(doors: Doors, host_key: asyncssh.SSHKey, host: str, port: int) -> asyncssh.SSHAcceptor:
    """Begin to serve on an address.

    Raises:
        OSError: the address cannot be had.
    """
    limits = doors.limits
    return await asyncssh.listen(
        host,
        port,
        server_factory=lambda: Door(doors),
        server_host_keys=[host_key],
        encoding=None,
        login_timeout=limits.login_grace,
        keepalive_interval=limits.keepalive,
        keepalive_count_max=limits.keepalive_count,
        line_editor=False,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        compression_algs=None,
        server_version="airboss",
        backlog=1024,
        reuse_address=True,
    )
