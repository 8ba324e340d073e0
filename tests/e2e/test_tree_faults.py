"""A region of EC2 and an HTCondor pool that hang: told, with what was known last, and nothing else stops."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pilot.demo.ec2.stand_in import StandIn
from tests.backends.ec2.conftest import EAST, WEST, aws, moto
from tests.e2e.conftest import MakeSite
from tests.e2e.test_cordon import logged_in
from tests.e2e.test_instances import Cloud
from tests.e2e.test_pilot import pilot
from tests.support.airboss import Person
from tests.support.condor_pool import CondorPool
from tests.support.vms import Vm
from tests.support.waiting import until

__all__ = ["aws", "moto"]
pytest.importorskip("htcondor2", reason="NOT TESTED: HTCondor's Python library is not installed")
pytestmark = pytest.mark.e2e
SECONDS = 60.0


@pytest.fixture
def pool(short_folder: Path) -> Iterator[CondorPool]:
    made = CondorPool(Path(tempfile.mkdtemp(prefix="c", dir=short_folder)))
    try:
        made.add("compute-0-0", 40)
        made.wait(1)
        yield made
    finally:
        made.close()


@pytest.fixture
async def cloud(aws: StandIn) -> AsyncIterator[Cloud]:
    made = Cloud(aws, (EAST, WEST))
    yield made
    await made.close()


async def said(person: Person, *words: str) -> str:
    code, out, err = await pilot(person, *words)
    assert code == 0, err
    return out


async def says(person: Person, command: str, pattern: str) -> str:
    """What a command prints, once it prints that."""
    found = ""

    async def there() -> bool:
        nonlocal found
        found = await said(person, command)
        return re.search(pattern, found) is not None

    try:
        await until(there, SECONDS, pattern, every=0.3)
    except AssertionError:
        raise AssertionError(f"`pilot {command}` never says {pattern!r}:\n{found}") from None
    return found


async def state(person: Person, name: str) -> str:
    instances = json.loads(await said(person, "instances", "--json"))
    return next((str(one["state"]) for one in instances if one["name"] == name), "")


async def test_what_hangs_is_told_with_what_was_known_and_the_rest_goes_on(
    make_site: MakeSite, nodes: Callable[..., list[Vm]], cloud: Cloud, pool: CondorPool
) -> None:
    token = pool.token("pilot", "READ")
    about = (
        f'[[pool]]\nname = "osg"\ncollector = "{pool.address}"\ntoken = "{token}"\nevery = 1\ndeadline = 1\n'
    )
    site = await make_site(1, cloud.toml + about)
    (vm,) = nodes(site.hosts[0], "vc1", 1)
    here = await cloud.run("here", "vc1")
    await cloud.run("there", "vc1", WEST)
    admin = await site.airboss.person("rita", "*", "admin")
    await logged_in(admin, site)
    await says(admin, "instances", r"(?s)here .*there ")
    await says(admin, "slots", "compute-0-0.pilot.test")

    cloud.aws.trouble.hangs.add(WEST)
    with pool.stopped("condor_collector"):
        out = await says(
            admin, "instances", rf"lab/{WEST}: silent for .*, last heard .* ago: .*AWS does not answer"
        )
        assert re.search(r"there .*\? running, [^ ]+ [^ ]+ ago", out), out
        assert re.search(r"here .*● running", out), out
        out = await says(admin, "slots", r"osg: silent for .*, last heard .* ago: .*condor_collector hangs")
        assert "compute-0-0.pilot.test" in out
        assert "lab/" not in out
        vm.start()
        await says(admin, "nodes", r"compute-0-0 .*● on")
        assert "● up" in await said(admin, "hosts")
        await cloud.stop(here)

        async def stopped() -> bool:
            return await state(admin, "here") == "stopped"

        await until(stopped, SECONDS, "the other region is looked at all the same", every=0.3)
        assert await state(admin, "there") == "running"

    cloud.aws.trouble.hangs.clear()
    out = await says(admin, "slots", r"osg .*● answers")
    assert "silent" not in out
    out = await says(admin, "instances", r"there .*● running")
    assert f"{WEST}: silent" not in out
