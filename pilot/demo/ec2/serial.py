"""A pretended serial console endpoint: SSH as EC2's, with a pretended guest behind it.

Kept as EC2 has them: the user is `i-….port0`; a pushed key is let in for 60 s; one session for each
instance; 30 s after its end before there can be another.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Callable

import asyncssh

from pilot.demo.ec2.guests import Guest, Guests, answer

KEY_SECONDS = 60.0
_USER = re.compile(r"(i-[0-9a-f]+)\.port0")


class Refused(Exception):  # noqa: N818 - an answer of the API, by its code
    """A key cannot be pushed now."""


class SerialEndpoint:
    """Listens for those whose key was pushed."""

    def __init__(
        self, guests: Guests, teardown: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.guests = guests
        self.teardown = teardown
        self.sessions: dict[str, asyncssh.SSHServerProcess[bytes]] = {}
        """Open ones, by instance."""
        self.pushed: list[tuple[str, str]] = []
        """Keys that were pushed: instance and fingerprint."""
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.address = ""
        self._clock = clock
        self._keys: dict[str, list[tuple[bytes, float]]] = {}
        self._ended: dict[str, float] = {}
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def start(self, port: int = 0, at: socket.socket | None = None) -> None:
        """Listen on the loopback; `at` does so already."""
        self._acceptor = await asyncssh.listen(
            "" if at else "127.0.0.1", port, sock=at, server_factory=lambda: _Server(self),
            server_host_keys=[self.host_key], process_factory=self._serve, encoding=None, line_editor=False,
            config=[], gss_host=None,
        )  # fmt: skip
        self.address = f"127.0.0.1:{self._acceptor.get_port()}"

    async def stop(self) -> None:
        """End all sessions, and listen no more."""
        if self._acceptor is not None:
            self._acceptor.close()
            for process in list(self.sessions.values()):
                process.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._acceptor.wait_closed()

    def push(self, instance_id: str, key: str) -> None:
        """Let this key in for a minute.

        Raises:
            Refused: there is a session of it, or one is being ended.
            asyncssh.KeyImportError: it is no key.
        """
        public = asyncssh.import_public_key(key)
        if instance_id in self.sessions:
            raise Refused("Only one session is supported at a time")
        if self._clock() - self._ended.get(instance_id, -1e9) < self.teardown:
            raise Refused("The last session is still being ended")
        self.pushed.append((instance_id, public.get_fingerprint()))
        self._keys.setdefault(instance_id, []).append((public.public_data, self._clock()))

    def lets_in(self, instance_id: str, key: asyncssh.SSHKey) -> bool:
        """Whether a key was pushed a moment ago."""
        fresh = [(k, at) for k, at in self._keys.get(instance_id, []) if self._clock() - at < KEY_SECONDS]
        self._keys[instance_id] = fresh
        return any(k == key.public_data for k, _ in fresh)

    def cut(self, instance_id: str) -> None:
        """End a session, as EC2 does after an hour."""
        if (process := self.sessions.get(instance_id)) is not None:
            process.close()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        instance_id = str(process.get_extra_info("username")).removesuffix(".port0")
        if instance_id in self.sessions:
            process.exit(1)
            return
        self.sessions[instance_id] = process
        guest = self.guests[instance_id]
        guest.viewers.append(process.stdout.write)
        try:
            await _shell(process, guest)
        except (OSError, asyncssh.Error):
            pass
        finally:
            guest.viewers.remove(process.stdout.write)
            self.sessions.pop(instance_id, None)
            self._ended[instance_id] = self._clock()
            process.close()


async def _shell(process: asyncssh.SSHServerProcess[bytes], guest: Guest) -> None:
    """The pretended guest at a serial line: a login that takes any name, and a shell that does nothing."""
    line, user = bytearray(), ""
    while True:
        try:
            data = await process.stdin.read(1024)
        except asyncssh.BreakReceived:
            guest.sysrq()
            continue
        except (asyncssh.TerminalSizeChanged, asyncssh.SignalReceived):
            continue
        if not data:
            return
        for byte in data:
            if byte not in b"\r\n":
                line.append(byte)
                guest.emit(bytes([byte]))
                continue
            text = line.decode("utf-8", "replace").strip()
            line.clear()
            guest.emit(b"\r\n")
            if not user and text:
                user = text
                guest.say(f"Welcome, {user}. Nothing here is real: this guest is pretended.")
            elif user and text == "exit":
                user = ""
            elif user and (said := answer(text, guest)):
                guest.say(said)
            guest.emit(f"{user}@pretended:~$ ".encode() if user else b"pretended login: ")


class _Server(asyncssh.SSHServer):
    def __init__(self, endpoint: SerialEndpoint) -> None:
        self._endpoint = endpoint

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        found = _USER.fullmatch(username)
        return found is not None and self._endpoint.lets_in(found[1], key)
