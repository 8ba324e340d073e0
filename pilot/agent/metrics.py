"""airboss's figures for Prometheus: made of what it knows at the moment, whenever somebody asks.

The figures are made in a thread, of records that do not change: a scrape among 10,000 nodes keeps nobody's
console waiting. Whoever reaches the port reads the names of clusters and hosts; so it is off unless the
configuration names a loopback address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

import pilot
from pilot.agent.aside import Aside
from pilot.agent.settings import Address
from pilot.backends.provider import NOT_KNOWN, HostUsed
from pilot.errors import ConfigError
from pilot.faults import KINDS, network_faults
from pilot.records import AnyRecord, Host, Instance, Machine, Node, Pool, Source

_log = logging.getLogger(__name__)

PREFIX = "rocks_pilot_"
_KIB = 1024
_SECONDS = 10.0
_LONGEST = 8192
_CONNECTIONS = 8
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Now(msgspec.Struct, frozen=True):
    """What is known at one moment."""

    records: tuple[AnyRecord, ...] = ()
    loads: Mapping[str, tuple[HostUsed, int, int]] = {}
    """By host: how busy it is, and what its nodes receive and send in bytes a second."""
    held: Mapping[str, int] = {}
    """What of airboss's own is in use."""


def figures(now: Now) -> Iterator[Metric]:
    """All metrics but those of the process."""
    yield _gauge(
        "build_info", "Always 1; the label is airboss's version.", ("version",), {(pilot.__version__,): 1}
    )
    hosts = [r for r in now.records if isinstance(r, Host)]
    nodes = [r for r in now.records if isinstance(r, Node)]
    yield from _of_hosts(hosts, now.loads)
    yield from _of_nodes(nodes)
    yield from _of_storage([r for r in now.records if isinstance(r, Pool)])
    yield from _of_sources(now.records)
    kinds = Counter(fault.kind for fault in network_faults(now.records))
    words = "What is wrong with networks, as `pilot vlans` lists it."
    yield _gauge("network_faults", words, ("kind",), {(kind,): kinds[kind] for kind in KINDS})
    words = "What of airboss's own is in use; `journal_queue` are journal records that wait for the disk."
    yield _gauge("held", words, ("what",), {(what,): count for what, count in now.held.items()})


def _of_hosts(hosts: list[Host], loads: Mapping[str, tuple[HostUsed, int, int]]) -> Iterator[Metric]:
    def each(value: Callable[[Host], float | None]) -> dict[tuple[str, ...], float]:
        return {(host.name,): found for host in hosts if (found := value(host)) is not None}

    def used(value: Callable[[HostUsed], float | None]) -> dict[tuple[str, ...], float]:
        known = {host.name for host in hosts if host.state == "up"}
        return {
            (name,): found
            for name, (one, _, _) in loads.items()
            if name in known and (found := value(one)) is not None
        }

    label = ("host",)
    yield _gauge("host_up", "1 if libvirtd on the host answers.", label, each(lambda h: h.state == "up"))
    yield _gauge(
        "host_cordoned", "1 if no node is started there.", label, each(lambda h: h.cordon is not None)
    )
    yield _gauge("host_cpus", "Processors.", label, each(lambda h: h.cpus or None))
    yield _gauge("host_memory_bytes", "Memory.", label, each(lambda h: h.memory * _KIB or None))
    yield _gauge(
        "host_cpu_ratio", "How busy its processors are, 0 to 1.", label,
        used(lambda one: None if one.cpu == NOT_KNOWN else one.cpu / 100),
    )  # fmt: skip
    yield _gauge(
        "host_memory_used_bytes",
        "Memory in use, without caches.",
        label,
        used(lambda one: one.memory * _KIB or None),
    )
    yield _gauge(
        "host_load1", "Load average of a minute, where it can be had.", label, used(lambda one: one.load)
    )
    received = {(host,): into for host, (_, into, _) in loads.items()}
    sent = {(host,): out for host, (_, _, out) in loads.items()}
    yield _gauge("host_nodes_receive_bytes_per_second", "What its nodes receive.", label, received)
    yield _gauge("host_nodes_transmit_bytes_per_second", "What its nodes send.", label, sent)


