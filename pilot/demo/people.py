"""The demo's people: each with a fresh key, and a configuration folder for `pilot` and for stock ssh."""

from __future__ import annotations

import os
from pathlib import Path

import asyncssh
import msgspec

from keys.signers import SignerLine
from pilot.agent.admin.context import actor
from pilot.agent.database import Database
from pilot.agent.registry import SITE
from pilot.agent.registry_edit import Editor
from pilot.client_config import ClientConfig, Site
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.records import Role

ADDRESS = "127.0.0.1"


class Person(msgspec.Struct, frozen=True):
    """Somebody who may do something at the demo's site."""

    folder: str
    """Name of their configuration folder below the demo's."""
    principal: str
    role: Role
    cluster: str
    """`SITE` for a site admin."""


YOU = Person("you", "you@vc1", "owner", "vc1")
THEM = Person("them", "them@vc2", "owner", "vc2")
ADMIN = Person("admin", "admin@demo", "admin", SITE)
PEOPLE = (YOU, THEM, ADMIN)

CLUSTERS = {"vc1": 2, "vc2": 3}
"""The virtual clusters, each with its VLAN."""


def make_keys(state: Path) -> dict[Person, bytes]:
    """Make everybody's key files; gives the public keys' blobs."""
    blobs = {}
    for person in PEOPLE:
        folder = state / person.folder
        folder.mkdir(mode=0o700)
        key = asyncssh.generate_private_key("ssh-ed25519", comment=person.principal)
        handle = os.open(folder / "id_ed25519", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.export_private_key())
        (folder / "id_ed25519.pub").write_bytes(key.export_public_key())
        blobs[person] = key.public_data
    return blobs


def entitle(database_url: str, blobs: dict[Person, bytes]) -> None:
    """Make the clusters and bind the keys: what `pilot-agent cluster add` and `key add` do."""
    database = Database.open(database_url)
    try:
        editor = Editor(database, actor())
        for name, vlan in CLUSTERS.items():
            editor.add_cluster(name, vlan, protected=False)
        for person, blob in blobs.items():
            line = SignerLine(principals=(person.principal,), key_blob=blob, comment="made by the demo")
            editor.add_signers(person.cluster, person.role, [line])
    finally:
        database.close()


async def write_settings(state: Path, port: int, host_key: asyncssh.SSHKey) -> None:
    """Write everybody's sites.toml, known_hosts and ssh_config."""
    for person in PEOPLE:
        folder = state / person.folder
        config = ClientConfig(folder)
        cluster = "" if person.cluster == SITE else person.cluster
        config.remember(
            Site("demo", ADDRESS, port, key=str(folder / "id_ed25519"), cluster=cluster),
        )
        known = KnownHosts(config.known_hosts, accept_first_use)
        await known.first_use(ADDRESS, port, host_key.public_data, "")
        (folder / "ssh_config").write_text(
            f"Host airboss\n  HostName {ADDRESS}\n  Port {port}\n  User {person.folder}\n"
            f"  IdentityFile {folder / 'id_ed25519'}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {config.known_hosts}\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n",
            encoding="utf-8",
        )
