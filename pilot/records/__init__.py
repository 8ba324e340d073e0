"""The vocabulary as frozen records with stable ids: what the inventory holds and watchers receive."""

from __future__ import annotations

from pilot.records.base import ROLES, Grant, Record, Role, role_covers
from pilot.records.clusters import Cluster
from pilot.records.happenings import Happening, HappeningTone
from pilot.records.hosts import Cordon, Host, HostState, Network, NetworkKind, Pool, Volume
from pilot.records.instances import Check, Event, Instance, InstanceState, Price
from pilot.records.leases import Drain, Lease
from pilot.records.machines import Machine, Queue, Slot
from pilot.records.nodes import Disk, Nic, Node, NodeProvider, NodeState
from pilot.records.sources import Source, SourceState, SourceType

AnyRecord = Host | Pool | Network | Cluster | Node | Instance | Machine | Queue | Source

__all__ = [
    "ROLES",
    "AnyRecord",
    "Check",
    "Cluster",
    "Cordon",
    "Disk",
    "Drain",
    "Event",
    "Grant",
    "Happening",
    "HappeningTone",
    "Host",
    "HostState",
    "Instance",
    "InstanceState",
    "Lease",
    "Machine",
    "Network",
    "NetworkKind",
    "Nic",
    "Node",
    "NodeProvider",
    "NodeState",
    "Pool",
    "Price",
    "Queue",
    "Record",
    "Role",
    "Slot",
    "Source",
    "SourceState",
    "SourceType",
    "Volume",
    "role_covers",
]
