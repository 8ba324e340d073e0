"""EC2 instances as their owner sees them: a real airboss and `pilot`, moto's server behind the stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from pilot.agent.journal_read import Filter
from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.settings import Bounds, Ec2Settings
from pilot.demo.ec2.stand_in import StandIn
from pilot.errors import Exit, NoSuchNodeError
from pilot.link.console_stream import ConsoleStream
from pilot.vnc.png import SIGNATURE
from pilot.wire import Output
from tests.backends.ec2.conftest import EAST, aws, moto
from tests.e2e.conftest import MakeSite, Site
from tests.e2e.test_cordon import logged_in
from tests.e2e.test_pilot import pilot
from tests.support.airboss import Person
from tests.support.waiting import until

__all__ = ["aws", "moto"]
pytestmark = pytest.mark.e2e
SECONDS = 60.0


class Cloud:
    """The pretended EC2, as somebody else at AWS uses it."""

    def __init__(self, stand_in: StandIn, regions: tuple[str, ...] = (EAST,)) -> None:
        self.aws = stand_in
        self._regions = list(regions)
        given = {"name": "elsewhere", "regions": self._regions, "endpoint": stand_in.url}
        self._calls = Calls(msgspec.convert(given, Ec2Settings), Bounds())

    @property
    def toml(self) -> str:
        """What a site sets to watch it."""
        return (
            f'[[ec2]]\nname = "lab"\nregions = {json.dumps(self._regions)}\nendpoint = "{self.aws.url}"\n'
            f'serial_endpoint = "{self.aws.serial.address}"\nevery = 1\npretended = true\n'
        )

    async def run(self, name: str, cluster: str, region: str = EAST) -> str:
        """Run an instance; its id."""
        tags = [{"Key": "Name", "Value": name}, {"Key": "pilot:cluster", "Value": cluster}]
        answer = await self._calls.call(
            region, "ec2", "run_instances", 60, ImageId="ami-760aaa0f", MinCount=1, MaxCount=1,
            InstanceType="t3.micro", TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )  # fmt: skip
        return str(answer["Instances"][0]["InstanceId"])

    async def stop(self, instance_id: str) -> None:
        """Stop one."""
        await self._calls.call(EAST, "ec2", "stop_instances", 60, InstanceIds=[instance_id])

    async def close(self) -> None:
        await self._calls.close()


@pytest.fixture
async def cloud(aws: StandIn) -> AsyncIterator[Cloud]:
    cloud = Cloud(aws)
    yield cloud
    await cloud.close()


@pytest.fixture
async def site(make_site: MakeSite, cloud: Cloud) -> Site:
    site = await make_site(0, cloud.toml)
    for person in (site.ada, site.bob):
        await logged_in(person, site)
    return site


async def told(person: Person, *words: str, code: int = Exit.OK) -> Any:
    found, out, err = await pilot(person, *words, "--json")
    assert found == code, (words, out, err)
    return json.loads(out)


async def instance(person: Person, name: str = "remote-0") -> dict[str, Any]:
    return next((one for one in await told(person, "instances") if one["name"] == name), {})


async def reaches(person: Person, state: str, name: str = "remote-0") -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def there() -> bool:
        found.update(await instance(person, name))
        return found.get("state") == state

    await until(there, SECONDS, f"{name} is {state}", every=0.3)
    return found


class Seen:
    """Reads a console all the time."""

    def __init__(self, stream: ConsoleStream) -> None:
        self.stream = stream
        self.text = b""
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.stream:
            if isinstance(frame, Output):
                self.text += frame.data

    async def says(self, text: bytes) -> None:
        await until(lambda: text in self.text, SECONDS, f"{text!r} in {self.text[-1000:]!r}")

    async def close(self) -> None:
        self.stream.close()
        self.task.cancel()
        await asyncio.wait({self.task})


async def test_an_owner_without_any_credentials(site: Site, cloud: Cloud) -> None:
    mine = await cloud.run("remote-0", "vc1")
    await cloud.run("other-0", "vc2")
    found = await reaches(site.ada, "running")
    assert (found["id"], found["region"], found["pretended"]) == (f"instance:{mine}", EAST, True)
    assert found["type"] == "t3.micro"
    assert [one["name"] for one in await told(site.ada, "instances")] == ["remote-0"]
    assert {node["name"] for node in await told(site.ada, "nodes")} == {"remote-0"}
    await reaches(site.bob, "running", "other-0")
    code, out, err = await pilot(site.ada, "instances")
    assert code == 0, err
    for word in ("vc1/remote-0", "● running", "t3.micro", EAST, "$/h", "pretended, not the real EC2"):
        assert word.lower() in out.lower(), out
    assert "other-0" not in out
    code, out, err = await pilot(site.ada, "instances", "nowhere-*")
    assert code == Exit.REFUSED
    assert "no EC2 instance is called nowhere-*" in err

    # Off and on, with the reason; others' are as if they were not there.
    code, out, err = await pilot(site.ada, "power", "off", "remote-0", "-y")
    assert code == 0, (out, err)
    found = await reaches(site.ada, "stopped")
    assert found["reason"].startswith("turned off by its users")
    code, out, _ = await pilot(site.ada, "instances")
    assert "turned off by its users" in out
    code, out, err = await pilot(site.ada, "power", "on", "remote-0", "--wait")
    assert code == 0, (out, err)
    await reaches(site.ada, "running")
    code, out, err = await pilot(site.ada, "power", "off", "other-0", "-y")
    assert code != 0
    assert (await instance(site.bob, "other-0"))["state"] == "running"

    # What EC2 has not, or the instance was not made for, is refused in words.
    code, out, err = await pilot(site.ada, "power", "pause", "remote-0")
    assert code != 0
    assert "EC2 cannot do that" in out + err
    code, out, err = await pilot(site.ada, "power", "hibernate", "remote-0", "-y")
    assert code != 0
    assert "not made so that it can hibernate" in out + err
    code, out, err = await pilot(site.ada, "screen", "remote-0", "--png", str(site.ada.folder / "p.png"))
    assert code == 0, err
    assert (site.ada.folder / "p.png").read_bytes().startswith(SIGNATURE)

    # An operator may not end it for good; its owner may, with a word typed or --yes.
    eve = await site.airboss.person("eve", "vc1", "operator")
    await logged_in(eve, site)
    code, out, err = await pilot(eve, "power", "terminate", "remote-0", "-y")
    assert code == Exit.REFUSED
    assert (await instance(site.ada))["state"] == "running"
    code, out, err = await pilot(site.ada, "power", "terminate", "remote-0", "-y")
    assert code == 0, (out, err)
    await reaches(site.ada, "terminated")


async def test_its_serial_console_is_shared_and_logged(site: Site, cloud: Cloud) -> None:
    instance_id = await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    # Nobody is at it: what it prints comes from EC2 now and then, and it is free for others at AWS.

    async def logged() -> bool:
        code, out, _ = await pilot(site.ada, "log", "remote-0")
        return code == 0 and "this is a pretended console" in out

    await until(logged, SECONDS, "what EC2 keeps of it is in the log", every=0.5)
    assert not cloud.aws.serial.sessions
    eve = await site.airboss.person("eve", "vc1", "viewer")
    async with await site.ada.link() as ada, await eve.link() as link, await site.bob.link() as bob:
        console = Seen(await ada.console("remote-0", "vc1"))
        await console.says(b"this is a pretended console")
        await until(lambda: instance_id in cloud.aws.serial.sessions, SECONDS, "one session at AWS")
        watching = Seen(await link.console("remote-0", "vc1", "watch"))
        await console.says(b"console held")
        console.stream.type(b"ada\r")
        await console.says(b"Welcome, ada")
        console.stream.type(b"echo from-$PPID\r")
        await watching.says(b"from-$PPID")
        assert len(cloud.aws.serial.sessions) == 1
        with pytest.raises(NoSuchNodeError):
            await bob.console("remote-0", "vc2")
        outcome = (await ada.call("send.break", "vc1", ("remote-0",))).outcomes[0]
        assert outcome.result == "done", outcome
        await console.says(b"pretended: sysrq")
        await watching.close()
        await console.close()
    code, out, err = await pilot(site.ada, "log", "remote-0")
    assert code == 0, err
    assert out.count("Welcome, ada") == 1
    assert out.count("this is a pretended console") == 1


async def test_a_lease_over_a_restart_of_airboss(site: Site, cloud: Cloud) -> None:
    await cloud.run("remote-0", "vc1")
    await reaches(site.ada, "running")
    code, out, err = await pilot(site.ada, "lease", "remote-0", "+8h")
    assert code == 0, (out, err)
    assert "goes off at" in out
    lease = (await instance(site.ada))["lease"]
    assert lease["principal"] == "ada"
    code, out, err = await pilot(site.ada, "lease", "remote-0", "off")
    assert code == 0, (out, err)
    assert (await instance(site.ada))["lease"] is None
    code, out, err = await pilot(site.ada, "lease", "remote-0", "renew")
    assert code == Exit.REFUSED
    assert "has no lease" in out + err
    code, out, err = await pilot(site.ada, "lease", "remote-0", "19 o'clock")
    assert code == Exit.USAGE

    code, out, err = await pilot(site.ada, "lease", "remote-0", "+20s")
    assert code == 0, (out, err)
    await site.airboss.stop()
    await site.airboss.start()
    await reaches(site.ada, "stopped")
    (record,) = await site.airboss.journal(Filter(verb="power.shutdown", kind="intent"))
    assert (record.principal, record.auth) == ("airboss for ada", "airboss")

    async def over() -> bool:
        return (await instance(site.ada))["lease"] is None

    await until(over, SECONDS, "the lease is over", every=0.3)
    out = await site.airboss.admin("journal", "verify")
    assert "right" in out or "records" in out
