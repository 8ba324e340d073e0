"""A real airboss process, its admin commands, and the people who use it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncssh

from keys import sshsig
from keys.identity import identities
from keys.signers import SignerLine
from pilot.agent.database import Database
from pilot.agent.journal_read import Filter, read
from pilot.agent.registry_edit import Actor, Editor
from pilot.agent.settings import load_settings
from pilot.client_config import Site
from pilot.errors import IdentityError
from pilot.journal import Record
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.records import Role
from tests.support.waiting import until

READY_SECONDS = 30.0


def free_port() -> int:
    """A loopback port that nobody has now, nor is given while an airboss that is restarted lets it go.

    Below those that the kernel gives to connections (from 32768): a test beside would get it as the end of
    one, and who tries again and again to connect to it would at some time be connected to itself.
    """
    while True:
        # Not by `random`, which Hypothesis seeds: workers side by side would ask for the same.
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def no_passphrase(_path: Path) -> str | None:
    """The tests' keys have none."""
    return None


class Person:
    """Somebody with a key and a folder of their own."""

    def __init__(self, folder: Path, name: str, airboss: Airboss) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        self.key = self.folder / "id_ed25519"
        key = asyncssh.generate_private_key("ssh-ed25519", comment=name)
        self.key.write_bytes(key.export_private_key())
        self.key.chmod(0o600)
        self.public = self.key.with_suffix(".pub")
        self.public.write_bytes(key.export_public_key())
        self.key_blob = key.public_data
        self.fingerprint = sshsig.fingerprint(key.public_data)
        self._airboss = airboss

    @property
    def known_hosts(self) -> KnownHosts:
        """The host keys this person has accepted; a new one is accepted at first use."""
        return KnownHosts(self.folder / "known_hosts", accept_first_use)

    async def link(self) -> Link:
        """A connection of this person to the airboss."""
        site = Site("test", "127.0.0.1", self._airboss.port)
        found = await identities([self.key], False, no_passphrase)
        return await Link.connect(site, found, self.known_hosts)

    @property
    def environment(self) -> dict[str, str]:
        """For `pilot` as this person, with nothing of the one who runs the tests."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder),
            "PILOT_CONFIG": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }


class Airboss:
    """`pilot-agent serve` with a configuration of its own, under a folder."""

    def __init__(self, folder: Path, hosts: Mapping[str, str], extra: str = "") -> None:
        """`hosts` maps names to libvirt URIs; `extra` is TOML put behind the rest."""
        self.folder = folder
        self.port = free_port()
        self.config = folder / "agent.toml"
        self.log = folder / "airboss.log"
        self.state = folder / "state"
        self.process: asyncio.subprocess.Process | None = None
        lines = [f'[site]\nname = "test"\nlisten = ["127.0.0.1:{self.port}"]\nstate = "{self.state}"']
        lines += [f'[[host]]\nname = "{name}"\nuri = "{uri}"' for name, uri in hosts.items()]
        self.config.write_text("\n".join([*lines, extra, ""]))
        self.state.mkdir(mode=0o700, exist_ok=True)
        self._database = Database.open(load_settings(self.config).database_url)
        self.editor = Editor(self._database, Actor("tests", os.getuid()))
        """What the admin commands that change entitlements work with; quicker than a process for each."""

    async def start(self) -> None:
        """Start it and await that it serves."""
        with self.log.open("ab") as log:
            begin = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "faulthandler", "-m", "pilot.agent.main"),
                *("--config", str(self.config), "serve"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        process = self.process

        def serves() -> bool:
            text = self.log.read_bytes()[begin:]
            assert process.returncode is None, text.decode(errors="replace")
            return b" is SHA256:" in text

        await until(serves, READY_SECONDS, "airboss serves")

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; how it ended. Aborted if it does not within 20 s: its log then says where it was."""
        if self.process is None or self.process.returncode is not None:
            return 0 if self.process is None else int(self.process.returncode or 0)
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(20):
                return await self.process.wait()
        except TimeoutError:
            self.process.send_signal(signal.SIGABRT)
            await self.process.wait()
            text = self.log.read_text(errors="replace")[-20_000:]
            raise AssertionError(f"airboss did not end 20 s after SIGTERM\n{text}") from None

    async def admin(self, *words: str, stdin: bytes = b"", fails: bool = False) -> str:
        """Run `pilot-agent WORDS`; what it printed on stdout."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pilot.agent.main", "--config", str(self.config), *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin)
        assert (process.returncode != 0) == fails, (words, process.returncode, out, err)
        return out.decode()

    async def journal(self, wanted: Filter) -> list[Record]:
        """What `pilot-agent journal show` reads, while something goes on that would not wait for that."""
        return await asyncio.to_thread(read, self._database, wanted)

    async def person(self, name: str, cluster: str = "", role: Role = "owner") -> Person:
        """Somebody new, entitled in a cluster if one is named."""
        person = Person(self.folder, name, self)
        if cluster:
            await self.entitle(person, cluster, role)
        return person

    async def entitle(self, person: Person, cluster: str, role: Role = "owner") -> None:
        """What `pilot-agent key add` does; awaits that a running airboss has taken it up."""
        line = SignerLine(principals=(person.name,), key_blob=person.key_blob)
        self.editor.add_signers(cluster, role, [line])
        if self.process is None:
            return

        async def known() -> bool:
            try:
                link = await person.link()
            except IdentityError:
                return False
            await link.close()
            return True

        await until(known, 30, f"airboss knows {person.name}")
