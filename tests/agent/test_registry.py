"""The registry follows what the admin does, and what the clock and the revocation file say."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

from keys import signers
from keys.signers import SignerLine
from pilot.agent.database import Database
from pilot.agent.journal_read import read
from pilot.agent.registry import SITE, Registry, Snapshot
from pilot.agent.registry_edit import Actor, Editor, principal_of
from pilot.errors import ConfigError, RefusedError, UsageError
from tests.agent.journals import open_database
from tests.support.waiting import until


def _line(name: str = "owner@vi-1", *, authority: bool = False) -> SignerLine:
    key = asyncssh.generate_private_key("ssh-ed25519")
    return SignerLine(principals=(name,), key_blob=key.public_data, cert_authority=authority)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def editor(database: Database) -> Editor:
    return Editor(database, Actor("alice", 0), clock=lambda: 1000.0)


@contextlib.asynccontextmanager
async def _registry(database: Database, revoked: Path | None = None) -> AsyncIterator[Registry]:
    registry = Registry(database, revoked)
    try:
        await registry.start()
        yield registry
    finally:
        registry.close()


async def test_lookup(database: Database, editor: Editor) -> None:
    plain, authority = _line(), _line("*@vi-1", authority=True)
    editor.add_cluster("vi-1", 3, protected=True)
    editor.add_signers("vi-1", "owner", [plain, authority])
    editor.add_signers(SITE, "viewer", [plain])
    async with _registry(database) as registry:
        snapshot = registry.snapshot
        assert [(e.cluster, e.role, e.principal) for e in snapshot.by_key(plain.key_blob)] == [
            (SITE, "viewer", "owner@vi-1"),
            ("vi-1", "owner", "owner@vi-1"),
        ]
        assert [e.principal for e in snapshot.authorities(authority.key_blob)] == ["*@vi-1"]
        # A key is one or the other, never both by accident.
        assert snapshot.by_key(authority.key_blob) == snapshot.authorities(plain.key_blob) == ()
        assert snapshot.by_key(b"") == ()
        assert (snapshot.clusters["vi-1"].vlan, snapshot.clusters["vi-1"].protected) == (3, True)


async def test_a_change_is_seen_and_told_once(database: Database, editor: Editor) -> None:
    async with _registry(database) as registry:
        told: list[tuple[Snapshot, Snapshot]] = []
        end = registry.subscribe(lambda old, new: told.append((old, new)))
        assert not await registry.refresh()
        editor.add_cluster("vi-1", 3, protected=False)
        assert await registry.refresh()
        assert not await registry.refresh()
        [(old, new)] = told
        assert not old.clusters
        assert list(new.clusters) == ["vi-1"]
        end()
        editor.remove_cluster("vi-1", with_keys=False)
        assert await registry.refresh()
        assert len(told) == 1


async def test_follow_sees_another_programs_change_within_a_second(
    database: Database, tmp_path: Path
) -> None:
    async with _registry(database) as registry:
        seen = asyncio.Event()
        registry.subscribe(lambda _old, _new: seen.set())
        following = asyncio.create_task(registry.follow(0.05))
        other = open_database(tmp_path)
        Editor(other, Actor("alice", 0)).add_cluster("vi-9", None, protected=False)
        other.close()
        async with asyncio.timeout(20):
            await seen.wait()
        assert "vi-9" in registry.snapshot.clusters
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def test_follow_survives_a_database_that_fails(
    database: Database, editor: Editor, caplog: pytest.LogCaptureFixture
) -> None:
    editor.add_cluster("vi-1", 3, protected=False)
    async with _registry(database) as registry:
        following = asyncio.create_task(registry.follow(0.01))
        raw = sqlite3.connect(str(database.path), isolation_level=None)
        raw.execute("ALTER TABLE generation RENAME TO elsewhere")
        await until(lambda: bool(registry.trouble))
        assert "vi-1" in registry.snapshot.clusters
        raw.execute("ALTER TABLE elsewhere RENAME TO generation")
        raw.close()
        await until(lambda: not registry.trouble)
        editor.add_cluster("vi-2", 4, protected=False)
        await until(lambda: "vi-2" in registry.snapshot.clusters)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    assert [r.levelno for r in caplog.records if "stay as they were" in r.message] == [logging.ERROR]


async def test_revocation_is_read_again_when_it_changes(database: Database, tmp_path: Path) -> None:
    line = _line()
    file = tmp_path / "revoked"
    with pytest.raises(ConfigError, match="revoked"):
        async with _registry(database, file):
            pass
    file.write_text("")
    async with _registry(database, file) as registry:
        assert registry.revoked(line.key_blob) is None
        file.write_text(signers.format_public_key(line.key_blob) + "\n")
        assert await registry.refresh()
        assert registry.revoked(line.key_blob) == "the key is revoked"
        # A list that breaks later leaves the last good one in force.
        file.write_text("ssh-ed25519 ???\n")
        with pytest.raises(ConfigError, match="revoked"):
            await registry.refresh()
        assert registry.revoked(line.key_blob) == "the key is revoked"
        os.unlink(file)  # noqa: PTH108
        with pytest.raises(ConfigError, match="revoked"):
            await registry.refresh()
        assert registry.revoked(line.key_blob) == "the key is revoked"
        assert registry.revoked(b"no key") is not None


def test_adding_twice_changes_nothing_and_other_values_update(database: Database, editor: Editor) -> None:
    line = _line()
    assert editor.add_cluster("vi-1", 3, protected=False) == "added"
    assert editor.add_cluster("vi-1", 3, protected=False) == "unchanged"
    assert editor.add_cluster("vi-1", 3, protected=True) == "updated"
    assert editor.add_signers("vi-1", "viewer", [line]) == ["added"]
    assert editor.add_signers("vi-1", "viewer", [line]) == ["unchanged"]
    assert editor.add_signers("vi-1", "owner", [line]) == ["updated"]
    records = read(database)
    assert [(r.verb, r.result) for r in records] == [
        ("cluster.add", "added"),
        ("cluster.add", "updated"),
        ("key.add", "added"),
        ("key.add", "updated"),
    ]
    assert {(r.principal, r.auth, r.args["uid"], r.time) for r in records} == {("alice", "admin", 0, 10**9)}


def test_all_keys_or_none(database: Database, editor: Editor) -> None:
    editor.add_cluster("vi-1", 3, protected=False)
    before = len(read(database))
    bad = SignerLine(principals=("a b\n",), key_blob=_line().key_blob)
    with pytest.raises(Exception, match="cannot stand"):
        editor.add_signers("vi-1", "owner", [_line(), bad])
    assert len(read(database)) == before


def test_refusals(editor: Editor) -> None:
    editor.add_cluster("vi-1", 3, protected=False)
    with pytest.raises(UsageError, match="VLAN 3 is cluster vi-1's"):
        editor.add_cluster("vi-2", 3, protected=False)
    for name in ("*", "", "a b", "-x", "a" * 64):
        with pytest.raises(UsageError, match="not a cluster's name"):
            editor.add_cluster(name, None, protected=False)
    for vlan in (0, 4095, -1):
        with pytest.raises(UsageError, match="not a VLAN"):
            editor.add_cluster("vi-2", vlan, protected=False)
    with pytest.raises(UsageError, match="no cluster 'vi-2'"):
        editor.add_signers("vi-2", "owner", [_line()])
    with pytest.raises(UsageError, match="admin is the site's"):
        editor.add_signers("vi-1", "admin", [_line()])


def test_a_cluster_with_keys_goes_only_with_them(editor: Editor) -> None:
    editor.add_cluster("vi-1", 3, protected=False)
    editor.add_signers("vi-1", "owner", [_line(), _line("b")])
    with pytest.raises(RefusedError, match=r"keys bound to it \(2\)"):
        editor.remove_cluster("vi-1", with_keys=False)
    assert editor.remove_cluster("vi-1", with_keys=True) == 2
    with pytest.raises(UsageError, match="no cluster"):
        editor.remove_cluster("vi-1", with_keys=True)


def test_what_a_line_is_called() -> None:
    blob = _line().key_blob
    named = SignerLine(principals=("!x", "*@vi-1", "carol"), key_blob=blob)
    assert principal_of(named) == "carol"
    assert principal_of(SignerLine(principals=("*",), key_blob=blob, comment="c@h")) == "c@h"
    assert principal_of(SignerLine(principals=("*",), key_blob=blob)).startswith("SHA256:")
    both = SignerLine(principals=("*@a", "*@b"), key_blob=blob, cert_authority=True)
    assert principal_of(both) == "*@a,*@b"


async def test_a_line_that_cannot_be_read_entitles_nobody(
    database: Database, editor: Editor, caplog: pytest.LogCaptureFixture
) -> None:
    line = _line()
    editor.add_cluster("vi-1", 3, protected=False)
    editor.add_signers("vi-1", "owner", [line, _line("b")])
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE signers SET line = 'nonsense' WHERE id = 1")
    async with _registry(database) as registry:
        assert [entry.principal for entry in registry.snapshot.signers] == ["b"]
    assert "entitles nobody" in caplog.text


def test_a_read_that_hangs_does_not_hold_up_the_end_of_the_process(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    os.mkfifo(tmp_path / "revoked")
    program = """
import asyncio, sys
from pathlib import Path
from pilot.agent.database import Database
from pilot.agent.registry import Registry

async def main():
    registry = Registry(Database.open(sys.argv[1]), Path(sys.argv[2]))
    try:
        async with asyncio.timeout(0.2):
            await registry.refresh()
    except TimeoutError:
        print("hangs")
    registry.close()

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{tmp_path}/x.db", str(tmp_path / "revoked")],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (ended.returncode, ended.stdout) == (0, "hangs\n"), ended.stderr
