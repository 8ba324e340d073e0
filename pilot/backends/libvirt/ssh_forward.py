"""Unix sockets of a host that is reached by SSH, by the same way that its libvirt URI means.

One SSH connection serves all screens of the host; it is kept a while after the last one was closed.
OpenSSH's stream-local forwarding (direct-streamlocal@openssh.com) connects it to the socket, so nothing
runs on the host for it and nothing listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncssh
import msgspec

from pilot.backends.libvirt.streams import READ_AHEAD, StreamScreen
from pilot.errors import BackendError, UnreachableError

_log = logging.getLogger(__name__)

_KEEPALIVE = 5.0
_KEEPALIVE_COUNT = 3


class SshAddress(msgspec.Struct, frozen=True):
    """Where and how a `+ssh` URI connects. What it leaves open is said by `~/.ssh/config`, as for ssh."""

    host: str
    port: int | None = None
    user: str = ""
    keyfile: str = ""
    known_hosts: str = ""
    verify: bool = True


def address_of(uri: str) -> SshAddress:
    """What a libvirt URI says of SSH (https://libvirt.org/uri.html#ssh-transport)."""
    parts = urlsplit(uri)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return SshAddress(
        host=parts.hostname or "localhost",
        port=parts.port,
        user=unquote(parts.username or ""),
        keyfile=asked.get("keyfile", ""),
        known_hosts=asked.get("known_hosts", ""),
        verify=asked.get("no_verify", "0") == "0" and asked.get("known_hosts_verify") != "ignore",
    )


class SshForward:
    """Connects to Unix sockets of one host."""

    def __init__(self, host: str, address: SshAddress, idle: float) -> None:
        """Nothing is connected before the first socket.

        Args:
            host: the host's name, for messages.
            address: how SSH reaches it.
            idle: seconds for which a connection is kept that nobody uses.
        """
        self._host = host
        self._address = address
        self._idle = idle
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._used = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Whether an SSH connection is open."""
        return self._connection is not None and not self._connection.is_closed()

    async def open(self, path: str, doing: str) -> StreamScreen:
        """Connect to a socket. The caller sets the deadline.

        Raises:
            UnreachableError: SSH does not reach the host.
            BackendError: the host's sshd does not let us to the socket.
        """
        self._used += 1
        try:
            reader, writer = await self._socket(path, doing)
        except BaseException:
            self._unused()
            raise
        return StreamScreen(reader, writer, self._unused)

    async def read_file(self, path: str, limit: int, doing: str) -> bytes:
        """The beginning of a file of the host, by SFTP. The caller sets the deadline.

        Raises:
            UnreachableError: SSH does not reach the host.
            BackendError: the host's sshd does not let us read it.
        """
        self._used += 1
        try:
            connection = await self._connected(doing)
            async with connection.start_sftp_client() as sftp, sftp.open(path, "rb") as file:
                data = await file.read(limit)
                return data.encode() if isinstance(data, str) else bytes(data)
        except (OSError, asyncssh.Error) as error:
            raise BackendError(f"{doing} failed: sshd on host {self._host}: {type(error).__name__}") from None
        finally:
            self._unused()

    def close(self) -> None:
        """Let the connection go, and with it what goes over it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _socket(self, path: str, doing: str) -> tuple[Any, Any]:
        for attempt in (1, 2):
            connection = await self._connected(doing)
            try:
                return await _opened(connection, path)
            except asyncssh.ChannelOpenError as error:
                if connection.is_closed() and attempt == 1:
                    continue  # it was lost without our having been told
                _log.warning("host %s: %s failed: sshd to %s: %s", self._host, doing, path, error.reason)
                raise BackendError(
                    f"{doing} failed: sshd on host {self._host} does not let airboss to its VNC socket",
                    "sshd there must allow stream-local forwarding (AllowStreamLocalForwarding), and the "
                    "account that airboss logs in as must be able to write to the socket.",
                ) from None
            except (OSError, asyncssh.Error) as error:
                if attempt == 2:
                    raise self._lost(doing, error) from None
        raise AssertionError("unreachable")

    async def _connected(self, doing: str) -> asyncssh.SSHClientConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            try:
                self._connection = await asyncssh.connect(self._address.host, **self._options())
            except (OSError, ValueError, asyncssh.Error) as error:
                raise self._lost(doing, error) from None
            return self._connection

    def _options(self) -> dict[str, Any]:
        address = self._address
        options: dict[str, Any] = {
            "keepalive_interval": _KEEPALIVE,
            "keepalive_count_max": _KEEPALIVE_COUNT,
            "password_auth": False,
            "kbdint_auth": False,
        }
        if address.port is not None:
            options["port"] = address.port
        if address.user:
            options["username"] = address.user
        if address.keyfile:
            options["client_keys"] = [address.keyfile]
        if not address.verify:
            options["known_hosts"] = None
        elif address.known_hosts:
            options["known_hosts"] = address.known_hosts
        return options

    def _lost(self, doing: str, error: Exception) -> UnreachableError:
        """What SSH said goes to the log: it may hold addresses and accounts of the site."""
        _log.warning("host %s: %s failed: ssh: %s: %s", self._host, doing, type(error).__name__, error)
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            why = "airboss's account does not know its SSH host key"
        elif isinstance(error, asyncssh.PermissionDenied):
            why = "SSH does not let airboss in"
        else:
            why = "SSH does not reach it"
        return UnreachableError(
            f"{doing} failed: host {self._host}: {why}",
            "The host's uri, and ~/.ssh of airboss's account, must let airboss log in without a password.",
        )

    def _unused(self) -> None:
        """A socket is let go; with the last one the connection may go soon."""
        self._used -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._used == 0 and self._connection is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._timer = asyncio.get_running_loop().call_later(self._idle, self._rest)

    def _rest(self) -> None:
        self._timer = None
        if self._used == 0:
            self.close()


async def _opened(connection: asyncssh.SSHClientConnection, path: str) -> tuple[Any, Any]:
    """Connect to a socket. If that is given up, what sshd opens all the same is closed once it is there."""
    opening = asyncio.ensure_future(connection.open_unix_connection(path, window=READ_AHEAD))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_let_go)
        raise


def _let_go(opening: asyncio.Future[tuple[Any, Any]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        _, writer = opening.result()
        writer.channel.abort()
