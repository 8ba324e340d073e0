"""An OpenSSH server on loopback: a high port, its own keys and configuration, an ordinary process."""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh

from tests.support.airboss import free_port

_PRIVILEGE_SEPARATION = Path("/run/sshd")
"""A server that runs as root insists on this folder; the package's service makes it."""


@asynccontextmanager
async def sshd(folder: Path) -> AsyncIterator[tuple[list[str], str]]:
    """A server that lets us in: the options for `ssh`, as words, and its address as `user@host:port`."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("sshd is not installed; on Debian: apt-get install openssh-server")
    port = free_port()
    for name in ("host", "user"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).write_bytes(key.export_private_key())
        (folder / name).chmod(0o600)
        (folder / f"{name}.pub").write_bytes(key.export_public_key())
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder / 'user'}\n  IdentitiesOnly yes\n  BatchMode yes\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n  StrictHostKeyChecking yes\n"
    )
    made = os.geteuid() == 0 and not _PRIVILEGE_SEPARATION.exists()
    if made:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    process = await asyncio.create_subprocess_exec(
        *(program, "-D", "-e", "-f", str(folder / "sshd_config")),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(10):
            while b"listening" not in (line := await process.stderr.readline()):
                if not line:
                    raise RuntimeError(f"sshd ended with {await process.wait()}")
        drain = asyncio.create_task(process.stderr.read())
        yield ["-F", str(folder / "ssh_config")], f"{getpass.getuser()}@127.0.0.1:{port}"
        drain.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)
        if made:
            _PRIVILEGE_SEPARATION.rmdir()


def virsh(
    folder: Path,
    options: list[str],
    address: str,
    socket: Path,
    *words: str,
    driver: str = "qemu",
    path: str = "session",
) -> list[str]:
    """virsh over SSH to a libvirtd's socket, with an ssh that reads our configuration and nobody else's."""
    ssh = folder / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {shlex.join(options)} "$@"\n')
    ssh.chmod(0o755)
    asked = f"socket={socket}&command={ssh}&keyfile={folder / 'user'}&no_tty=1"
    uri = f"{driver}+ssh://{address}/{path}?{asked}"
    return ["virsh", "-c", uri, *words]
