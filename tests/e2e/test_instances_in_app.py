"""EC2 instances in the app: pictures, the serial console shared, leases, what cannot be asked and why."""

from __future__ import annotations

from pilot.agent.journal_read import Filter
from pilot.screens.picture import PictureTab
from pilot.screens.power_menu import PowerMenu
from tests.backends.ec2.conftest import aws, moto
from tests.e2e.conftest import Site
from tests.e2e.test_instances import SECONDS, Cloud, Seen, cloud, pytestmark, reaches, site
from tests.e2e.test_pilot import pilot
from tests.support.cockpit import knows, opened
from tests.support.waiting import until

__all__ = ["aws", "cloud", "moto", "pytestmark", "site"]


async def test_a_picture_of_its_screen(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss)) as app:
        await app.live(1)
        await app.press("v")
        await app.shows(PictureTab)
        await app.sees("720x400", SECONDS)
        await app.sees("picture of ")
        await app.sees("not live")
        await app.sees(" ago")
        tab = app.screen
        assert isinstance(tab, PictureTab)
        session = tab.pane.session
        first, when = session.screen, session.updated
        assert first is not None
        assert first.packed.any()
        await until(lambda: tab.pane.look.drawn_as, SECONDS, "drawn")
        assert "▀" in app.text() or "▄" in app.text(), app.text()
        await app.press("plus", "right", "0")
        await app.press("r")
        await until(lambda: session.screen is not first, SECONDS, "another picture")
        assert session.updated is not None
        assert when is not None
        assert session.updated > when
        # It is journaled as what it is, and typing is not offered.
        records = await site.airboss.journal(Filter(verb="screen.picture", kind="intent"))
        assert len(records) == 2
        assert tab.check_action("send", ()) is False
        assert tab.check_action("type", ()) is False
        await app.press("q")
        await until(lambda: not isinstance(app.screen, PictureTab), SECONDS, "closed")


async def test_its_serial_console_in_a_tab_is_shared(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss)) as app, await site.ada.link() as link:
        await app.live(1)
        await app.press("c")
        await app.sees("this is a pretended console", SECONDS)
        other = Seen(await link.console("remote-0", "vc1", "watch"))
        try:
            await other.says(b"this is a pretended console")
            await app.press("enter")
            await app.sees("login:", SECONDS)
            await app.write("ada\n")
            await app.sees("Welcome, ada", SECONDS)
            await other.says(b"Welcome, ada")
            # Both are at one session of EC2's.
            assert len(cloud.aws.serial.sessions) == 1
        finally:
            await other.close()


async def test_what_cannot_be_asked_says_why(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    cloud.aws.trouble.denied.add(("StopInstances", "*"))
    async with opened(knows(site.ada, site.airboss)) as app:
        await app.live(1)

        def refused() -> bool:
            (node,) = app.cockpit.desk.live.store.nodes()
            record = app.cockpit.desk.activities.instance(node.id)
            return record is not None and "power.off" in record.may_not

        await until(refused, SECONDS, "dry runs say no", every=0.2)
        await app.press("p")
        await app.shows(PowerMenu)
        row = next(line for line in app.text().splitlines() if "x  off" in line)
        assert "AWS does not let the site" in row
        row = next(line for line in app.text().splitlines() if "h  hibernate" in line)
        assert "it was not made for that" in row
        await app.press("x", "escape")
        assert not app.cockpit.desk.activities.entries
        await app.go("off")
        await app.sees("off is not for remote-0: AWS does not let the site")


async def test_a_lease_from_the_tree(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss), size=(140, 30)) as app:
        await app.live(1)
        await app.go("instances")
        await app.sees("remote-0", SECONDS)
        await app.go("lease remote-0 3h")
        await app.go("instances")
        await app.sees("off at ", SECONDS)
        (node,) = app.cockpit.desk.live.store.nodes()
        assert node.lease is not None
        assert node.lease.principal == "ada"


async def test_its_console_from_the_command_line(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    async with opened(knows(site.ada, site.airboss)) as app:
        await app.live(1)
        await app.press("c")
        await app.sees("this is a pretended console", SECONDS)
        words = ("--send", r"\r", "--wait-for", "login:", "--send", r"ada\r", "--wait-for", "Welcome, ada")
        code, out, err = await pilot(site.ada, "console", "remote-0", "--join", *words)
        assert code == 0, (out, err)
        assert "Welcome, ada" in out
        # Who looks in the app sees it too, and what was printed before is there for who comes later.
        await app.sees("Welcome, ada", SECONDS)
        code, out, err = await pilot(site.ada, "log", "remote-0")
        assert code == 0, err
        assert "Welcome, ada" in out
