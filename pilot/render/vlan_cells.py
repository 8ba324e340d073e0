"""VLANs, what carries them on hosts, and the interfaces on them as cells."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.records import Cluster, Network, Nic, Node
from pilot.render.palette import Tone
from pilot.render.table import Cell


def owners_cell(tag: int | None, clusters: Iterable[Cluster]) -> Cell:
    """Whose VLAN it is."""
    names = sorted(cluster.name for cluster in clusters if tag is not None and cluster.vlan == tag)
    return Cell(", ".join(names), "strong")


def network_state(network: Network | None) -> Cell:
    """Whether a host has it and it carries traffic; empty where nobody tells: to owners, and inside QEMU."""
    if network is None:
        return Cell("", "dim")
    if network.missing:
        return Cell("✕ missing", "bad")
    if network.up is None:
        return Cell("? not known", "dim")
    return Cell("● up", "good") if network.up else Cell("○ down", "busy")


def network_words(network: Network) -> Cell:
    """How it is made, and what is wrong with it."""
    made = network.type if not network.bridge else f"{network.type} on {network.bridge}"
    return Cell(f"{made}: {network.words}" if network.words else made, "bad" if network.missing else "dim")


def link_cell(node: Node, nic: Nic) -> Cell:
    """Whether the cable is plugged in, while its node runs."""
    if not nic.link:
        return Cell("○ unplugged", "busy")
    tone: Tone = "good" if node.state == "on" else "dim"
    return Cell("● plugged in" if node.state == "on" else f"○ node {node.state}", tone)
