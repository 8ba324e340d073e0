"""A node as the cells of the app's table: each a pure function of what is known now."""

from __future__ import annotations

from pilot.records import Node
from pilot.render.nodes import console_cell, state_cell
from pilot.render.palette import Tone
from pilot.render.sparkline import sparkline
from pilot.render.table import Cell
from pilot.render.times import ago, duration, local, memory
from pilot.verbs import BY_ID

SPARK_CELLS = 8
BUSY_PERCENT = 90
UNKNOWN = 255
"""A sample that is not known."""
_LEASE_SOON = 3600.0
_DAY = 86_400.0


def cluster_cell(node: Node) -> Cell:
    """The cluster it is a member of."""
    return Cell(node.cluster or "-", "" if node.cluster else "dim")


def host_cell(node: Node) -> Cell:
    """Where it runs."""
    return Cell(node.host)


def name_cell(node: Node) -> Cell:
    """Its name in the cluster; the domain's where it belongs to none."""
    return Cell(node.name or node.domain, "strong")


def state_with_pending(node: Node, pending: str | None, now: float) -> Cell:
    """The state; what was asked for, while the inventory does not show it yet."""
    if node.drain is not None:
        return Cell(f"◐ drains, {BY_ID[node.drain.verb].label}", "busy")
    cell = Cell(f"◐ {pending}", "busy") if pending else state_cell(node, now)
    if pending or node.lease is None or cell.text != "● on":
        return cell
    left = node.lease.ends - now
    tone: Tone = "busy" if left < _LEASE_SOON else cell.tone
    return Cell(f"● on, off {lease_end(node.lease.ends, left)}", tone)


def lease_end(ends: float, left: float) -> str:
    """When a lease ends, in few columns: `19:00`, `in 3 d`, `now`."""
    if left <= 0:
        return "now"
    return local(ends, "%H:%M") if left < _DAY else f"in {duration(left)}"


def cpu_cell(node: Node, samples: bytes) -> Cell:
    """The last samples, and the newest in percent; nothing for a node that does not run."""
    if node.state != "on" or not node.vcpus:
        return Cell("")
    newest = samples[-1] if samples else UNKNOWN
    percent = "     " if newest == UNKNOWN else f"{newest:>3} %"[-5:]
    tone: Tone = "dim" if newest == UNKNOWN else "busy" if newest >= BUSY_PERCENT else ""
    return Cell(f"{sparkline(samples, SPARK_CELLS)} {percent}", tone)


def memory_cell(node: Node) -> Cell:
    """What it is given."""
    return Cell(memory(node.memory) if node.memory else "")


def since_cell(node: Node, now: float) -> Cell:
    """How long it has been as it is."""
    return Cell("" if node.state == "unknown" else ago(node.since, now))


def mac_cell(node: Node) -> Cell:
    """The first interface's address, and how many more there are."""
    if not node.nics:
        return Cell("")
    more = f" +{len(node.nics) - 1}" if len(node.nics) > 1 else ""
    return Cell(f"{node.nics[0].mac}{more}", "dim")


def vlan_cell(node: Node) -> Cell:
    """The VLANs that its interfaces are on."""
    tags = sorted({nic.vlan for nic in node.nics if nic.vlan is not None})
    return Cell(", ".join(str(tag) for tag in tags), "dim")


def console_of(node: Node) -> Cell:
    """Who is at its console."""
    return console_cell(node)