def _of_nodes(nodes: list[Node]) -> Iterator[Metric]:
    states: Counter[Any] = Counter((node.cluster, node.state) for node in nodes)
    yield _gauge(
        "nodes", "Nodes by cluster and state; without a cluster: in none.", ("cluster", "state"), states
    )
    hung: Counter[Any] = Counter({(node.host,): 0 for node in nodes if node.provider == "libvirt"})
    hung.update((node.host,) for node in nodes if node.hung_ms is not None)
    yield _gauge("nodes_hung", "Running nodes whose QEMU does not answer.", ("host",), hung)
    stale = sum(node.stale_since is not None for node in nodes)
    yield _gauge(
        "nodes_stale", "Nodes of hosts that do not answer: their state is an old one.", (), {(): stale}
    )


def _of_storage(pools: list[Pool]) -> Iterator[Metric]:
    active = [pool for pool in pools if pool.active]
    label = ("host", "pool")
    capacity = {(pool.host, pool.name): pool.capacity * _KIB for pool in active}
    room = {(pool.host, pool.name): pool.available * _KIB for pool in active}
    yield _gauge("storage_pool_capacity_bytes", "Size of a storage pool.", label, capacity)
    words = "Room that is left in a storage pool, as libvirt knows it."
    yield _gauge("storage_pool_available_bytes", words, label, room)


def _of_sources(records: Iterable[AnyRecord]) -> Iterator[Metric]:
    everything = list(records)
    sources = [r for r in everything if isinstance(r, Source)]
    label = ("type", "name")
    up = {(one.type, one.name): float(one.state == "up") for one in sources}
    yield _gauge("source_up", "1 if a region of EC2, an HTCondor pool, … gives data.", label, up)
    good = {(one.type, one.name): one.good for one in sources if one.good}
    words = "When it last gave whole data, in seconds since the epoch."
    yield _gauge("source_good_timestamp_seconds", words, label, good)
    instances: Counter[Any] = Counter((r.region, r.state) for r in everything if isinstance(r, Instance))
    yield _gauge("instances", "EC2 instances by region and state.", ("region", "state"), instances)
    machines: Counter[Any] = Counter((r.pool, r.state) for r in everything if isinstance(r, Machine))
    yield _gauge("machines", "HTCondor machines by pool and state.", ("pool", "state"), machines)


def _gauge(name: str, words: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, words, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, float(value))
    return family


class _Collector:
    """What prometheus_client asks."""

    def __init__(self, now: Now) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        return figures(self._now)


def exposition(now: Now) -> bytes:
    """All metrics in Prometheus's text format (version 0.0.4)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(now))
    ProcessCollector(namespace=PREFIX.rstrip("_"), registry=registry)
    return generate_latest(registry)


class Metrics:
    """The endpoint: `GET /metrics` by HTTP."""

    def __init__(self, now: Callable[[], Now]) -> None:
        """`now` is called on the loop, and tells what is known."""
        self._now = now
        self._aside = Aside("metrics", 1)
        self._server: asyncio.Server | None = None
        self._open = 0

    async def listen(self, address: Address) -> int:
        """Serve; gives the port.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        try:
            self._server = await asyncio.start_server(self._serve, address.host, address.port, limit=_LONGEST)
        except OSError as error:
            raise ConfigError(
                f"metrics cannot be served on {address}: {error.strerror or error}",
                "[metrics] listen names another address:port.",
            ) from None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(_SECONDS):
                if self._open > _CONNECTIONS:
                    status, body = "503 Service Unavailable", b"too many scrapes at once\n"
                else:
                    status, body = await self._answer(await reader.readuntil(b"\r\n\r\n"))
                head = (
                    f"HTTP/1.1 {status}\r\nContent-Type: {_TYPE if status == '200 OK' else 'text/plain'}\r\n"
                )
                writer.write(
                    f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
                )
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asks so has gone, or is no Prometheus
        except Exception:
            _log.exception("metrics")
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, request: bytes) -> tuple[str, bytes]:
        method, _, rest = request.split(b"\r\n", 1)[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path not in (b"/metrics", b"/"):
            return "404 Not Found", b"ask for /metrics\n"
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", b"only GET\n"
        now: Any = self._now()
        body = await self._aside.call(lambda: exposition(now), _SECONDS)
        return "200 OK", body if method == b"GET" else b""
