"""A line of the tree of hosts as cells: a host, a node on it, a storage pool or a volume."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import Host, Node, Pool, Volume
from pilot.render.natural import natural_key
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.render.times import ago, clock, memory
from pilot.trees.entries import Entry

_NEARLY_FULL = 0.9


def state_cell(host: Host, now: float) -> Cell:
    """Whether airboss reaches it; glyph and word."""
    if host.state == "down":
        return Cell(f"✕ silent {ago(host.since, now)}", "bad")
    if host.state == "connecting":
        return Cell("◌ connecting", "busy")
    if host.cordon is not None:
        return Cell("⊘ cordoned", "busy")
    return Cell("● up", "good")


def given(nodes: Iterable[Node]) -> tuple[int, int]:
    """Virtual processors, and KiB of memory, that the nodes which run are given."""
    running = [node for node in nodes if node.state not in ("off", "crashed")]
    return sum(node.vcpus for node in running), sum(node.memory for node in running)


def processors_cell(host: Host | None, vcpus: int) -> Cell:
    """Virtual processors given to nodes, of the processors that there are; often more are given."""
    if host is None or not host.cpus:
        return Cell(f"{vcpus}" if vcpus else "")
    tone: Tone = "busy" if vcpus > host.cpus else ""
    return Cell(f"{vcpus} of {host.cpus}", tone)


def memory_cell(host: Host | None, used: int) -> Cell:
    """Memory given to nodes, of what there is."""
    if host is None or not host.memory:
        return Cell(memory(used) if used else "")
    tone: Tone = "bad" if used > host.memory else "busy" if used > _NEARLY_FULL * host.memory else ""
    return Cell(f"{memory(used)} of {memory(host.memory)}", tone)


def pool_cell(pool: Pool) -> Cell:
    """Whether a storage pool can be used, and how full it is."""
    if pool.words:
        return Cell("? not read", "busy")
    if not pool.active:
        return Cell("○ inactive", "dim")
    if not pool.capacity:
        return Cell("● active", "good")
    full = 1 - pool.available / pool.capacity
    return Cell(f"● {full:.0%} full", "bad" if full >= _NEARLY_FULL else "good")


def room_cell(thing: Pool | Volume) -> Cell:
    """What is taken of what there is."""
    return Cell(f"{memory(thing.allocation)} of {memory(thing.capacity)}" if thing.capacity else "")


def counted(entries: Iterable[Entry]) -> str:
    """The nodes right below a host: how many of which cluster, and how many are on."""
    nodes = [entry.record for entry in entries if isinstance(entry.record, Node)]
    if not nodes:
        return "no nodes"
    clusters = sorted({node.cluster for node in nodes}, key=natural_key)
    on = sum(node.state == "on" for node in nodes)
    of = ", ".join(f"{name or 'no cluster'} {sum(n.cluster == name for n in nodes)}" for name in clusters[:3])
    more = f" and {len(clusters) - 3} more" if len(clusters) > 3 else ""
    return f"{on} of {len(nodes)} on: {of}{more}"


def about_host(host: Host, now: float) -> list[Cell]:
    """More of a host, on one line."""
    facts = [host.hypervisor, f"libvirt {host.libvirt}" if host.libvirt else ""]
    if host.state == "up":
        facts.append(f"connected for {ago(host.since, now)}")
    said = [Cell(host.name, "strong"), Cell("  " + " · ".join(fact for fact in facts if fact), "dim")]
    if host.state == "down":
        said.append(Cell(f"silent since {clock(host.since)}: {host.words or host.detail}", "bad"))
    if host.cordon is not None:
        why = f": {host.cordon.why}" if host.cordon.why else ""
        by = f"  cordoned by {host.cordon.principal} {ago(host.cordon.since, now)} ago{why}"
        said.append(Cell(by, "busy"))
    return said


def hung_cells(nodes: Iterable[Node]) -> list[Cell]:
    """The nodes whose QEMU does not answer, by name, and for how many milliseconds."""
    hung = [node for node in nodes if node.hung_ms is not None and node.stale_since is None]
    named = ", ".join(f"{node.name or node.domain} {node.hung_ms} ms" for node in hung[:4])
    more = f" and {len(hung) - 4} more" if len(hung) > 4 else ""
    return [Cell(f"  ▲ hung: {named}{more}", "bad")] if hung else []
