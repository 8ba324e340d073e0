"""airboss's database: opened, brought up to date, read and written, with its errors in words.

SQLite by default (WAL, every commit synced to disk); any other URL of SQLAlchemy's works by the same
statements, PostgreSQL being the one that is meant. All calls block for at most `BUSY_SECONDS` on a
lock and are made from threads, never from the event loop's.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from pilot.agent import schema
from pilot.errors import ConfigError, PilotError, StorageError

BUSY_SECONDS = 10.0
"""How long a transaction waits for another program's to end."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x726F636B73
"""Number of PostgreSQL's advisory lock that one migrating airboss holds."""


class Database:
    """An open database. Its methods may be called from any thread."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError for a URL that is none, or whose driver is not installed."""
        try:
            self.url = sa.make_url(url)
            self.sqlite = self.url.get_backend_name() == "sqlite"
            self.engine = sa.create_engine(self.url, **self._options())
        except (SQLAlchemyError, ImportError) as error:
            raise ConfigError(
                f"[database] url '{_shown(url)}' cannot be used: {error}",
                "Install the database's driver beside rocks-pilot, or leave url empty for SQLite.",
            ) from None
        self.path = Path(self.url.database) if self.sqlite and self.url.database else None
        if self.sqlite:
            sa.event.listen(self.engine, "connect", _sqlite_connect)
            sa.event.listen(self.engine, "begin", _sqlite_begin)

    def _options(self) -> dict[str, object]:
        if self.sqlite:
            return {"connect_args": {"timeout": BUSY_SECONDS}, "pool_timeout": BUSY_SECONDS}
        return {"pool_pre_ping": True, "pool_timeout": BUSY_SECONDS}

    @property
    def name(self) -> str:
        """What errors call it: the file, or the URL without its password."""
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)

    @classmethod
    def open(cls, url: str) -> Database:
        """Open it, create it if it is not there, and bring its tables up to date.

        Two programs may do so at once: one migrates, the other waits and finds it done.

        Raises:
            StorageError: it cannot be opened or written, or was made by a newer rocks-pilot.
            ConfigError: the URL cannot be used.
        """
        database = cls(url)
        try:
            if database.path:
                _create(database.path)
            database._upgrade()
        except BaseException:
            database.close()
            raise
        return database

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, and changes nothing."""
        with storage_errors(self), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is the only one to write (SQLite) and is on disk when this is left.

        Raises:
            StorageError: the disk is full, the file is read-only, another program holds it, …; then
                nothing of the transaction took place.
        """
        with (
            storage_errors(self),
            self.engine.connect().execution_options(pilot_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    def version(self) -> str:
        """The newest migration that the database has; empty if it has none."""
        with self.read() as connection:
            return _version(connection)

    def close(self) -> None:
        """Let all connections go."""
        self.engine.dispose()

    def _upgrade(self) -> None:
        if self.version() == schema.HEAD:
            return
        with self.write() as connection:
            if not self.sqlite and connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            current = _version(connection)
            if current == schema.HEAD:
                return
            # Alembic takes a good part of a second to import: only who migrates pays for it.
            from alembic import command
            from alembic.config import Config
            from alembic.script import ScriptDirectory

            config = Config()
            config.set_main_option("path_separator", "os")
            config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if current and current not in known:
                raise StorageError(
                    f"{self.name} has the tables of a newer rocks-pilot (version {current}, "
                    f"this one knows {schema.HEAD})",
                    "Update rocks-pilot on this machine; it does not change a database it does not know.",
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _version(connection: Connection) -> str:
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""


def _create(path: Path) -> None:
    """Make the file, for the owner to write and the group to read; SQLite gives its side files the same."""
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))
    except OSError as error:
        raise StorageError(
            f"{path} cannot be opened: {error.strerror}",
            f"The user that airboss runs as must own {path.parent} and what is in it.",
        ) from None


def _sqlite_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # Transactions begin where this module says, not where the driver guesses.
    connection.isolation_level = None
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            # Going over to WAL does not wait for a lock by itself.
            connection.execute("PRAGMA journal_mode=WAL").close()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous=FULL").close()


def _sqlite_begin(connection: Connection) -> None:
    # A deferred transaction that writes later can fail at that point instead of waiting.
    write = connection.get_execution_options().get("pilot_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextlib.contextmanager
def storage_errors(database: Database) -> Iterator[None]:
    """Turns the driver's errors into a StorageError that says what to do."""
    try:
        yield
    except PilotError:
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        message, hint = _words(database, error)
        raise StorageError(message, hint) from error


def _words(database: Database, error: Exception) -> tuple[str, str]:
    original = error.orig if isinstance(error, DBAPIError) else error
    name = database.name
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    folder = database.path.parent if database.path else None
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and folder and _full(folder)):
        return f"the disk that holds {name} is full", f"Free space in {folder}; nothing needs a restart."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH):
        return (
            f"{name} cannot be written: {original}",
            f"The user that airboss runs as must own {folder} and its files, on a disk mounted for writing.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return (
            f"another program has held {name} for more than {BUSY_SECONDS:g} s",
            f"`fuser {name}` names it.",
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return f"{name} is damaged, or no SQLite database: {original}", "Restore it from a backup."
    if code == sqlite3.SQLITE_IOERR:
        return f"the disk that holds {name} fails: {original}", "See the kernel's log."
    first = (str(original).strip().splitlines() or [type(original).__name__])[0]
    return f"{name} refused: {first}", "" if database.sqlite else "Does the database server run?"


def _full(folder: Path) -> bool:
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False


def _shown(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url.split("@")[-1]
