"""What the journal says of those who come to consoles: each opening and its end, and no flood of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from pilot.agent.attaching import Attaching
from pilot.agent.consoles.hub import ConsoleHub
from pilot.agent.database import Database
from pilot.agent.gate import entitle
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.agent.journal_read import open_intents, read
from pilot.agent.ledger import Ledger
from pilot.agent.rate import Rate
from pilot.agent.settings import ConsoleSettings, Limits
from pilot.agent.shares import Shares
from pilot.errors import BusyError
from pilot.records import Node
from tests.agent.journals import open_database
from tests.agent.test_gate import caller
from tests.support.waiting import until

NODE = Node("id-0", "compute-0-0", "vc1", "host", "domain", "off", 1.0, serial=True)


class Place:
    """One airboss's consoles and journal, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.database: Database = open_database(folder)
        self.journal = Journal(self.database, lambda: 1.0)
        rate = Rate(burst=3, per_second=1.0, clock=lambda: self.now)
        self.ledger = Ledger(
            self.journal, asyncssh.generate_private_key("ssh-ed25519"), lambda: 1.0, openings=rate
        )
        inventory = Inventory()

        def nobody(_id: str) -> Any:
            raise AssertionError("nobody needs a provider for a node that is off")

        self.hub = ConsoleHub(nobody, lambda: 1.0, lambda _id: NODE.name, lambda *_: None)
        inventory.on_node.append(self.hub.node_changed)
        inventory.nodes([NODE])
        self.attaching = Attaching(inventory, self.hub, self.ledger, Shares(Limits()), ConsoleSettings())
        self.ada = caller()
        self.asked = entitle(self.ada, "console.open", "vc1", ("compute-0-0",), {})

    async def comes(self) -> None:
        """Opens the console and leaves it."""
        async with self.attaching.attached(self.ada, self.asked):
            pass

    def records(self) -> list[tuple[str, str]]:
        """Kind and verb of all that is in the journal."""
        return [(record.kind, record.verb) for record in read(self.database)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    yield made
    await made.hub.stop()
    await made.ledger.close()
    await made.journal.close()
    made.database.close()


async def test_who_opens_very_often_is_told_to_wait_and_that_is_not_written(place: Place) -> None:
    for _ in range(3):
        await place.comes()
    opening = [("intent", "console.open"), ("outcome", ""), ("event", "console.close")]
    assert place.records() == opening * 3
    for _ in range(100):
        with pytest.raises(BusyError, match="opens consoles and screens faster than") as refused:
            await place.comes()
        assert "second" in refused.value.hint
    assert place.records() == opening * 3
    other = caller()
    other_asked = entitle(other, "power.on", "vc1", ("compute-0-0",), {})
    await place.ledger.settle(await place.ledger.intend(place.ada, other_asked, ["id-0"]), [])
    place.now += 1.0
    await place.comes()
    assert place.records() == [*opening * 3, ("intent", "power.on"), ("outcome", ""), *opening]


async def test_whatever_happens_while_one_attaches_an_outcome_is_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(place.hub, "attach", fails)
        with pytest.raises(RuntimeError):
            await place.comes()
    await until(lambda: len(place.records()) == 2)

    attaching = asyncio.Event()

    async def never(*_: object) -> None:
        attaching.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(place.hub, "attach", never)
        coming = asyncio.create_task(place.comes())
        # Before, it would withdraw the intent that nobody has acted on yet.
        async with asyncio.timeout(30):
            await attaching.wait()
        coming.cancel()
        await asyncio.wait([coming])
    await until(lambda: not open_intents(place.database))
    assert [record.kind for record in read(place.database)] == ["intent", "outcome"] * 2
    assert "given up" in str(read(place.database)[-1].result)
    await place.comes()


async def test_cancelled_at_any_moment_no_intent_stays_open(place: Place) -> None:
    place.ledger._openings = Rate(burst=10_000, per_second=1.0)
    for turns in range(40):
        coming = asyncio.create_task(place.comes())
        for _ in range(turns):
            await asyncio.sleep(0)
        coming.cancel()
        await asyncio.wait([coming])
    await place.ledger.close()
    await until(lambda: not open_intents(place.database), 30)
    assert place.attaching._attached == {}
