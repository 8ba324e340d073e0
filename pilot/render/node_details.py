"""What there is to know of one node, for the pane beside the table."""

from __future__ import annotations

from collections.abc import Sequence

from pilot import leasing
from pilot.records import Disk, Drain, Host, Nic, Node
from pilot.render.nodes import console_cell, state_cell
from pilot.render.sparkline import sparkline
from pilot.render.table import Cell
from pilot.render.times import ago, clock, day, local, memory
from pilot.verbs import BY_ID
from pilot.wire import plain

UNKNOWN = 255
_DAY = 86_400


def heading(node: Node, alone: bool = True) -> list[Cell]:
    """One line: name, console, first interface, disks; the name only where `facts` stand below it."""
    if not alone:
        return [Cell(node.name or node.domain, "strong")]
    facts = [f"serial {console_cell(node).text}" if node.serial else "no serial console"]
    facts += [_nic(nic) for nic in node.nics[:1]]
    sized = sum(disk.size for disk in node.disks if disk.device == "disk")
    if sized:
        facts.append(f"{memory(sized)} disk")
    return [Cell(node.name or node.domain, "strong"), Cell("  " + " · ".join(facts), "dim")]


def facts(
    node: Node, host: Host | None, cpu: bytes, resident: int, now: float, width: int
) -> list[tuple[str, Cell]]:
    """Name and value, one a line."""
    rows: list[tuple[str, Cell]] = [
        ("state", _state(node, now)),
        ("host", _host(node, host, now)),
        ("cluster", Cell(node.cluster or "none")),
    ]
    if node.drain is not None:
        rows.append(("drains", Cell(_drain(node.drain), "busy")))
    if node.lease is not None:
        rows.append(("lease", Cell(leasing.words(node.lease, now), "busy" if node.lease.warned else "")))
    if node.appliance:
        rows.append(("appliance", Cell(node.appliance)))
    rows.append(("processors", _cpu(node, cpu, max(4, width - 26))))
    used = f", {memory(resident)} resident on the host" if resident and node.state == "on" else ""
    rows.append(("memory", Cell(f"{memory(node.memory)}{used}")))
    rows += [("nic" if i == 0 else "", Cell(_nic(nic))) for i, nic in enumerate(node.nics)]
    rows += [("disk" if i == 0 else "", Cell(_disk(disk))) for i, disk in enumerate(node.disks)]
    rows.append(("serial", console_cell(node)))
    rows.append(("screen", Cell("VNC") if node.screen else Cell("none", "dim")))
    rows.append(("domain", Cell(node.domain, "dim")))
    rows.append(("uuid", Cell(node.id, "dim")))
    return rows


def _state(node: Node, now: float) -> Cell:
    cell = state_cell(node, now)
    if node.stale_since is not None or node.state == "unknown":
        return cell
    since = clock(node.since) if now - node.since < _DAY else day(node.since)
    if node.hung_ms is not None:
        # For how long it hangs is told already; the rest is how long it runs.
        return Cell(f"{cell.text}, {node.state} since {since}", cell.tone)
    return Cell(f"{cell.text} for {ago(node.since, now)}, since {since}", cell.tone)


def _drain(drain: Drain) -> str:
    until = f", at {local(drain.until, '%H:%M')} at the latest" if drain.until else ""
    what = f"{BY_ID[drain.verb].label} for {plain(drain.principal, 80)}"
    return f"{what} once empty{until}: {plain(drain.words, 400)}"


def _host(node: Node, host: Host | None, now: float) -> Cell:
    if host is None or host.state == "up":
        return Cell(node.host)
    why = f", {host.detail}" if host.detail else ""
    return Cell(f"{node.host}: {host.state} for {ago(host.since, now)}{why}", "bad")


def _cpu(node: Node, samples: bytes, width: int) -> Cell:
    count = f"{node.vcpus} virtual" if node.vcpus else "?"
    if node.state != "on" or not samples:
        return Cell(count)
    newest = "?" if samples[-1] == UNKNOWN else f"{samples[-1]} %"
    return Cell(f"{count}  {sparkline(samples, min(width, len(samples)))}  {newest}")


def _nic(nic: Nic) -> str:
    where = f"VLAN {nic.vlan}" if nic.vlan is not None else nic.network
    model = f" ({nic.model})" if nic.model else ""
    return f"{nic.mac}{' on ' + where if where else ''}{model}"


def _disk(disk: Disk) -> str:
    parts = [disk.target]
    if disk.device != "disk":
        parts.append(disk.device)
    parts.append(memory(disk.size) if disk.size else "")
    parts.append(plain(disk.source, 60) or "empty")
    parts.append(f"({disk.bus})" if disk.bus else "")
    return " ".join(part for part in parts if part)


def last_lines(text: str, count: int) -> Sequence[str]:
    """The last lines that say something."""
    lines = [plain(line.rstrip(), 400) for line in text.splitlines() if line.strip()]
    return lines[-count:]
