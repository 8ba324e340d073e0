"""An airboss without hosts, and two owners: what matters here is who asked for what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pilot.link.link import Link
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.journal.reading import keep


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    """The airboss, and the owners' keys."""
    return await make_site(0)


@pytest.fixture
async def ada(site: Site) -> AsyncIterator[Link]:
    """The owner of vc1, who keeps her receipts."""
    async with await site.ada.link() as link:
        keep(link, site.ada)
        yield link


@pytest.fixture
async def bob(site: Site) -> AsyncIterator[Link]:
    """The owner of vc2, who keeps his."""
    async with await site.bob.link() as link:
        keep(link, site.bob)
        yield link
