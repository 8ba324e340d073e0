"""The table of leases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from pilot.agent import schema
from pilot.agent.aside import Aside
from pilot.agent.askers import Asker
from pilot.agent.database import Database
from pilot.errors import StorageError
from pilot.records import Lease

T = TypeVar("T")
_DATABASE_SECONDS = 15.0


class Leased(msgspec.Struct, frozen=True):
    """A node that is turned off at a time: a row of the table."""

    node: str
    cluster: str
    """Whose the node was then: a lease is not for others."""
    ends: float
    seconds: float
    """For how long it was given."""
    principal: str
    given: float
    warned: bool = False
    key: str = ""
    username: str = ""

    @property
    def asker(self) -> Asker:
        """Who gave or renewed it."""
        return Asker(self.principal, self.key, self.username)

    @property
    def lease(self) -> Lease:
        """As records have it."""
        return Lease(self.ends, self.principal, self.warned)


class LeasesTable:
    """Its rows. Every method raises StorageError if the database does not take it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._aside = Aside("leases", 1)

    async def rows(self) -> dict[str, Leased]:
        """All, by node."""
        return await self._call(self._read)

    async def put(self, row: Leased, old: Leased | None) -> bool:
        """A row in the place of another of the same node; whether that one was still there."""
        return await self._call(lambda: self._write(row, old))

    async def remove(self, row: Leased) -> bool:
        """Forget a row; whether it was still there."""
        return await self._call(lambda: self._write(None, row))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await self._aside.call(work, _DATABASE_SECONDS)
        except TimeoutError:
            raise StorageError(
                f"the database did not answer within {_DATABASE_SECONDS:g} s", "Look at airboss's log."
            ) from None

    def _read(self) -> dict[str, Leased]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schema.leases)).mappings().all()
        return {row["node"]: Leased(**row) for row in rows}

    def _write(self, row: Leased | None, old: Leased | None) -> bool:
        """Another airboss of the same database may have been quicker: then nothing is done."""
        table = schema.leases
        with self._database.write() as connection:
            if old is not None:
                there = (table.c.node == old.node) & (table.c.given == old.given)
                if connection.execute(table.delete().where(there)).rowcount != 1:
                    return False
            elif row is not None:
                connection.execute(table.delete().where(table.c.node == row.node))
            if row is not None:
                connection.execute(table.insert(), [msgspec.structs.asdict(row)])
        return True
