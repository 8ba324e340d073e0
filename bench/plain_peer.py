"""The least that an asyncssh server can do with a request: read a frame, answer one, close. A process.

Same transport as airboss, a subsystem and a channel for each request; no signature, no checks, no look-up.
`python -m bench.plain_peer CLIENT_PUBLIC_KEY REPLY_BYTES` prints its port and serves until stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncssh

SUBSYSTEM = "plain"


class _Session(asyncssh.SSHServerSession[bytes]):
    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self._got = bytearray()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == SUBSYSTEM

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._got += data
        if len(self._got) >= 4 and len(self._got) >= 4 + int.from_bytes(self._got[:4], "big"):
            self._chan.write(self._reply)
            self._chan.exit(0)


class _Server(asyncssh.SSHServer):
    def __init__(self, key: bytes, reply: bytes) -> None:
        self._key = key
        self._reply = reply

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._key

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        return _Session(self._reply)


async def _serve(public: Path, size: int) -> None:
    key = asyncssh.read_public_key(public).public_data
    reply = size.to_bytes(4, "big") + bytes(size)
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(key, reply),
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        encoding=None,
        keepalive_interval=5,
        line_editor=False,
        compression_algs=None,
    )
    print(acceptor.get_port(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    acceptor.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
