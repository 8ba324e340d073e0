"""What the tests of the journal from outside share."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from pilot import wire
from pilot.agent.settings import load_settings
from pilot.journal import Record
from pilot.journal_check import Receipt
from pilot.link.link import Link
from pilot.link.receipts import Receipts
from pilot.live.journal import receipts_in
from tests.e2e.conftest import Site
from tests.support.airboss import Person
from tests.support.waiting import until

# What nobody has is asked for: that is refused for each node, and journaled as what works is.
NODE = "compute-0-0"


def keep(link: Link, person: Person) -> None:
    """Keep this person's receipts, as `pilot` does."""
    link._receipts = Receipts(person.folder / "receipts.jsonl")


def receipts(person: Person) -> list[Receipt]:
    return receipts_in(person.folder / "receipts.jsonl")


async def records(link: Link, cluster: str, **how: int | bool) -> list[Record]:
    found: list[Record] = []
    async for page in link.journal(cluster, follow=False, **how):  # type: ignore[arg-type]
        found += page.records
    return found


class Following:
    """A stream that is read as it comes."""

    def __init__(self, link: Link, cluster: str, sealed: bool = False, last: int = 0) -> None:
        self.pages: list[wire.JournalPage] = []
        self.task = asyncio.create_task(self._read(link, cluster, sealed, last))

    async def _read(self, link: Link, cluster: str, sealed: bool, last: int) -> None:
        async for page in link.journal(cluster, last=last, sealed=sealed):
            self.pages.append(page)

    async def begun(self) -> Following:
        await until(lambda: self.pages or self.task.done(), 30, "the first page")
        return self

    @property
    def records(self) -> list[Record]:
        return [record for page in self.pages for record in page.records]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def database_of(site: Site) -> Path:
    return Path(load_settings(site.airboss.config).database_url.removeprefix("sqlite:///"))


def tamper(site: Site, *statements: str) -> None:
    """Change the database behind airboss's back."""
    with sqlite3.connect(database_of(site), timeout=30) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
