"""EC2 instances in the app: pictures, the serial console shared, leases, what cannot be asked and why."""

from __future__ import annotations

from pilot.agent.journal_read import Filter
from pilot.screens.picture import PictureTab
from pilot.screens.power_menu import PowerMenu
from tests.backends.ec2.conftest import aws, moto
from tests.e2e.conftest import Site
from tests.e2e.test_instances import SECONDS, Cloud, Seen, cloud, pytestmark, reaches, site
from tests.support.cockpit import Opened, knows, opened
from tests.support.waiting import until

__all__ = ["aws", "cloud", "moto", "pytestmark", "site"]


async def at_instance(pilot: Opened) -> None:
    """The cursor is on the instance, in the tree of instances."""
    await pilot.live(1)
    await pilot.go("instances")
    await pilot.sees("remote-0", SECONDS)
    await pilot.go("remote-0")


async def test_a_picture_of_its_screen(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss)) as pilot:
        await pilot.live(1)
        await pilot.press("v")
        await pilot.shows(PictureTab)
        await pilot.sees("720x400", SECONDS)
        await pilot.sees("picture of ")
        await pilot.sees("not live")
        await pilot.sees(" ago")
        tab = pilot.screen
        assert isinstance(tab, PictureTab)
        session = tab.pane.session
        first, when = session.screen, session.updated
        assert first is not None
        assert first.packed.any()
        await until(lambda: tab.pane.look.drawn_as, SECONDS, "drawn")
        assert "▀" in pilot.text() or "▄" in pilot.text(), pilot.text()
        await pilot.press("plus", "right", "0")
        await pilot.press("r")
        await until(lambda: session.screen is not first, SECONDS, "another picture")
        assert session.updated is not None
        assert when is not None
        assert session.updated > when
        # It is journaled as what it is, and typing is not offered.
        records = await site.airboss.journal(Filter(verb="screen.picture", kind="intent"))
        assert len(records) == 2
        assert tab.check_action("send", ()) is False
        assert tab.check_action("type", ()) is False
        await pilot.press("q")
        await until(lambda: not isinstance(pilot.screen, PictureTab), SECONDS, "closed")


async def test_its_serial_console_in_a_tab_is_shared(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss)) as pilot, await site.ada.link() as link:
        await pilot.live(1)
        await pilot.press("c")
        await pilot.sees("this is a pretended console", SECONDS)
        other = Seen(await link.console("remote-0", "vc1", "watch"))
        try:
            await other.says(b"this is a pretended console")
            await pilot.press("enter")
            await pilot.sees("login:", SECONDS)
            await pilot.write("ada\n")
            await pilot.sees("Welcome, ada", SECONDS)
            await other.says(b"Welcome, ada")
            # Both are at one session of EC2's.
            assert len(cloud.aws.serial.sessions) == 1
        finally:
            await other.close()


async def test_what_cannot_be_asked_says_why(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    cloud.aws.trouble.denied.add(("StopInstances", "*"))
    async with opened(knows(site.ada, site.airboss)) as pilot:
        await pilot.live(1)

        def refused() -> bool:
            (node,) = pilot.cockpit.desk.live.store.nodes()
            record = pilot.cockpit.desk.activities.instance(node.id)
            return record is not None and "power.off" in record.may_not

        await until(refused, SECONDS, "dry runs say no", every=0.2)
        await pilot.press("p")
        await pilot.shows(PowerMenu)
        row = next(line for line in pilot.text().splitlines() if "x  off" in line)
        assert "AWS does not let the site" in row
        row = next(line for line in pilot.text().splitlines() if "h  hibernate" in line)
        assert "it was not made for that" in row
        await pilot.press("x", "escape")
        assert not pilot.cockpit.desk.activities.entries
        await pilot.go("off")
        await pilot.sees("off is not for remote-0: AWS does not let the site")


async def test_a_lease_from_the_tree(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss), size=(140, 30)) as pilot:
        await pilot.live(1)
        await pilot.go("instances")
        await pilot.sees("remote-0", SECONDS)
        await pilot.go("lease remote-0 3h")
        await pilot.go("instances")
        await pilot.sees("off at ", SECONDS)
        (node,) = pilot.cockpit.desk.live.store.nodes()
        assert node.lease is not None
        assert node.lease.principal == "ada"
