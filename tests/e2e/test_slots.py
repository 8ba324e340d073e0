"""Nodes that are machines of a real HTCondor pool: seen as such, drained, turned off once they are empty."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pilot.agent.journal_read import Filter
from pilot.errors import Exit
from pilot.link.link import Link
from pilot.records import Machine, Node
from pilot.store import Store
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_cordon import logged_in
from tests.e2e.test_pilot import pilot
from tests.support.condor_pool import USER, CondorPool
from tests.support.terminal import CLI, terminal
from tests.support.vms import Vm
from tests.support.waiting import until

pytest.importorskip("htcondor2", reason="NOT TESTED: HTCondor's Python library is not installed")
pytestmark = pytest.mark.e2e
SLOW = 60.0


@pytest.fixture(scope="module")
def pool(short_folder: Path) -> Iterator[CondorPool]:
    made = CondorPool(Path(tempfile.mkdtemp(prefix="c", dir=short_folder)))
    try:
        made.add("compute-0-0", 20)
        made.add("compute-0-1", 21)
        made.add("elsewhere", 22)
        made.wait(3)
        yield made
    finally:
        made.close()


@pytest.fixture
async def site(make_site: MakeSite, nodes: Callable[..., list[Vm]], pool: CondorPool) -> Site:
    reader, admin = pool.token("pilot", "READ"), pool.token("pilot-admin", "ADMINISTRATOR")
    about = f'[[pool]]\nname = "osg"\ncollector = "{pool.address}"\ncluster = "vc1"\nevery = 1\n'
    site = await make_site(1, about + f'token = "{reader}"\nadmin_token = "{admin}"\n')
    site.vms = nodes(site.hosts[0], "vc1", 2)
    for vm in site.vms:
        vm.start()
    await logged_in(site.ada, site)
    return site


@pytest.fixture(autouse=True)
def _no_jobs(pool: CondorPool) -> Iterator[None]:
    yield
    pool.run("condor_rm", "-all", check=False)
    for name in ("compute-0-0", "compute-0-1"):
        pool.run("condor_drain", "-cancel", f"{name}.pilot.test", check=False)
    pool.wait(0, "JobId =!= undefined || Draining")


def submit(pool: CondorPool, seconds: int, machine: str = "compute-0-0") -> str:
    """A job for one machine."""
    return pool.submit(seconds, 1, f'requirements = TARGET.Machine == "{machine}.pilot.test"')


class Seen:
    """What somebody sees, kept up to date."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.store = Store()

    async def __aenter__(self) -> Seen:
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _take(self) -> None:
        async for frame in self.link.watch("", also="machines"):
            self.store.apply(frame)

    def machine(self, name: str) -> Machine | None:
        """A machine by its short name."""
        return next((m for m in self.store.of(Machine) if m.name == f"{name}.pilot.test"), None)

    def state(self, name: str) -> str:
        """A node's."""
        return next((n.state for n in self.store.of(Node) if n.name == name), "")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Await something."""
        await until(lambda: bool(condition()) or None, deadline=SLOW, what=what, every=0.05)

    async def busy(self, name: str) -> None:
        """Await a machine with a job, joined to its node, that is on."""

        def there() -> bool:
            machine = self.machine(name)
            joined = machine is not None and machine.node != "" and any(s.job for s in machine.slots)
            return joined and self.state(name) == "on"

        await self.until(there, f"a job on {name}")


async def test_slots_are_shown_and_a_busy_node_is_turned_off_once_it_is_empty(
    site: Site, pool: CondorPool
) -> None:
    job = await asyncio.to_thread(submit, pool, 15)
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
        code, out, err = await pilot(site.ada, "slots", "--json")
        assert code == 0, err
        (shown,) = json.loads(out)
        machines: dict[str, Any] = {machine["name"]: machine for machine in shown["machines"]}
        # `elsewhere` is nobody's node, so none of an owner's.
        assert sorted(machines) == ["compute-0-0.pilot.test", "compute-0-1.pilot.test"]
        assert (shown["state"], machines["compute-0-0.pilot.test"]["cluster"]) == ("up", "vc1")
        assert [slot["job"] for slot in machines["compute-0-0.pilot.test"]["slots"]] == [f"{job}.0"]
        code, out, err = await pilot(site.ada, "slots", "compute-0-0")
        assert code == 0, err
        for words in ("compute-0-0.pilot.test", "slot1_1", "Claimed/Busy", f"{USER}@", "vc1/compute-0-0"):
            assert words in out, out
        assert "compute-0-1" not in out

        code, out, _ = await pilot(site.ada, "power", "off", "compute-0-0", "-y")
        assert code == Exit.REFUSED
        assert f"1 HTCondor job ({job}.0 of {USER}@cm.pilot.test) would die with compute-0-0" in out
        assert seen.state("compute-0-0") == "on"

        code, out, err = await pilot(site.ada, "power", "off", "compute-0-0", "--drain", "-y", "--json")
        assert code == 0, (out, err)
        assert json.loads(out)["outcomes"][0]["state"] == "off"
        assert f"{job}.0 of {USER}@cm.pilot.test" in err
        history = await asyncio.to_thread(pool.run, "condor_history", job, "-af", "ExitCode")
        assert history.strip() == "0"  # it ended by itself
        # One on which nothing runs goes off as ever; one that is in no pool cannot be drained.
        (outcome,) = (await link.call("power.off", "vc1", ("compute-0-1",))).outcomes
        assert (outcome.result, outcome.state) == ("done", "off")


async def test_a_node_is_turned_off_once_it_is_empty_whatever_happens_to_airboss(
    site: Site, pool: CondorPool
) -> None:
    job = await asyncio.to_thread(submit, pool, 3600)
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
        asking = asyncio.create_task(link.call("power.off", "vc1", ("compute-0-0",), {"drain": True}))
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and m.draining, "draining")
        machine = seen.machine("compute-0-0")
        assert machine is not None
        assert machine.drain_reason == "to be turned off, for ada"
        await site.airboss.kill()
        await asyncio.gather(asking, return_exceptions=True)
    await site.airboss.start()
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-0")
        await asyncio.to_thread(pool.run, "condor_rm", job)
        await seen.until(lambda: seen.state("compute-0-0") == "off", "off")

    async def journaled() -> bool:
        records = await site.airboss.journal(Filter(verb="power.off"))
        return any(
            r.principal == "airboss" and '"for": "ada"' in r.args_json.replace('":"', '": "') for r in records
        )

    await until(journaled, SLOW, "the journal says so")


async def test_draining_is_taken_back(site: Site, pool: CondorPool) -> None:
    await asyncio.to_thread(submit, pool, 3600, "compute-0-1")
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-1")
        code, out, err = await pilot(site.ada, "drain", "compute-0-1", "--reason", "a new disk")
        assert code == 0, (out, err)
        assert "1 HTCondor job" in out
        await seen.until(lambda: (m := seen.machine("compute-0-1")) and m.draining, "draining")
        code, out, _ = await pilot(site.ada, "slots", "compute-0-1")
        assert "draining, 1 job left" in out
        assert "a new disk" in out

        said: list[str] = []
        asking = asyncio.create_task(
            link.call(
                "power.off", "vc1", ("compute-0-1",), {"drain": True}, lambda frame: said.append(frame.text)
            )
        )
        await seen.until(lambda: any("HTCondor job" in text for text in said), "progress")
        code, out, err = await pilot(site.ada, "undrain", "compute-0-1")
        assert code == 0, (out, err)
        assert "not turned off any more" in out
        (outcome,) = (await asking).outcomes
        assert outcome.result == "refused"
        assert outcome.fault is not None
        assert "taken back" in outcome.fault.message
        await seen.until(lambda: (m := seen.machine("compute-0-1")) and not m.draining, "no more draining")
        assert seen.state("compute-0-1") == "on"

        def goes_on() -> bool:
            # A slot that was carved out of another tells of itself some seconds after that one.
            machine = seen.machine("compute-0-1")
            return machine is not None and [s.activity for s in machine.slots if s.job] == ["Busy"]

        await seen.until(goes_on, "the job goes on")

        (outcome,) = (await link.call("power.off", "vc1", ("compute-0-1",), {"anyway": True})).outcomes
        assert (outcome.result, outcome.state) == ("done", "off")


async def test_who_is_asked_is_told_which_jobs_would_die(site: Site, pool: CondorPool) -> None:
    job = await asyncio.to_thread(submit, pool, 3600, "compute-0-1")
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.busy("compute-0-1")
        words = (*CLI, "power", "off", "compute-0-1")
        for answer in (b"n", b"y"):
            async with terminal(words, site.ada.environment) as shown:
                await shown.shows(b"1 HTCondor job would die; --drain lets them end first")
                await shown.shows(f"{job}.0 of {USER}@cm.pilot.test on compute-0-1".encode())
                await shown.shows(b"Go on?")
                assert seen.state("compute-0-1") == "on"
                shown.type(answer + b"\n")
                code = await shown.ends(SLOW)
            assert code == (Exit.INTERRUPTED if answer == b"n" else 0), bytes(shown.written)
        await seen.until(lambda: seen.state("compute-0-1") == "off", "off")


async def test_others_see_and_drain_nothing(site: Site) -> None:
    async with await site.ada.link() as link, Seen(link) as seen:
        await seen.until(lambda: (m := seen.machine("compute-0-0")) and m.node, "the machine")
    async with await site.bob.link() as link, Seen(link) as seen:
        await seen.until(lambda: seen.store.complete, "a snapshot")
        assert not list(seen.store.of(Machine))
        (outcome,) = (await link.call("machine.drain", "vc2", ("compute-0-0",))).outcomes
        assert outcome.result == "refused"
    root = await site.airboss.person("root", "*", "admin")
    async with await root.link() as link, Seen(link) as seen:
        await seen.until(lambda: seen.machine("elsewhere"), "all machines")
