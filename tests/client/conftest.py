"""A stand-in airboss, a user with a key, and links between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from keys.identity import identities
from pilot.link.link import Link
from pilot.link.receipts import Receipts
from pilot.link.trust import KnownHosts, accept_first_use
from tests.client.stand_in import StandIn, User


@pytest.fixture
async def airboss() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
def user(tmp_path: Path, airboss: StandIn) -> User:
    return User(tmp_path, airboss)


Connect = Callable[..., Awaitable[Link]]


@pytest.fixture
async def connect(user: User) -> AsyncIterator[Connect]:
    """`await connect()`: a link of the user's."""
    links: list[Link] = []

    async def make() -> Link:
        link = await Link.connect(
            user.airboss.site,
            await identities([user.key_file], False, None),
            KnownHosts(user.config / "known_hosts", accept_first_use),
            kept=Receipts(user.config / "state" / "receipts.jsonl"),
        )
        links.append(link)
        return link

    yield make
    for link in links:
        await link.close()
