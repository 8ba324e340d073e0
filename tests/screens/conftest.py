"""An airboss over nodes of the test driver, and somebody who owns one of its clusters."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import libvirt
import pytest

from pilot.backends.libvirt.domain_xml import Membership
from pilot.backends.libvirt.membership import set_membership
from pilot.demo.domains import NodePlan
from pilot.demo.fleet import Fleet, fleet_domain_xml
from tests.support.airboss import Airboss, Person

NODES = 12
"""Nodes of vc1."""


class Pretended(Fleet):
    """A fleet that may change while it runs."""

    def define(self, name: str, cluster: str, number: int) -> None:
        """One node more."""
        assert self._keeper is not None
        self._keeper.defineXML(fleet_domain_xml(NodePlan(name, f"hosted-vm-0-{number}-0", cluster)))

    def adopt(self, name: str, cluster: str, number: int) -> None:
        """Another name or cluster for a node."""
        set_membership(self._domain(number), Membership(cluster, name))

    def switch_on(self, number: int) -> None:
        """Somebody turns it on past airboss."""
        self._domain(number).create()

    def switch_off(self, number: int) -> None:
        """Somebody turns it off past airboss."""
        self._domain(number).destroy()

    def suspend(self, number: int) -> None:
        """Somebody pauses it past airboss."""
        self._domain(number).suspend()

    def undefine(self, number: int) -> None:
        """One node less."""
        self._domain(number).undefine()

    def _domain(self, number: int) -> libvirt.virDomain:
        assert self._keeper is not None
        return self._keeper.lookupByName(f"hosted-vm-0-{number}-0")


@pytest.fixture
def place(short_folder: Path) -> Path:
    """A folder for a test, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="a", dir=short_folder))
    folder.chmod(0o711)
    return folder


@pytest.fixture
def fleet(place: Path) -> Iterator[Pretended]:
    """NODES nodes of vc1, all off."""
    fleet = Pretended(place / "h", "fleet", NODES)
    with fleet:
        yield fleet


@pytest.fixture
async def boss(place: Path, fleet: Pretended) -> AsyncIterator[Airboss]:
    """An airboss that serves the fleet; vc2 has no nodes."""
    made = Airboss(place, {"fleet": fleet.uri})
    for cluster in ("vc1", "vc2"):
        made.editor.add_cluster(cluster, None, False)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def ada(boss: Airboss) -> Person:
    """The owner of vc1."""
    return await boss.person("ada", "vc1")
