"""An airboss that answers as a test tells it to, however badly: over real SSH, with real keys."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncssh

from keys import sshsig
from pilot import wire
from pilot.client_config import Site
from pilot.records import AnyRecord, Cluster, Grant, Host, Nic, Node
from pilot.verbs import BY_ID, VERBS

NOW = 1_800_000_000.0


class Channel(asyncssh.SSHServerSession[bytes]):
    """One channel of the stand-in."""

    def __init__(self, airboss: StandIn) -> None:
        self.airboss = airboss
        self.frames: asyncio.Queue[wire.AnyClientFrame] = asyncio.Queue()
        self.closed = asyncio.Event()
        self._reader = wire.FrameReader(wire.MAX_CLIENT_FRAME)
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.chan = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == wire.SUBSYSTEM

    def session_started(self) -> None:
        self._task = asyncio.create_task(self._serve())

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        for payload in self._reader.feed(data):
            self.frames.put_nowait(wire.decode_client(payload))

    def eof_received(self) -> bool:
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed.set()
        if self._task is not None:
            self._task.cancel()

    def send(self, *frames: wire.ServerFrame) -> None:
        for frame in frames:
            self.raw(wire.encode(frame))

    def raw(self, data: bytes) -> None:
        if not self.chan.is_closing():
            self.chan.write(data)

    async def _serve(self) -> None:
        frame = await self.frames.get()
        if isinstance(frame, wire.HelloAsk):
            await self.airboss.on_hello(self)
        elif isinstance(frame, wire.Request):
            signature = sshsig.parse(frame.signature)
            sshsig.check(signature, frame.body, wire.REQUEST_NAMESPACE)
            body = wire.decode_request(frame.body)
            assert body.challenge == self.airboss.challenge
            self.airboss.asked.append(body)
            await self.airboss.on_request(self, frame, body)
        if not self.chan.is_closing():
            self.chan.exit(0)


class StandIn:
    """The stand-in. Replace `on_hello` and `on_request` to make it misbehave."""

    def __init__(self) -> None:
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.fingerprint = sshsig.fingerprint(self.host_key.public_data)
        self.challenge = os.urandom(wire.CHALLENGE_BYTES).hex()
        self.accepted: dict[bytes, str] = {}
        self.grants: tuple[Grant, ...] = (Grant("vc1", "owner"),)
        self.records: list[AnyRecord] = [
            Host("host:h0", "h0", "", "up", NOW),
            Cluster("cluster:vc1", "vc1"),
            *(node(i) for i in range(3)),
        ]
        self.log: list[wire.LogPage] = [wire.LogPage()]
        self.prints: list[bytes] = []
        """What a console prints at once."""
        self.asked: list[wire.RequestBody] = []
        self.on_hello: Callable[[Channel], Awaitable[None]] = self.hello
        self.on_request: Callable[[Channel, wire.Request, wire.RequestBody], Awaitable[None]] = self.answer
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.port = 0
        self._server: asyncssh.SSHAcceptor | None = None

    async def start(self, port: int = 0) -> None:
        airboss = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                airboss.connections.append(conn)

            def begin_auth(self, username: str) -> bool:
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return key.public_data in airboss.accepted

            def session_requested(self) -> Channel:
                return Channel(airboss)

        self._server = await asyncssh.create_server(
            Server, "127.0.0.1", port, server_host_keys=[self.host_key], encoding=None, allow_scp=False
        )
        self.port = self._server.get_port()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for connection in self.connections:
                connection.abort()
            await self._server.wait_closed()
            self.connections.clear()

    @property
    def site(self) -> Site:
        return Site("test", "127.0.0.1", self.port)

    # --- what a good one answers -----------------------------------------------------------------

    def hello_frame(self) -> wire.Hello:
        key = next(iter(self.accepted))
        return wire.Hello(
            v=wire.VERSION,
            site="stand-in",
            version="9.9",
            airboss=self.fingerprint,
            challenge=self.challenge,
            time=NOW,
            principal=self.accepted[key],
            key=sshsig.fingerprint(key),
            grants=self.grants,
            verbs=tuple(verb.id for verb in VERBS),
        )

    async def hello(self, channel: Channel) -> None:
        channel.send(self.hello_frame())

    def nodes(self, targets: tuple[str, ...]) -> list[Node]:
        nodes = [record for record in self.records if isinstance(record, Node)]
        return [n for n in nodes if not targets or "@all" in targets or n.name in targets]

    def outcomes(self, body: wire.RequestBody) -> tuple[wire.Outcome, ...]:
        known = {node.name: node for node in self.nodes(())}
        found = [wire.Outcome(n.name, "done", n.id, "on", seconds=0.1) for n in self.nodes(body.targets)]
        fault = wire.Fault("node", "not a node of vc1, or not yours", "`pilot nodes` lists yours.")
        unknown = [t for t in body.targets if t not in known and not t.startswith("@")]
        return (*found, *(wire.Outcome(t, "refused", fault=fault) for t in unknown))

    def signed(self, request: wire.Request, outcomes: tuple[wire.Outcome, ...]) -> wire.Reply:
        receipt = wire.encode_body(
            wire.ReceiptBody(
                v=wire.VERSION,
                airboss=self.fingerprint,
                request=wire.digest(request.body),
                outcomes=outcomes,
                journal_id=7,
                journal_head="ab" * 32,
                time=NOW,
            )
        )
        signature = sshsig.make(self.host_key, receipt, wire.RECEIPT_NAMESPACE)
        return wire.Reply(outcomes, receipt=receipt, receipt_signature=signature)

    async def answer(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb == "node.list":
            unknown = tuple(o for o in self.outcomes(body) if o.result == "refused")
            channel.send(wire.Reply(unknown, records=tuple(self.nodes(body.targets))))
        elif body.verb == "watch":
            channel.send(wire.Reply(), wire.Snapshot(1, tuple(self.records), True, True))
            await channel.closed.wait()
        elif body.verb == "console.open":
            (target,) = self.nodes(body.targets)
            reply = self.signed(request, (wire.Outcome(target.name, "done", target.id, target.state),))
            channel.send(reply, wire.Attached(target.id, target.name, True, 0))
            await self.console(channel)
        elif body.verb == "console.log":
            channel.send(wire.Reply(), *self.log)
            if body.args["follow"]:
                await channel.closed.wait()
        else:
            assert BY_ID[body.verb]
            channel.send(self.signed(request, self.outcomes(body)))

    async def console(self, channel: Channel) -> None:
        """A guest that prints something, and echoes."""
        for data in self.prints:
            channel.send(wire.Output(data))
        while True:
            frame = await channel.frames.get()
            if isinstance(frame, wire.Input):
                channel.send(wire.Output(frame.data))


def node(number: int, **fields: object) -> Node:
    """compute-0-N of vc1, off, with a serial console."""
    values: dict[str, object] = {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"compute-0-{number}",
        "cluster": "vc1",
        "host": "h0",
        "domain": f"hosted-vm-{number}",
        "state": "off",
        "since": NOW,
        "nics": (Nic(f"52:54:00:00:00:{number:02x}", vlan=144),),
        "vcpus": 1,
        "memory": 1024 * 1024,
        "serial": True,
    }
    return Node(**{**values, **fields})  # type: ignore[arg-type]


class User:
    """Somebody with a key, and `pilot` as they run it: a real process."""

    def __init__(self, folder: Path, airboss: StandIn) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.airboss = airboss
        self.config.mkdir(mode=0o700)
        self.key = asyncssh.generate_private_key("ssh-ed25519", comment="ada@test")
        self.key_file = self.config / "id_ed25519"
        self.key_file.write_bytes(self.key.export_private_key())
        self.key_file.chmod(0o600)
        self.key_file.with_suffix(".pub").write_bytes(self.key.export_public_key())
        airboss.accepted[self.key.public_data] = "ada"

    def pin(self) -> None:
        """Know the stand-in already."""
        blob = base64.b64encode(self.airboss.host_key.public_data).decode()
        (self.config / "known_hosts").write_text(f"[127.0.0.1]:{self.airboss.port} ssh-ed25519 {blob}\n")
        (self.config / "sites.toml").write_text(
            f'default = "test"\n[[site]]\nname = "test"\nhost = "127.0.0.1"\nport = {self.airboss.port}\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PILOT_CONFIG": str(self.config),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
        }

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pilot.cli", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )

    async def pilot(self, *words: str, stdin: bytes = b"", seconds: float = 30) -> tuple[int, str, str]:
        """Run `pilot WORDS`: exit code, stdout, stderr."""
        process = await self.start(*words)
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            process.kill()
            out, err = await process.communicate()
            raise AssertionError(f"pilot {words} did not end: {out!r} {err!r}") from None
        assert process.returncode is not None
        assert "Traceback" not in err.decode(), err.decode()
        return process.returncode, out.decode(), err.decode()


def now() -> float:
    """The clock of this machine."""
    return time.time()
