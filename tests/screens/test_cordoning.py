"""Hosts are cordoned from the app, with a reason, and uncordoned; on a real airboss."""

from __future__ import annotations

from pilot.records import Host
from pilot.screens.reason import ReasonScreen
from tests.screens.conftest import NODES
from tests.support.airboss import Airboss, Person
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until

SECONDS = 60.0


def cordon(pilot: Opened) -> tuple[str, str] | None:
    (host,) = pilot.cockpit.desk.live.store.of(Host)
    return None if host.cordon is None else (host.cordon.principal, host.cordon.why)


async def test_from_the_tree_and_from_the_line(boss: Airboss) -> None:
    root = await boss.person("root", "*", "admin")
    async with opened(knows(root, boss)) as pilot:
        await pilot.live()
        await pilot.go("hosts")
        await pilot.sees("▾ fleet")
        await pilot.press("home", "C")
        await pilot.shows(ReasonScreen)
        await pilot.sees("Cordon fleet")
        await pilot.press("escape")
        assert not pilot.cockpit.desk.activities.entries
        await pilot.press("C")
        await pilot.shows(ReasonScreen)
        await pilot.write("a new disk")
        await pilot.press("enter")
        await until(lambda: cordon(pilot) == ("root", "a new disk"), SECONDS, "cordoned")
        await pilot.sees("✓ cordon fleet · done")
        await pilot.sees("cordoned")

        # Whoever turns a node on there is told why not.
        await pilot.go("on compute-0-0")
        await pilot.sees("a new disk", SECONDS)
        (asked, *_) = pilot.cockpit.desk.activities.entries
        await until(lambda: asked.counts()["refused"] == 1, SECONDS)

        await pilot.press("C")
        await until(lambda: cordon(pilot) is None, SECONDS, "uncordoned")
        await pilot.go("cordon fleet it is hot")
        await until(lambda: cordon(pilot) == ("root", "it is hot"), SECONDS, "cordoned")
        await pilot.go("uncordon")
        await until(lambda: cordon(pilot) is None, SECONDS, "uncordoned")
        await pilot.go("cordon nowhere")
        await pilot.sees("nowhere is no host that is shown here")


async def test_others_do_not(boss: Airboss, ada: Person) -> None:
    async with opened(knows(ada, boss)) as pilot:
        await pilot.live(NODES)
        await pilot.go("hosts")
        await pilot.sees("▾ fleet")
        await pilot.press("home", "C")
        await pilot.sees("Cordon: it is for the site's admins")
        assert not pilot.cockpit.desk.activities.entries
