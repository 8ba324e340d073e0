"""Metrics: what they say, that all are documented, and the endpoint itself."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pilot.agent.metrics import Metrics, Now, exposition
from pilot.agent.settings import Address, load_settings
from pilot.backends.provider import HostUsed
from pilot.errors import ConfigError
from pilot.records import AnyRecord, Cluster, Cordon, Host, Network, Nic, Node, Pool, Source

ROOT = Path(__file__).parents[2]
AT = 1.7e9
RECORDS: tuple[AnyRecord, ...] = (
    Host("host:h1", "h1", "x:///", "up", AT, cpus=8, memory=1024, cordon=Cordon("root", AT)),
    Host("host:h2", "h2", "x:///", "down", AT),
    Cluster("cluster:vc1", "vc1", 101), Cluster("cluster:vc2", "vc2", 102),
    Node("n1", "a", "vc1", "h1", "a", "on", AT, hung_ms=5000),
    Node("n2", "b", "vc2", "h1", "b", "on", AT, nics=(Nic("m", "vlan101", 101),)),
    Node("n3", "c", "vc2", "h2", "c", "off", AT, stale_since=AT),
    Network("net:h1/vlan102", host="h1", name="vlan102", type="bridge", missing=True),
    Pool("pool:h1/d", host="h1", name="d", type="dir", capacity=100, available=25),
    Source("source:ec2/us-east-1", "ec2", "us-east-1", "down", AT, good=AT - 60),
)  # fmt: skip
NOW = Now(
    RECORDS,
    {"h1": (HostUsed(50, 512, 1.5), 1000, 2000), "h2": (HostUsed(), 0, 0)},
    {"connections": 3, "watchers": 2, "verbs": 0, "screens": 1, "journal_queue": 0},
)


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_they_say() -> None:
    found = samples(exposition(NOW).decode())
    for name, value in {
        "rocks_pilot_host_up host=h1": 1,
        "rocks_pilot_host_up host=h2": 0,
        "rocks_pilot_host_cordoned host=h1": 1,
        "rocks_pilot_host_cpus host=h1": 8,
        "rocks_pilot_host_memory_bytes host=h1": 1024 * 1024,
        "rocks_pilot_host_cpu_ratio host=h1": 0.5,
        "rocks_pilot_host_memory_used_bytes host=h1": 512 * 1024,
        "rocks_pilot_host_load1 host=h1": 1.5,
        "rocks_pilot_host_nodes_receive_bytes_per_second host=h1": 1000,
        "rocks_pilot_host_nodes_transmit_bytes_per_second host=h1": 2000,
        "rocks_pilot_nodes cluster=vc2 state=off": 1,
        "rocks_pilot_nodes_hung host=h1": 1,
        "rocks_pilot_nodes_hung host=h2": 0,
        "rocks_pilot_nodes_stale": 1,
        "rocks_pilot_storage_pool_available_bytes host=h1 pool=d": 25 * 1024,
        "rocks_pilot_network_faults kind=foreign-vlan": 1,
        "rocks_pilot_network_faults kind=missing": 1,
        "rocks_pilot_network_faults kind=mac-twice": 0,
        "rocks_pilot_source_up name=us-east-1 type=ec2": 0,
        "rocks_pilot_source_good_timestamp_seconds name=us-east-1 type=ec2": AT - 60,
        "rocks_pilot_held what=connections": 3,
    }.items():
        assert found[name] == value, name
    # Nothing is made up of a host that does not answer.
    assert not any("host=h2" in name for name in found if "cpu_ratio" in name or "memory_" in name)
    assert found["rocks_pilot_process_resident_memory_bytes"] > 1e6


def test_names_are_told_as_they_are() -> None:
    odd = Host('host:"\\', '"\\\n', "x:///", "up", AT)
    assert samples(exposition(Now((odd,))).decode())['rocks_pilot_host_up host="\\\n'] == 1


def test_every_metric_is_documented_and_every_alert_is_about_one() -> None:
    made = {family.name for family in text_string_to_metric_families(exposition(NOW).decode())}
    made |= {f"{name}_total" for name in made}
    guide = (ROOT / "docs/operator-guide.md").read_text()
    told = set(re.findall(r"`(rocks_pilot_\w+)`", guide))
    own = {name for name in made if "_process_" not in name and not name.endswith("_total")}
    assert own <= told, own - told
    assert {name for name in told if "_process_" not in name} <= made
    alerts = (ROOT / "deploy/alerts.yml").read_text()
    asked = set(re.findall(r"\brocks_pilot_\w+", alerts))
    assert asked
    assert asked <= made
    for kind in re.findall(r'kind!?="([^"]+)"', alerts):
        assert f'kind="{kind}"' in exposition(NOW).decode()


def test_ten_thousand_nodes_take_less_than_a_scrape_may() -> None:
    nodes = [
        Node(f"n{n}", f"c{n}", f"vc{n % 100}", f"h{n % 100}", f"d{n}", "on", AT,
             nics=(Nic(f"52:54:00:00:{n >> 8:02x}:{n & 255:02x}", "b", n % 100 + 100),))
        for n in range(10_000)
    ]  # fmt: skip
    begin = time.perf_counter()
    text = exposition(Now(tuple(nodes)))
    assert time.perf_counter() - begin < 3
    assert len(text) < 100_000


@pytest.fixture
async def endpoint() -> AsyncIterator[Callable[[bytes], object]]:
    metrics = Metrics(lambda: NOW)
    port = await metrics.listen(Address("127.0.0.1", 0))

    async def ask(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        async with asyncio.timeout(15):
            answer = await reader.read()
        writer.close()
        return answer

    yield ask
    await metrics.close()


async def test_the_endpoint(endpoint: Callable[[bytes], object]) -> None:
    async def ask(request: bytes) -> bytes:
        found: bytes = await endpoint(request)  # type: ignore[misc]
        return found

    answer = await ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert f"Content-Length: {len(body)}".encode() in head
    assert samples(body.decode())["rocks_pilot_nodes_stale"] == 1
    assert (await ask(b"HEAD /metrics HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")
    assert b" 404 " in (await ask(b"GET /etc/passwd HTTP/1.1\r\n\r\n")).splitlines()[0]
    assert b" 405 " in (await ask(b"POST /metrics HTTP/1.1\r\n\r\n")).splitlines()[0]
    assert b" 404 " in (await ask(b"\r\n\r\n")).splitlines()[0]
    # Who sends more than a scrape is hung up on.
    assert await ask(b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 3000) == b""
    answers = await asyncio.gather(*(ask(b"GET /metrics HTTP/1.1\r\n\r\n") for _ in range(8)))
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    first, second = Metrics(lambda: NOW), Metrics(lambda: NOW)
    port = await first.listen(Address("127.0.0.1", 0))
    with pytest.raises(ConfigError, match="metrics cannot be served"):
        await second.listen(Address("127.0.0.1", port))
    await first.close()


@pytest.mark.parametrize("listen", ["0.0.0.0:9677", "[::]:9677", "192.0.2.1:9677", "localhost:9677", "9677"])
def test_only_loopback(tmp_path: Path, listen: str) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(f'[site]\nname = "s"\n[metrics]\nlisten = "{listen}"\n')
    with pytest.raises(ConfigError):
        load_settings(config)


def test_off_by_default(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('[site]\nname = "s"\n')
    assert load_settings(config).metrics.address is None
    config.write_text('[site]\nname = "s"\n[metrics]\nlisten = "[::1]:9677"\n')
    assert str(load_settings(config).metrics.address) == "[::1]:9677"
