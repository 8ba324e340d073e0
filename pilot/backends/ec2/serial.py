"""Serial consoles: a fresh key is pushed to EC2, which lets it in by SSH for a minute, once.

EC2 has one session for each instance, ends it after about an hour, and takes 30 s to end one before there
can be another (EC2 user guide, "Connect to the EC2 Serial Console"). Many viewers share the one session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import asyncssh

from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.pins import Pins
from pilot.backends.ec2.regions import RegionWatch
from pilot.backends.ec2.serial_places import place
from pilot.errors import BackendError, BusyError, DeadlineError, PilotError, UnreachableError

_log = logging.getLogger(__name__)

STEP = 8 * 1024
"""Bytes that are delivered in one turn of the loop."""
BREAK_MS = 500
_LIMIT = "SerialConsoleSessionLimitExceededException"
RENEW_TRIES = 8

Output = Callable[[bytes], None]
Lost = Callable[[str], None]


class _Client(asyncssh.SSHClient):
    """Checks the endpoint's host key."""

    def __init__(self, pins: Pins, where: str, published: str) -> None:
        self._pins = pins
        self._where = where
        self._published = published
        self.wrong = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        found = key.get_fingerprint()
        right = self._pins.check(self._where, found, self._published)
        if not right:
            self.wrong = found
        return right


