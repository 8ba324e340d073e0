"""The database: made once by whoever comes first, right modes, errors in words."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import pilot.agent.migrations
from pilot.agent import database as database_module
from pilot.agent import schema
from pilot.agent.database import Database
from pilot.errors import ConfigError, StorageError


def _url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state' / 'x.db'}"


def test_open_makes_it_and_opening_again_finds_it(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database.open(_url(tmp_path))
        assert database.version() == schema.HEAD
        database.close()
    mode = stat.S_IMODE((tmp_path / "state" / "x.db").stat().st_mode)
    assert mode & 0o027 == 0


def test_migrations_make_what_the_program_expects(tmp_path: Path) -> None:
    database = Database.open(_url(tmp_path))
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, schema.metadata)
    database.close()
    # Comments are for readers of the code; SQLite keeps none.
    assert [d for d in differences if not (isinstance(d, tuple) and "comment" in str(d[0]))] == []
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(pilot.agent.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_every_commit_is_synced(tmp_path: Path) -> None:
    database = Database.open(_url(tmp_path))
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def _change_and_fail(database: Database) -> None:
    with database.write() as connection:
        connection.execute(schema.generation.update().values(value=7))
        connection.exec_driver_sql("SELECT nonsense")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database.open(_url(tmp_path))
    with pytest.raises(StorageError, match="refused: no such column"):
        _change_and_fail(database)
    with database.read() as connection:
        assert connection.execute(sa.select(schema.generation.c.value)).scalar() == 0
    database.close()


def test_many_programs_open_a_new_one_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from pilot.agent.database import Database\n"
        "sys.stdin.read(1); d = Database.open(sys.argv[1]); print(d.version()); d.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, _url(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("x")
        process.stdin.flush()
    for process in started:
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out.strip()) == (0, schema.HEAD)


def test_newer_tables_are_left_alone(tmp_path: Path) -> None:
    database = Database.open(_url(tmp_path))
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(StorageError, match=r"newer rocks-pilot \(version 9999"):
        Database.open(_url(tmp_path))


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "x.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="damaged, or no SQLite database"):
        Database.open(_url(tmp_path))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "x.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot be opened"):
        Database.open(_url(tmp_path))
    assert not (tmp_path / "elsewhere").exists()


def test_locked_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.05)
    database = Database.open(_url(tmp_path))
    other = sqlite3.connect(tmp_path / "state" / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another program has held"), database.write():
        pass
    # Who only reads is not held up.
    assert database.version() == schema.HEAD
    other.close()
    database.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "nosuch://x/y", "sqlite+nosuch:///x", "postgresql+nosuch://u:secret@h/d"]
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[database\] url") as caught:
        Database.open(url)
    assert "secret" not in caught.value.message
