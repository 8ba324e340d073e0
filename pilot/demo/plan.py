"""What the demo's hosting cluster consists of, named as Rocks names it."""

from __future__ import annotations

from pilot.demo.domains import NodePlan

HOSTS = ("vm-container-0-0", "vm-container-0-1", "vm-container-0-2")

PLACES: tuple[tuple[int, NodePlan], ...] = (
    (0, NodePlan("frontend", "frontend-0-0-0", "vc1", "frontend")),
    (0, NodePlan("compute-0-0", "hosted-vm-0-0-0", "vc1")),
    (1, NodePlan("compute-0-1", "hosted-vm-0-1-0", "vc1")),
    (2, NodePlan("compute-0-2", "hosted-vm-0-2-0", "vc1")),
    (1, NodePlan("compute-0-3", "hosted-vm-0-1-1", "vc1")),
    (1, NodePlan("frontend", "frontend-0-1-0", "vc2", "frontend")),
    (2, NodePlan("compute-0-0", "hosted-vm-0-2-1", "vc2")),
)
"""Each node, and the number of its host. A domain is called hosted-vm-RACK-HOST-SLICE, whoever's it is."""

RUNNING: dict[str, tuple[str, ...]] = {"vc1": ("frontend", "compute-0-0"), "vc2": ("frontend",)}
"""The nodes that are on at first, by cluster."""
