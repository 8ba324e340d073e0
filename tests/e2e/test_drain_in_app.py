"""Turning busy nodes off from the app: a real HTCondor pool, a real airboss that is restarted meanwhile."""

from __future__ import annotations

import asyncio

from pilot.agent.journal_read import Filter
from pilot.asked import Activity
from pilot.screens.jobs import JobsScreen
from pilot.screens.reason import ReasonScreen
from pilot.widgets.confirm import ConfirmScreen
from tests.e2e.conftest import Site
from tests.e2e.test_cordon import logged_in
from tests.e2e.test_pilot import pilot as pilot_command
from tests.e2e.test_slots import SLOW, Seen, _no_jobs, pool, pytestmark, site, submit
from tests.support.cockpit import Opened, knows, opened
from tests.support.condor_pool import USER, CondorPool
from tests.support.waiting import until

__all__ = ["_no_jobs", "pool", "pytestmark", "site"]


def newest(pilot: Opened) -> Activity:
    return pilot.cockpit.desk.activities.entries[0]


async def asks_which(pilot: Opened, job: str) -> None:
    """`off` is asked of the first node; the jobs that would die are shown."""
    await pilot.press("p", "x")
    await pilot.shows(JobsScreen)
    await pilot.sees("Off compute-0-0: 1 HTCondor job would die")
    await pilot.sees(f"{job}.0 of {USER}@cm.pilot.test on compute-0-0, has run for ")


async def test_drained_first_over_a_restart(site: Site, pool: CondorPool) -> None:
    job = await asyncio.to_thread(submit, pool, 3600)
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
    async with opened(knows(site.ada, site.airboss)) as pilot:
        await pilot.live(2)
        await asks_which(pilot, job)
        await pilot.press("escape")
        assert not pilot.cockpit.desk.activities.entries
        await asks_which(pilot, job)
        await pilot.press("enter")  # draining is what is offered first
        await pilot.sees("◐ drains, off", SLOW)
        await pilot.go("activity")
        await pilot.sees(f"1 HTCondor job ({job}.0 of", SLOW)
        await pilot.sees("take back")

        await site.airboss.stop()
        await until(lambda: pilot.cockpit.desk.live.state == "lost", SLOW, "lost")
        assert newest(pilot).open
        await pilot.sees("airboss goes on with it")
        await site.airboss.start()
        await pilot.press("R")
        await pilot.live()
        await pilot.sees(f"1 HTCondor job ({job}.0 of", SLOW)

        await pilot.press("u")  # taken back, from the list
        await until(lambda: not newest(pilot).open and len(pilot.cockpit.desk.activities.open) == 0, SLOW)
        assert newest(pilot).verb.id == "machine.undrain"
        assert newest(pilot).counts()["done"] == 1
        await until(lambda: pilot.node("compute-0-0").drain is None, SLOW, "taken back")
        assert pilot.node("compute-0-0").state == "on"

        await pilot.go("nodes")
        await asks_which(pilot, job)
        await pilot.press("d")
        await until(lambda: pilot.node("compute-0-0").drain is not None, SLOW, "drains")
        await asyncio.to_thread(pool.run, "condor_rm", job)
        await until(lambda: pilot.node("compute-0-0").state == "off", SLOW, "off")
        await until(lambda: newest(pilot).counts()["done"] == 1, SLOW, "done")


async def test_anyway(site: Site, pool: CondorPool) -> None:
    job = await asyncio.to_thread(submit, pool, 3600)
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
    async with opened(knows(site.ada, site.airboss)) as pilot:
        await pilot.live(2)
        await asks_which(pilot, job)
        await pilot.press("a")
        await pilot.shows(ConfirmScreen)
        await pilot.sees("1 HTCondor job would die")
        await until(lambda: isinstance(pilot.screen, ConfirmScreen) and pilot.screen.ready)
        await pilot.press("y")
        await until(lambda: pilot.node("compute-0-0").state == "off", SLOW, "off")


async def test_rights_that_are_gone_once_it_is_empty(site: Site, pool: CondorPool) -> None:
    job = await asyncio.to_thread(submit, pool, 3600)
    eve = await site.airboss.person("eve", "vc1")
    await logged_in(eve, site)
    async with await eve.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
        async with await site.ada.link() as hers:
            asking = asyncio.create_task(hers.call("power.off", "vc1", ("compute-0-0",), {"drain": True}))
            await seen.until(lambda: (m := seen.machine("compute-0-0")) and m.draining, "draining")
            asking.cancel()
            await asyncio.wait({asking})
        site.airboss.editor.remove_signers("vc1", lambda entry: entry.principal == "ada")
        await asyncio.to_thread(pool.run, "condor_rm", job)
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and not m.draining, "drains no more")
        assert seen.state("compute-0-0") == "on"

    async def journaled() -> bool:
        records = await site.airboss.journal(Filter(verb="power.off", kind="event"))
        return any(
            "refused: the key of ada is entitled to nothing any more" in r.result_json for r in records
        )

    await until(journaled, SLOW, "the journal says so")
    code, out, err = await pilot_command(eve, "events", "--last", "50")
    assert code == 0, err
    assert "is not turned off for ada: the key of ada is entitled to nothing any more" in out


async def test_drained_with_a_reason_from_the_slots(site: Site, pool: CondorPool) -> None:
    await asyncio.to_thread(submit, pool, 3600)
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
        async with opened(knows(site.ada, site.airboss), size=(140, 36)) as pilot:
            await pilot.live(2)
            await pilot.go("slots")
            await pilot.sees("compute-0-0.pilot.test", SLOW)
            await pilot.find("compute-0-0")
            await pilot.press("home", "down")
            assert [node.name for node in pilot.screen.targets()] == ["compute-0-0"]  # type: ignore[attr-defined]
            await pilot.press("p", "d")
            await pilot.shows(ReasonScreen)
            await pilot.write("a new disk")
            await pilot.press("enter")
            await seen.until(lambda: (m := seen.machine("compute-0-0")) and m.draining, "draining")
            machine = seen.machine("compute-0-0")
            assert machine is not None
            assert machine.drain_reason == "a new disk"
            await pilot.sees("a new disk", SLOW)
            await pilot.press("p", "u")
            await seen.until(lambda: (m := seen.machine("compute-0-0")) and not m.draining, "no more")
