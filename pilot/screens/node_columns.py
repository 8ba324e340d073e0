"""The columns of the nodes' table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilot.live.cockpit import Cockpit
from pilot.records import Node
from pilot.render import node_cells as cells
from pilot.render.natural import natural_key as natural
from pilot.widgets.table_columns import TableColumn

_STATE_ORDER = ("crashed", "unknown", "stopping", "paused", "suspended", "on", "off")


def tie(node: Node) -> Any:
    """By cluster, then by name as people count."""
    return node.cluster, natural(node.name or node.domain)


def columns(cockpit: Cockpit) -> list[TableColumn[Node]]:
    """What is shown of each node, as the cockpit's site has it now."""

    def column(
        key: str, title: str, cell: Callable[[Node, float], Any], sort: Callable[[Node], Any], **more: Any
    ) -> TableColumn[Node]:
        return TableColumn(key, title, cell, sort, **more)

    def pending(node: Node) -> str | None:
        return cockpit.desk.activities.pending(node.id)

    def samples(node: Node) -> bytes:
        return cockpit.desk.live.usage.cpu(node.id)

    def load(node: Node) -> int:
        known = cockpit.desk.live.usage.load(node.id)
        return -1 if known is None or node.state != "on" else known

    return [
        column(
            "cluster",
            "CLUSTER",
            lambda n, _: cells.cluster_cell(n),
            lambda n: n.cluster,
            width=10,
            priority=4,
        ),
        column(
            "name",
            "NODE",
            lambda n, _: cells.name_cell(n),
            lambda n: natural(n.name or n.domain),
            width=14,
            weight=3,
            widest=40,
        ),
        column(
            "state",
            "STATE",
            lambda n, now: cells.state_with_pending(n, pending(n), now),
            _trouble_first,
            width=16,
            priority=1,
            timed=True,
        ),
        column(
            "host",
            "HOST",
            lambda n, _: cells.host_cell(n),
            lambda n: natural(n.host),
            width=16,
            weight=2,
            widest=30,
            priority=3,
        ),
        column(
            "cpu", "CPU", lambda n, _: cells.cpu_cell(n, samples(n)), load, width=14, right=True, priority=2
        ),
        column(
            "memory",
            "MEM",
            lambda n, _: cells.memory_cell(n),
            lambda n: n.memory,
            width=6,
            right=True,
            priority=5,
        ),
        column(
            "since",
            "SINCE",
            lambda n, now: cells.since_cell(n, now),
            lambda n: -n.since,
            width=6,
            right=True,
            priority=4,
            timed=True,
        ),
        column(
            "console",
            "CONSOLE",
            lambda n, _: cells.console_of(n),
            lambda n: (n.writer, n.watchers),
            width=10,
            weight=1,
            widest=24,
            priority=6,
        ),
        column("vlan", "VLAN", lambda n, _: cells.vlan_cell(n), _vlan, width=5, right=True, priority=7),
        column(
            "mac",
            "MAC",
            lambda n, _: cells.mac_cell(n),
            lambda n: n.nics[0].mac if n.nics else "",
            width=20,
            priority=8,
        ),
    ]


def _trouble_first(node: Node) -> tuple[int, int]:
    if node.stale_since is not None:
        return 1, 0
    if node.hung_ms is not None:
        return 0, -node.hung_ms
    return 2 + _STATE_ORDER.index(node.state), 0


def _vlan(node: Node) -> int:
    return min((nic.vlan for nic in node.nics if nic.vlan is not None), default=-1)
