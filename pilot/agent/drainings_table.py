"""The table of nodes that are turned off once they are empty."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from pilot.agent import schema
from pilot.agent.aside import Aside
from pilot.agent.askers import Asker
from pilot.agent.database import Database
from pilot.errors import StorageError

T = TypeVar("T")
_DATABASE_SECONDS = 15.0
_BETWEEN = re.compile(r"\n| (?=machine:)")
"""Names of machines may have spaces, and no line ends."""


class Draining(msgspec.Struct, frozen=True):
    """A node that is to be turned off once it is empty: a row of the table."""

    node: str
    cluster: str
    machine: str
    """Ids of its machines when that was asked, a line each: a startd may leave before the node. Earlier
    airbosses put spaces between."""
    principal: str
    reason: str
    begun: float
    """When that was asked; when the lease was given that is over."""
    key: str = ""
    username: str = ""
    verb: str = "power.off"
    """How it is turned off."""
    until: float = 0.0
    """When it is turned off at the latest; 0 for no such time."""
    args: str = "{}"
    """Of the verb, as JSON."""

    @property
    def machines(self) -> list[str]:
        """Ids of its machines."""
        return [one for one in _BETWEEN.split(self.machine) if one]

    @property
    def asker(self) -> Asker:
        """Who asked for it, or gave the lease."""
        return Asker(self.principal, self.key, self.username)


class DrainingsTable:
    """Its rows. Every method raises StorageError if the database does not take it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._aside = Aside("drainings", 1)

    async def rows(self) -> list[Draining]:
        """All."""
        return await self._call(self._read)

    async def put(self, row: Draining) -> None:
        """A row, in the place of one of the same node."""
        await self._call(lambda: self._write(row))

    async def remove(self, node_id: str) -> None:
        """Forget a node."""
        await self._call(lambda: self._delete(node_id))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await self._aside.call(work, _DATABASE_SECONDS)
        except TimeoutError:
            raise StorageError(
                f"the database did not answer within {_DATABASE_SECONDS:g} s", "Look at airboss's log."
            ) from None

    def _read(self) -> list[Draining]:
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schema.drainings)).mappings().all()
        return [Draining(**row) for row in rows]

    def _write(self, row: Draining) -> None:
        table = schema.drainings
        with self._database.write() as connection:
            connection.execute(table.delete().where(table.c.node == row.node))
            connection.execute(table.insert(), [msgspec.structs.asdict(row)])

    def _delete(self, node_id: str) -> None:
        table = schema.drainings
        with self._database.write() as connection:
            connection.execute(table.delete().where(table.c.node == node_id))
