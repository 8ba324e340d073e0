"""Clusters and signers as a running airboss knows them: one immutable snapshot, replaced when they change.

The admin commands write to the database and raise its generation; `Registry.follow` polls that number, so
that a change is in force within a second, without a restart and without a way into the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from keys import signers
from keys.errors import KeysError
from keys.revocation import Revoked
from keys.signers import SignerLine
from pilot.agent import schema
from pilot.agent.database import Database
from pilot.errors import ConfigError, PilotError
from pilot.records import Role

_log = logging.getLogger(__name__)

SITE = "*"
"""The cluster of a signer who acts for the whole site."""
REFRESH_SECONDS = 10.0
"""After this long without an answer from the database it is said to be the trouble."""

Listener = Callable[["Snapshot", "Snapshot"], None]


class ClusterEntry(msgspec.Struct, frozen=True):
    """A cluster as the admin set it up."""

    name: str
    vlan: int | None
    protected: bool
    added: float
    added_by: str


class SignerEntry(msgspec.Struct, frozen=True):
    """A key, or an authority for keys, and what it may do in a cluster, or at the `SITE`."""

    id: int
    cluster: str
    role: Role
    line: SignerLine
    fingerprint: str
    principal: str
    """What the journal calls who signs with this key; for an authority, who it may certify."""
    added: float
    added_by: str


class Snapshot:
    """Clusters and signers at one generation. Never changes."""

    def __init__(
        self,
        generation: int,
        clusters: Iterable[ClusterEntry],
        entries: Iterable[SignerEntry],
        revoked: Revoked | None = None,
    ) -> None:
        self.generation = generation
        self.clusters: Mapping[str, ClusterEntry] = MappingProxyType({c.name: c for c in clusters})
        self.signers = tuple(entries)
        self.revoked = revoked
        self._keys = _by_blob(e for e in self.signers if not e.line.cert_authority)
        self._authorities = _by_blob(e for e in self.signers if e.line.cert_authority)

    def by_key(self, key_blob: bytes) -> tuple[SignerEntry, ...]:
        """What a plain key is entitled to; nothing for one that is not known. Validity is not looked at."""
        return self._keys.get(key_blob, ())

    def authorities(self, key_blob: bytes) -> tuple[SignerEntry, ...]:
        """What certificates signed by this key are entitled to. Validity is not looked at."""
        return self._authorities.get(key_blob, ())


class Registry:
    """The snapshot of the moment. Used from the event loop; `close` when done."""

    def __init__(self, database: Database, revoked: Path | None = None) -> None:
        self._database = database
        self._revoked_file = revoked
        self._revoked_stamp: tuple[int, ...] = ()
        self._listeners: list[Listener] = []
        self._loading: asyncio.Future[Snapshot | None] | None = None
        self._trouble = ""
        self.snapshot = Snapshot(-1, (), ())

    async def start(self) -> None:
        """Read everything for the first time.

        Raises:
            StorageError: the database cannot be read.
            ConfigError: the file of revoked keys cannot be: airboss does not start without it.
        """
        await self.refresh()

    async def refresh(self) -> bool:
        """Read what changed since the last time, if anything did, and tell the listeners.

        Raises:
            StorageError: the database cannot be read; the snapshot stays as it is.
            ConfigError: the file of revoked keys cannot be read; as above.
            TimeoutError: the database does not answer.
        """
        if self._loading is None:
            self._loading = self._begin()
        loading = self._loading
        async with asyncio.timeout(REFRESH_SECONDS):
            await asyncio.wait((loading,))
        self._loading = None
        new = loading.result()
        if new is None:
            return False
        old, self.snapshot = self.snapshot, new
        for listener in tuple(self._listeners):
            try:
                listener(old, new)
            except Exception:
                _log.exception("a listener to changes of clusters and signers failed")
        return True

    async def follow(self, interval: float = 0.25) -> None:
        """Refresh every `interval` seconds, for ever. Troubles are logged, once each; the snapshot stays."""
        while True:
            await asyncio.sleep(interval)
            try:
                await self.refresh()
            except (PilotError, TimeoutError) as error:
                trouble = str(error) or "the database does not answer"
                if trouble != self._trouble:
                    _log.error("clusters and signers stay as they were: %s", trouble)
                self._trouble = trouble
            else:
                if self._trouble:
                    _log.warning("clusters and signers are up to date again")
                self._trouble = ""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call this with the old and the new snapshot at every change. Gives what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def revoked(self, public_blob: bytes) -> str | None:
        """Why a key or certificate is revoked; None if it is not."""
        if self.snapshot.revoked is None:
            return None
        try:
            return self.snapshot.revoked.reason(public_blob)
        except KeysError as error:
            return error.message

    @property
    def trouble(self) -> str:
        """Why the snapshot may be old; empty while all is well."""
        return self._trouble

    def close(self) -> None:
        """End. Does not wait for a database that hangs."""
        self._listeners.clear()

    def _begin(self) -> asyncio.Future[Snapshot | None]:
        """Load in a thread of its own, so that a database that hangs holds up nobody else, and a daemon, so
        that it does not hold up the end of the process either: an executor's threads are joined there.
        """
        loop, old = asyncio.get_running_loop(), self.snapshot
        loading: asyncio.Future[Snapshot | None] = loop.create_future()

        def settle(new: Snapshot | None, error: Exception | None) -> None:
            if loading.cancelled():
                return
            if error is not None:
                loading.set_exception(error)
            else:
                loading.set_result(new)

        def work() -> None:
            new, error = None, None
            try:
                new = self._load(old)
            except Exception as problem:
                error = problem
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(settle, new, error)

        threading.Thread(target=work, name="registry", daemon=True).start()
        return loading

    def _load(self, old: Snapshot) -> Snapshot | None:
        """In the thread: a new snapshot, or None if nothing changed."""
        revoked, stamp = old.revoked, _stamp(self._revoked_file)
        if self._revoked_file is not None and stamp != self._revoked_stamp:
            revoked = read_revoked(self._revoked_file)
        with self._database.read() as connection:
            generation = _generation(connection)
            if generation == old.generation and stamp == self._revoked_stamp:
                return None
            clusters, entries = read_clusters(connection), read_signers(connection)
        self._revoked_stamp = stamp
        return Snapshot(generation, clusters, entries, revoked)


def read_revoked(path: Path) -> Revoked:
    """The file of revoked keys.

    Raises:
        ConfigError: it cannot be read or understood.
    """
    hint = "`[signers] revoked` names it; it lists public keys, or is a KRL of ssh-keygen -k."
    try:
        return Revoked.load(path)
    except KeysError as error:
        raise ConfigError(f"revoked keys: {error.message}", error.hint or hint) from None


def read_clusters(connection: Connection) -> list[ClusterEntry]:
    """All clusters, by name."""
    rows = connection.execute(sa.select(schema.clusters).order_by(schema.clusters.c.name)).mappings()
    return [ClusterEntry(**row) for row in rows]


def read_signers(connection: Connection, cluster: str | None = None) -> list[SignerEntry]:
    """The signers of one cluster, or all. A line that cannot be read entitles nobody, and is logged."""
    query = sa.select(schema.signers).order_by(schema.signers.c.cluster, schema.signers.c.id)
    if cluster is not None:
        query = query.where(schema.signers.c.cluster == cluster)
    found = []
    for row in connection.execute(query).mappings():
        try:
            found.append(_signer(row))
        except (KeysError, msgspec.ValidationError) as error:
            _log.error("signer %d in the database entitles nobody: %s", row["id"], error)
    return found


def _signer(row: RowMapping) -> SignerEntry:
    return SignerEntry(
        id=row["id"],
        cluster=row["cluster"],
        role=msgspec.convert(row["role"], Role),
        line=signers.parse_line(row["line"]),
        fingerprint=row["fingerprint"],
        principal=row["principal"],
        added=row["added"],
        added_by=row["added_by"],
    )


def _generation(connection: Connection) -> int:
    return int(connection.execute(sa.select(schema.generation.c.value)).scalar_one())


def _stamp(path: Path | None) -> tuple[int, ...]:
    """What changes when the file does."""
    try:
        status = path.stat() if path else None
    except OSError:
        return (-1,)
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else ()


def _by_blob(entries: Iterable[SignerEntry]) -> dict[bytes, tuple[SignerEntry, ...]]:
    found: dict[bytes, tuple[SignerEntry, ...]] = {}
    for entry in entries:
        found[entry.line.key_blob] = (*found.get(entry.line.key_blob, ()), entry)
    return found
