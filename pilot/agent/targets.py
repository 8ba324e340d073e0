"""The node that a stream is of, and what it must have."""

from __future__ import annotations

from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.outcomes import unknown_node
from pilot.errors import NoSuchNodeError, RefusedError, UsageError
from pilot.records import Node
from pilot.selectors import resolve


def one_node(inventory: Inventory, asked: Asked, what: str) -> Node:
    """The one node that is asked for; `what` is what there is one of: `a console`.

    Raises:
        UsageError: not exactly one node.
        NoSuchNodeError: it is not one of the cluster.
    """
    resolved = resolve(asked.targets, inventory.members(asked.cluster))
    if resolved.unknown:
        fault = unknown_node(resolved.unknown[0], asked.cluster).fault
        assert fault is not None
        raise NoSuchNodeError(fault.message, fault.hint)
    if len(resolved.nodes) != 1:
        raise UsageError(f"{what} is of one node, not of {len(resolved.nodes)}", "Name one node.")
    return resolved.nodes[0]


def needs_console(node: Node) -> None:
    """Hold a node against what is done at serial consoles.

    Raises:
        RefusedError: it has none.
    """
    if not node.serial:
        raise RefusedError(
            f"{node.name} has no serial console that libvirt opens",
            f"The admin gives the domain {node.domain} a <serial type='pty'>: no other can be opened.",
        )
