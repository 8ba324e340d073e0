"""Hosts as a table for a plain terminal: how they are, how busy they are and were, and what is on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pilot.loads import Loads
from pilot.records import AnyRecord, Host, Node, Pool
from pilot.render.host_cells import memory_cell, pool_cell, processors_cell, room_cell, state_cell
from pilot.render.natural import natural_key
from pilot.render.nodes import in_order
from pilot.render.palette import Tone, paint
from pilot.render.sparkline import UNKNOWN, sparkline
from pilot.render.table import Cell, Column, table
from pilot.render.times import ago, duration, memory
from pilot.wire import HostLoad, plain

HOUR_CELLS = 12
"""Characters of a sparkline over the last hour: each the busiest moment of five minutes."""
_FULL = 0.9
_COLUMNS = (
    Column("HOST"), Column("STATE"), Column("FOR", right=True), Column("NODES", right=True),
    Column("CPU", right=True), Column("LAST HOUR"), Column("LOAD", right=True), Column("MEM", right=True),
    Column("VCPUS", right=True), Column("GIVEN", right=True), Column("NET IN", right=True),
    Column("OUT", right=True), Column("STORAGE"), Column("LIBVIRT"), Column("HYPERVISOR"),
)  # fmt: skip


class Site:
    """Records, sorted by the host that they belong to."""

    def __init__(self, records: Iterable[AnyRecord], only: Sequence[str] = ()) -> None:
        """`only` these hosts; all of them if none is named."""
        everything = list(records)
        hosts = [r for r in everything if isinstance(r, Host) and (not only or r.name in only)]
        self.hosts = sorted(hosts, key=lambda host: natural_key(host.name))
        self.nodes: dict[str, list[Node]] = {host.name: [] for host in hosts}
        self.pools: dict[str, list[Pool]] = {host.name: [] for host in hosts}
        for record in everything:
            if isinstance(record, Node) and record.host in self.nodes and record.provider == "libvirt":
                self.nodes[record.host].append(record)
            elif isinstance(record, Pool) and record.host in self.pools:
                self.pools[record.host].append(record)


def host_table(site: Site, loads: Loads, now: float, colour: bool) -> list[str]:
    """A line for each host, and what is to be said of some of them."""
    rows = [_row(site, host, loads.host(host.name), now) for host in site.hosts]
    return [*table(_COLUMNS, rows, colour), *notes(site, now, colour)]


def notes(site: Site, now: float, colour: bool) -> list[str]:
    """What a table has no room for: why hosts are silent, who cordoned them, which VMs hang."""
    said = []
    for host in site.hosts:
        if host.state == "down":
            said.append(
                _note(
                    host, f"silent since {ago(host.since, now)}: {host.words or host.detail}", "bad", colour
                )
            )
        if host.cordon is not None:
            why = f": {host.cordon.why}" if host.cordon.why else ""
            words = f"cordoned by {host.cordon.principal} {ago(host.cordon.since, now)} ago{why}"
            said.append(_note(host, words, "busy", colour))
        for node in in_order(site.nodes[host.name]):
            if node.hung_ms is not None and node.stale_since is None:
                of = f" of {node.cluster}" if node.cluster else ""
                words = f"{node.name}{of} hangs: QEMU has not answered for {node.hung_ms} ms"
                said.append(_note(host, words, "bad", colour))
        for pool in site.pools[host.name]:
            if pool.words:
                said.append(_note(host, f"storage pool {pool.name}: {pool.words}", "bad", colour))
    return ["", *said] if said else []


def storage_table(site: Site, colour: bool) -> list[str]:
    """Storage pools with their volumes, and who uses these."""
    names = {node.id: node.name for nodes in site.nodes.values() for node in nodes}
    columns = (
        Column("HOST"),
        Column("POOL"),
        Column("TYPE"),
        Column("STATE"),
        Column("TAKEN"),
        Column("USED BY"),
    )
    rows = []
    for host in site.hosts:
        for pool in sorted(site.pools[host.name], key=lambda one: natural_key(one.name)):
            used = sum(bool(volume.nodes) for volume in pool.volumes)
            count = len(pool.volumes) + pool.more
            uses = f"{used} of {count} volumes" if count else "no volumes"
            rows.append(
                (
                    Cell(host.name),
                    Cell(pool.name, "strong"),
                    Cell(pool.type),
                    pool_cell(pool),
                    room_cell(pool),
                    Cell(uses),
                )
            )
            for volume in pool.volumes:
                who = ", ".join(names.get(node, "a node that is not yours") for node in volume.nodes)
                cell = Cell(who) if who else Cell("nobody", "dim")
                rows.append((Cell(""), Cell(f"  {volume.name}"), Cell(""), Cell(""), room_cell(volume), cell))
            if pool.more:
                rows.append(
                    (Cell(""), Cell(f"  and {pool.more} more", "dim"), Cell(""), Cell(""), Cell(""), Cell(""))
                )
    return table(columns, rows, colour)


def last_hour(samples: bytes, cells: int = HOUR_CELLS, whole: int = 360) -> str:
    """An hour of samples in a few characters: the largest of each part of it."""
    part = whole // cells
    padded = bytes((UNKNOWN,)) * (whole - len(samples)) + samples[-whole:]
    parts = (padded[at : at + part] for at in range(0, whole, part))
    peaks = (max((value for value in some if value != UNKNOWN), default=UNKNOWN) for some in parts)
    return sparkline(bytes(peaks), cells)


def rate(bytes_a_second: int) -> str:
    """`0`, `12 K/s`, `3.4 M/s`."""
    if bytes_a_second < 1000:
        return f"{bytes_a_second} B/s" if bytes_a_second else "0"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if bytes_a_second >= size:
            value = bytes_a_second / size
            return f"{value:.1f} {unit}/s" if value < 10 else f"{value:.0f} {unit}/s"
    return ""


def _row(site: Site, host: Host, load: HostLoad | None, now: float) -> tuple[Cell, ...]:
    nodes = site.nodes[host.name]
    on = [node for node in nodes if node.state not in ("off", "crashed", "unknown")]
    hung = sum(node.hung_ms is not None for node in nodes)
    count = f"{len(on)}/{len(nodes)}" + (f" ▲{hung} hung" if hung else "")
    up = host.state == "up"
    cpu = load.cpu[-1] if load is not None and load.cpu and up else UNKNOWN
    known = load is not None and up
    busy = load.memory_now if load is not None else 0
    return (
        Cell(host.name, "strong"),
        state_cell(host, now),
        Cell(duration(max(0.0, now - host.since)) if up else ""),
        Cell(count, "bad" if hung else ""),
        Cell("" if cpu == UNKNOWN else f"{cpu}%", "busy" if 90 <= cpu != UNKNOWN else ""),
        Cell(last_hour(load.cpu) if load is not None and load.cpu.strip(bytes((UNKNOWN,))) else ""),
        Cell(f"{load.load_now:.2f}" if load is not None and load.load_now is not None and up else ""),
        Cell(f"{memory(busy)} of {memory(host.memory)}" if known and busy and host.memory else ""),
        processors_cell(host, sum(node.vcpus for node in on)),
        memory_cell(host, sum(node.memory for node in on)),
        Cell(rate(load.received_now) if load is not None and known else ""),
        Cell(rate(load.sent_now) if load is not None and known else ""),
        _fullest(site.pools[host.name]),
        Cell(host.libvirt, "dim"),
        Cell(host.hypervisor, "dim"),
    )


def _fullest(pools: Sequence[Pool]) -> Cell:
    """The pool with the least room."""
    full = [
        (1 - pool.available / pool.capacity, pool.name) for pool in pools if pool.active and pool.capacity
    ]
    if not full:
        return Cell("")
    part, name = max(full)
    return Cell(f"{name} {part:.0%} full", "bad" if part >= _FULL else "")


def _note(host: Host, words: str, tone: Tone, colour: bool) -> str:
    return f"{paint(plain(host.name), 'strong', colour)}: {paint(plain(words, 500), tone, colour)}"
