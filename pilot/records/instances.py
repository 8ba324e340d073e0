"""What only EC2 knows of a node that is an instance."""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.records.base import Record
from pilot.records.leases import Lease

InstanceState = Literal["pending", "running", "stopping", "stopped", "shutting-down", "terminated"]
Check = Literal["ok", "initializing", "impaired", "insufficient-data", "not-applicable", ""]


class Price(msgspec.Struct, frozen=True, gc=False):
    """What an instance costs while it runs, without disks and traffic."""

    hour: float
    """US dollars."""
    dated: float
    """When this price held: seconds since the epoch."""
    source: Literal["api", "table", "spot"]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What EC2 will do to it by itself: a scheduled event, or the end of a spot instance."""

    code: str
    """As EC2 calls it, such as `instance-retirement`."""
    words: str
    not_before: float = 0.0
    """0 if no time is told."""


class Instance(Record, frozen=True, tag="instance"):
    """An EC2 instance. Its id is `instance:` and EC2's id; the node is `ec2:` and the same."""

    node: str
    cluster: str
    """The node's: who may see the one may see the other."""
    region: str
    account: str
    state: InstanceState
    launched: float
    """When it was started last."""
    name: str = ""
    """Its Name tag, or EC2's id."""
    network: str = ""
    """What its VPC and its subnet are called, with `/` between; of those without a name, the subnet's id."""
    type: str = ""
    ami: str = ""
    vpc: str = ""
    subnet: str = ""
    zone: str = ""
    private_address: str = ""
    public_address: str = ""
    private_name: str = ""
    """Its private DNS name: what HTCondor on it may call itself."""
    reason_code: str = ""
    """EC2's StateReason, such as `Server.SpotInstanceTermination`."""
    reason: str = ""
    """In words: StateReason's message, with the time of StateTransitionReason where there is one."""
    system_check: Check = ""
    instance_check: Check = ""
    events: tuple[Event, ...] = ()
    spot: bool = False
    hibernates: bool = False
    """Whether it was made so that it can hibernate."""
    price: Price | None = None
    idle_since: float | None = None
    """Since when its processors have done next to nothing; None while they work or that is not known."""
    lease: Lease | None = None
    may: tuple[str, ...] | None = None
    """Verbs that a dry run says its account may use on it; None before that was asked."""
    may_not: tuple[str, ...] = ()
    """Verbs that a dry run says it may not use. What is in neither was not asked about yet."""
