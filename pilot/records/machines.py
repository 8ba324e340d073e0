"""HTCondor's machines with their slots, and its queues."""

from __future__ import annotations

import msgspec

from pilot.records.base import Record


class Slot(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, array_like=True):
    """A dynamic or static slot of a machine."""

    name: str
    """Without the machine: `slot1_2`."""
    state: str
    """HTCondor's own word: Claimed, Unclaimed, Owner, Drained, Preempting, …"""
    activity: str
    """Busy, Idle, Retiring, Suspended, Vacating, …"""
    since: float = 0.0
    """When it entered this activity."""
    owner: str = ""
    """Who the job is of."""
    job: str = ""
    """Its id, such as `124.0`; of which schedd is in `owner` after an `@`."""
    job_since: float = 0.0
    cpus: float = 0.0
    memory: int = 0
    load: float = 0.0


class Machine(Record, frozen=True, tag="machine"):
    """A machine of a pool. Its id is `machine:`, the pool's name, `/` and its own."""

    pool: str
    name: str
    state: str
    """Of its partitionable slot, or of the slot that does most."""
    activity: str
    address: str = ""
    """Its IP address, as its startd tells it."""
    node: str = ""
    """Id of the node that it is; empty if airboss knows none."""
    cluster: str = ""
    """That node's."""
    instance: str = ""
    """EC2's id of it, where its startd tells that (EC2InstanceID)."""
    cpus: float = 0.0
    memory: int = 0
    free_cpus: float = 0.0
    free_memory: int = 0
    load: float = 0.0
    slots: tuple[Slot, ...] = ()
    """Those with a job and the static ones; what a partitionable slot has left is in `free_…`."""
    draining: bool = False
    drain_reason: str = ""
    drain_id: str = ""
    """HTCondor's id of the request to drain; needed to take it back."""
    seen: float = 0.0
    """When the collector heard of it last (`LastHeardFrom`): by HTCondor's defaults up to 5 minutes ago."""


class Queue(Record, frozen=True, tag="queue"):
    """Jobs of one owner at one schedd. Its id is `queue:`, then pool, schedd and owner with `/` between."""

    pool: str
    schedd: str
    owner: str
    idle: int = 0
    running: int = 0
    held: int = 0
