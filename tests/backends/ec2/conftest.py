"""EC2 over HTTP: moto's server, in front of it the demo's stand-in, and a provider that watches it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pilot.backends.ec2.provider import Bounds, Ec2Provider, Ec2Settings
from pilot.backends.provider import Acted, Extra, Used
from pilot.demo.ec2.moto_server import ENVIRONMENT
from pilot.demo.ec2.stand_in import StandIn
from pilot.records import Host, Instance, Node, Source
from pilot.verbs import BY_ID, Value
from tests.support.waiting import until, until_sync

QUICK = Bounds(
    connect=2, page=5, poll=20, status=0.5, names=5, backoff_first=0.1, backoff_last=0.5, throttled=0.2,
    settle_first=0.1, settle_last=0.2, ask=5, start=10, stop=10, may_pace=0.02, output_pace=0.05,
    output_age=0.3, serial=10, teardown=1.0, price_pace=0.0, price_again=0.5, idle_every=0.5, stop_all=4,
)  # fmt: skip
EAST, WEST = "us-east-1", "eu-west-1"


class Watched:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.nodes_now: dict[str, Node] = {}
        self.others: dict[str, Extra] = {}
        self.gone_ids: list[str] = []
        self.history: list[Extra] = []

    def host(self, host: Host) -> None:
        raise AssertionError("EC2 has no hosts")

    def nodes(self, nodes: Iterable[Node]) -> None:
        self.nodes_now |= {node.id: node for node in nodes}

    def extras(self, records: Iterable[Extra]) -> None:
        for record in records:
            self.others[record.id] = record
            self.history.append(record)

    def gone(self, ids: Iterable[str]) -> None:
        for record_id in ids:
            self.gone_ids.append(record_id)
            self.nodes_now.pop(record_id, None)
            self.others.pop(record_id, None)

    def usage(self, used: Mapping[str, Used]) -> None:
        raise AssertionError("EC2 tells no use")

    async def starting(self, node_id: str) -> None:
        raise AssertionError("EC2 starts nothing paused")

    def source(self, region: str = EAST) -> Source:
        found = self.others.get(f"source:ec2/demo/{region}")
        assert isinstance(found, Source)
        return found

    def instance(self, instance_id: str) -> Instance:
        found = self.others[f"instance:{instance_id}"]
        assert isinstance(found, Instance)
        return found

    def is_up(self, region: str) -> bool:
        found = self.others.get(f"source:ec2/demo/{region}")
        return isinstance(found, Source) and found.state == "up"

    def state(self, instance_id: str) -> str:
        found = self.others.get(f"instance:{instance_id}")
        return found.state if isinstance(found, Instance) else ""


class Rig:
    """A stand-in and a provider that watches it."""

    def __init__(self, stand_in: StandIn, provider: Ec2Provider, sink: Watched) -> None:
        self.aws = stand_in
        self.provider = provider
        self.sink = sink
        self.state = Path()
        """Where the provider keeps things."""
        self.said: list[str] = []
        self.printed: list[tuple[str, bytes, bool]] = []

    async def call(self, service: str, operation: str, region: str = EAST, **args: Any) -> Any:
        """A call past airboss, as somebody else at AWS would make it."""
        return await self.provider._calls.call(region, service, operation, 60, **args)

    async def run(
        self, name: str = "remote-0", cluster: str = "vc1", count: int = 1, region: str = EAST,
        kind: str = "t3.micro", **args: Any,
    ) -> list[str]:  # fmt: skip
        """Run instances; their ids."""
        tags = [{"Key": "Name", "Value": name}]
        if cluster:
            tags.append({"Key": "pilot:cluster", "Value": cluster})
        answer = await self.call(
            "ec2", "run_instances", region, ImageId="ami-760aaa0f", MinCount=count, MaxCount=count,
            InstanceType=kind, TagSpecifications=[{"ResourceType": "instance", "Tags": tags}], **args,
        )  # fmt: skip
        self.provider.refresh()
        return [instance["InstanceId"] for instance in answer["Instances"]]

    async def one(self, name: str = "remote-0", **args: Any) -> str:
        """Run one, and wait until it is seen running."""
        (instance_id,) = await self.run(name, **args)
        await until(lambda: self.sink.state(instance_id) == "running", 20, f"{name} runs")
        return instance_id

    async def act(self, instance_id: str, verb: str, **args: Value) -> Acted:
        """Do a verb."""
        given = BY_ID[verb].arguments(args) if verb in BY_ID else args
        return await self.provider.act(f"ec2:{instance_id}", verb, given, self.said.append)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """URL of a moto server that lives as long as the tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip

    def listens() -> bool:
        assert process.poll() is None, "moto's server does not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        until_sync(listens, 60, "moto listens", every=0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
async def aws(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[StandIn]:
    """An empty pretended AWS, and credentials that it takes."""
    reset = urllib.request.Request(f"{moto}/moto-api/reset", method="POST")
    await asyncio.to_thread(lambda: urllib.request.urlopen(reset, timeout=20).close())
    for name, value in {
        "AWS_ACCESS_KEY_ID": "PRETENDED",
        "AWS_SECRET_ACCESS_KEY": "pretended",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    stand_in = StandIn(teardown=1.0, moto=moto)
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


NewRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def rig(aws: StandIn, tmp_path: Path) -> AsyncIterator[NewRig]:
    """Starts providers: `await rig(regions=(…), bounds=…, clock=…, **settings)`."""
    made: list[Rig] = []

    async def make(
        regions: tuple[str, ...] = (EAST,), bounds: Bounds = QUICK, up: bool = True,
        clock: Callable[[], float] | None = None, **settings: Any,
    ) -> Rig:  # fmt: skip
        given: dict[str, Any] = {"name": "demo", "regions": regions, "endpoint": aws.url, "pretended": True}
        given |= {"serial_endpoint": aws.serial.address, "every": 1.0, "output": False} | settings
        sink = Watched()
        printed: list[tuple[str, bytes, bool]] = []
        provider = Ec2Provider(
            msgspec.convert(given, Ec2Settings), tmp_path,
            lambda node, new, gap: printed.append((node, new, gap)), bounds=bounds,
            **({"clock": clock} if clock else {}),
        )  # fmt: skip
        one = Rig(aws, provider, sink)
        one.printed = printed
        one.state = tmp_path
        made.append(one)
        await provider.start(sink)
        if up:
            await until(
                lambda: all(sink.is_up(region) for region in regions),
                30, "the regions answer",
            )  # fmt: skip
        return one

    yield make
    for one in made:
        await one.provider.stop()