class SerialConsole:
    """A serial console that is held; a provider.Serial."""

    def __init__(
        self, owner: Serials, watch: RegionWatch, instance_id: str, output: Output, lost: Lost
    ) -> None:
        self.over = False
        self._owner = owner
        self._watch = watch
        self._id = instance_id
        self._output = output
        self._lost = lost
        self._connection: asyncssh.SSHClientConnection | None = None
        self._process: asyncssh.SSHClientProcess[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._between = ""
        """Why there is no session just now."""

    async def begin(self, name: str) -> None:
        """Open the first session."""
        await self._open(name)
        self._task = asyncio.create_task(self._run(name), name=f"ec2-serial-{self._id}")

    async def write(self, data: bytes) -> None:
        """Type. Raises BackendError if the console is lost, DeadlineError if nobody reads there."""
        process = self._ready()
        process.stdin.write(data)
        try:
            async with asyncio.timeout(self._watch.calls.bounds.serial):
                await process.stdin.drain()
        except TimeoutError:
            raise DeadlineError("typing at the serial console: EC2 does not take it", "Ask again.") from None
        except (OSError, asyncssh.Error) as error:
            raise BackendError(f"typing at the serial console failed: {error}") from None

    def send_break(self) -> None:
        """Send a break on the line. Raises BackendError if the console is lost."""
        self._ready().send_break(BREAK_MS)

    async def close(self) -> None:
        """Let the console go."""
        self.over = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()
        self._owner.closed(self._id, self)

    # --- inside ----------------------------------------------------------------------------------

    def _ready(self) -> asyncssh.SSHClientProcess[bytes]:
        if self.over:
            raise BackendError("the serial console is closed")
        if self._process is None:
            raise BackendError(
                f"the serial console is between two sessions: {self._between}", "Wait a moment."
            )
        return self._process

    async def _open(self, name: str) -> None:
        doing, bounds = f"opening the serial console of {name}", self._watch.calls.bounds
        region, account = self._watch.region.name, self._watch.calls.account
        key = asyncssh.generate_private_key("ssh-ed25519")
        host, port, published = place(region, account.serial_endpoint)
        client = _Client(self._owner.pins, f"{host}:{port}", published)
        try:
            async with asyncio.timeout(bounds.serial):
                await self._watch.calls.call(
                    region, "ec2-instance-connect", "send_serial_console_ssh_public_key", bounds.serial,
                    InstanceId=self._id, SerialPort=0, SSHPublicKey=key.export_public_key().decode(),
                )  # fmt: skip
                options: dict[str, Any] = {
                    "username": f"{self._id}.port0", "client_keys": [key], "known_hosts": ([], [], []),
                    "agent_path": None, "config": [], "keepalive_interval": 15, "keepalive_count_max": 3,
                    "preferred_auth": "publickey", "server_host_key_algs": "default",
                    "client_host_keysign": False, "gss_auth": False,
                }  # fmt: skip
                self._connection, _ = await asyncssh.create_connection(lambda: client, host, port, **options)
                self._process = await self._connection.create_process(
                    term_type="vt220", encoding=None, stderr=asyncssh.STDOUT
                )
        except Fault as fault:
            await self._end()
            if fault.code == _LIMIT:
                raise BusyError(f"{doing} failed: {fault.words}", fault.hint) from None
            raise fault.error(doing) from None
        except TimeoutError:
            await self._end()
            raise DeadlineError(
                f"{doing}: its endpoint has not answered for {bounds.serial:g} s",
                "airboss needs a way to it on TCP port 22.",
            ) from None
        except (OSError, asyncssh.Error) as error:
            await self._end()
            if client.wrong:
                raise BackendError(
                    f"{doing} failed: another host answers than the one that is known ({client.wrong})",
                    "Somebody may be in between. If AWS has published that key, remove the old one.",
                ) from None
            if isinstance(error, asyncssh.PermissionDenied):
                raise BusyError(
                    f"{doing} failed: EC2 does not take the key that was pushed: a session is being ended",
                    "EC2 takes 30 s for that; airboss tries again by itself.",
                ) from None
            raise UnreachableError(
                f"{doing} failed: {error}", "airboss needs a way to its endpoint on TCP port 22."
            ) from None
        except BaseException:
            await self._end()
            raise

    async def _run(self, name: str) -> None:
        """Read until the end; have a new session before EC2 ends the one there is."""
        bounds, why = self._watch.calls.bounds, ""
        try:
            while True:
                try:
                    async with asyncio.timeout(bounds.serial_renew):
                        why = await self._read()
                    break
                except TimeoutError:
                    await self._renew(name)
        except PilotError as error:
            why = error.message
        except Exception as error:
            _log.exception("the serial console of %s", name)
            why = f"airboss made a mistake: {type(error).__name__}"
        await self._end()
        if not self.over:
            self.over = True
            self._owner.closed(self._id, self)
            self._lost(why)

    async def _read(self) -> str:
        """Deliver until the session ends; why it did."""
        process = self._process
        assert process is not None
        try:
            while data := await process.stdout.read(STEP):
                self._output(data)
                await asyncio.sleep(0)
        except (OSError, asyncssh.Error) as error:
            return f"EC2 ended the session: {error}"
        return "EC2 ended the session"

    async def _renew(self, name: str) -> None:
        """End the session and open another, with a line that says so."""
        bounds = self._watch.calls.bounds
        self._between = f"EC2 ends one after an hour, the next one opens in about {bounds.teardown:g} s"
        self._mark(f"{self._between}; what is printed meanwhile is missing here")
        await self._end()
        for left in reversed(range(RENEW_TRIES)):
            await asyncio.sleep(bounds.teardown if left == RENEW_TRIES - 1 else bounds.teardown / 5)
            try:
                await self._open(name)
            except BusyError:
                if not left:
                    raise
            else:
                self._mark("a new session has begun")
                return

    def _mark(self, words: str) -> None:
        self._output(f"\r\n\x1b[0;2m[pilot: {words}]\x1b[m\r\n".encode())

    async def _end(self) -> None:
        connection, self._connection, self._process = self._connection, None, None
        if connection is not None:
            self._owner.ended(self._id)
            connection.abort()
            with contextlib.suppress(Exception, TimeoutError):
                async with asyncio.timeout(1):
                    await connection.wait_closed()


class Serials:
    """All serial consoles of one account that are held."""

    def __init__(self, pins: Pins) -> None:
        self.pins = pins
        self._held: dict[str, SerialConsole] = {}
        self._ended: dict[str, float] = {}
        """When a session ended here, by EC2's id and the loop's clock."""

    def held(self, instance_id: str) -> bool:
        """Whether it is held here."""
        return instance_id in self._held

    async def open(
        self, watch: RegionWatch, instance_id: str, name: str, output: Output, lost: Lost
    ) -> SerialConsole:
        """Hold an instance's serial console; see Provider.open_console."""
        doing = f"opening the serial console of {name}"
        known = watch.region.get(instance_id)
        if known is None or known.instance.state not in ("pending", "running", "stopping", "shutting-down"):
            raise BackendError(f"{doing} failed: it does not run", "`power.on` turns it on.")
        if known.node.serial is False:
            raise BackendError(
                f"{doing} failed: its type has no serial console",
                "Only instances on AWS's Nitro system have one; `console.log` has what EC2 keeps.",
            )
        if instance_id in self._held:
            raise BusyError(f"{doing} failed: airboss holds it already", "Attach to it: many can.")
        left = self._ended.get(instance_id, -1e9) + watch.calls.bounds.teardown
        left -= asyncio.get_running_loop().time()
        if left > 0:
            raise BusyError(
                f"{doing} failed: EC2 is still ending the last session of it, for {left:.0f} s more",
                "airboss tries again by itself.",
            )
        console = self._held[instance_id] = SerialConsole(self, watch, instance_id, output, lost)
        try:
            await console.begin(name)
        except BaseException:
            self.closed(instance_id, console)
            raise
        return console

    async def send_break(self, instance_id: str, name: str) -> None:
        """Send a break on the line of a console that is held.

        Raises:
            BackendError: none is held.
        """
        console = self._held.get(instance_id)
        if console is None:
            raise BackendError(
                f"sending a break to {name} failed: nobody is at its serial console", "`console` opens it."
            )
        console.send_break()

    def closed(self, instance_id: str, console: SerialConsole) -> None:
        """A console is not held any more."""
        if self._held.get(instance_id) is console:
            del self._held[instance_id]

    def ended(self, instance_id: str) -> None:
        """A session has ended: EC2 needs its time before the next."""
        self._ended[instance_id] = asyncio.get_running_loop().time()
        if len(self._ended) > 10_000:
            self._ended.pop(next(iter(self._ended)))

    async def stop(self) -> None:
        """Let all go."""
        await asyncio.gather(*(c.close() for c in list(self._held.values())), return_exceptions=True)
