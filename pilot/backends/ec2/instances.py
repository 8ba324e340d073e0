"""What EC2 describes, as records. Half an answer gives half a record, never an error.

States and reasons: EC2 API reference, Instance, StateReason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast, get_args

import msgspec

from pilot.records import Check, Event, Instance, InstanceState, Nic, Node, NodeState, Price

STATES: tuple[str, ...] = get_args(InstanceState)
MOVING = ("pending", "stopping", "shutting-down")
"""States that lead to another by themselves."""
_NODE: dict[str, NodeState] = {
    "pending": "off",
    "running": "on",
    "stopping": "stopping",
    "shutting-down": "stopping",
    "stopped": "off",
    "terminated": "off",
}
"""A pending instance does not run yet: `on` is what `power.on --wait` waits for."""
_CHECKS = get_args(Check)
_MOST = 2**30
_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_REASONS = {
    "Client.UserInitiatedShutdown": "turned off by its users",
    "Client.UserInitiatedHibernate": "hibernated by its users",
    "Client.InstanceInitiatedShutdown": "turned itself off",
    "Client.InstanceTerminated": "ended while it was starting",
    "Client.InternalError": "ended by a client error: often a disk whose key may not be used",
    "Client.InvalidSnapshot.NotFound": "its snapshot was not found",
    "Client.VolumeLimitExceeded": "the account may not have more volumes",
    "Server.InsufficientInstanceCapacity": "AWS had no room for it",
    "Server.InternalError": "ended by a fault at AWS",
    "Server.ScheduledStop": "stopped by AWS, as it had scheduled",
    "Server.SpotInstanceShutdown": "stopped by AWS: its spot capacity was taken back",
    "Server.SpotInstanceTermination": "ended by AWS: its spot capacity was taken back",
}


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What an instance type is."""

    vcpus: int = 0
    memory: int = 0
    """KiB."""
    nitro: bool | None = None
    """None while that is not known."""


class Facts(msgspec.Struct, frozen=True):
    """What is known of an instance besides its description."""

    kind: Kind = Kind()
    subnet: str = ""
    """Its subnet's name."""
    system: Check = ""
    instance: Check = ""
    events: tuple[Event, ...] = ()
    price: Price | None = None
    idle_since: float | None = None
    may: tuple[str, ...] | None = None
    may_not: tuple[str, ...] = ()


def text(value: object, limit: int = 256) -> str:
    """A string that can be shown; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[:limit])


def count(value: object) -> int:
    """How many of something, where that can be; 0 for anything else."""
    return value if type(value) is int and 0 < value < _MOST else 0


def moment(value: object) -> float:
    """A time as AWS's library gives it; 0 for anything else."""
    return value.timestamp() if isinstance(value, datetime) else 0.0


def table(value: object) -> Mapping[str, Any]:
    """A structure of an answer; empty for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """A list of structures of an answer, without what is none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def tags(raw: Mapping[str, Any]) -> dict[str, str]:
    """The tags."""
    return {text(row.get("Key")): text(row.get("Value")) for row in rows(raw.get("Tags"))}


def state_of(raw: Mapping[str, Any]) -> InstanceState | None:
    """The state; None if it is not one that EC2 has."""
    name = table(raw.get("State")).get("Name")
    return cast("InstanceState", name) if name in STATES else None


def reason_of(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Why it is not running: EC2's code, and words with the time where there is one."""
    told = table(raw.get("StateReason"))
    code, message = text(told.get("Code")), text(told.get("Message"))
    change = text(raw.get("StateTransitionReason"))
    if state_of(raw) == "running":
        return "", ""
    words = _REASONS.get(code) or message.removeprefix(f"{code}:").strip()
    if words and code in _REASONS and message and not message.startswith(code):
        words = f"{words} ({message})"
    when = _WHEN.search(change)
    if not words:
        words = _WHEN.sub("", change).strip()
    return code, f"{words}, {when[1]} UTC" if when and words else words


def ended_at(raw: Mapping[str, Any]) -> float:
    """When its state changed last, as StateTransitionReason says; 0 if it does not."""
    when = _WHEN.search(text(raw.get("StateTransitionReason")))
    if when is None:
        return 0.0
    try:
        return datetime.strptime(when[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def check_of(summary: object) -> Check:
    """A status check's outcome."""
    status = table(summary).get("Status")
    return cast("Check", status) if status in _CHECKS else ""


def events_of(status: Mapping[str, Any]) -> tuple[Event, ...]:
    """Scheduled events that are not over."""
    out = []
    for row in rows(status.get("Events")):
        words = text(row.get("Description"))
        if not words.startswith(("[Completed]", "[Canceled]")):
            out.append(Event(text(row.get("Code")), words, moment(row.get("NotBefore"))))
    return tuple(out)


def kind_of(raw: Mapping[str, Any]) -> Kind:
    """An instance type, as DescribeInstanceTypes describes it."""
    vcpus = count(table(raw.get("VCpuInfo")).get("DefaultVCpus"))
    memory = count(table(raw.get("MemoryInfo")).get("SizeInMiB"))
    hypervisor = raw.get("Hypervisor")
    nitro = True if raw.get("BareMetal") is True else None if not hypervisor else hypervisor == "nitro"
    return Kind(vcpus, memory * 1024, nitro)


def node_id(instance_id: str) -> str:
    """The id of the node that an instance is."""
    return f"ec2:{instance_id}"


_READ = frozenset({
    "InstanceId", "State", "StateReason", "StateTransitionReason", "Tags", "CpuOptions", "SubnetId", "VpcId",
    "NetworkInterfaces", "LaunchTime", "InstanceType", "ImageId", "Placement", "PrivateIpAddress",
    "PublicIpAddress", "PrivateDnsName", "InstanceLifecycle", "HibernationOptions", "Platform",
    "PlatformDetails",
})  # fmt: skip
_NIC = ("MacAddress", "SubnetId", "Status")


def lean(page: Any) -> None:
    """Leave nothing in an answer of DescribeInstances that no record is made of: it is kept for thousands."""
    for reservation in rows(table(page).get("Reservations")):
        for raw in rows(reservation.get("Instances")):
            instance = cast("dict[str, Any]", raw)
            for name in instance.keys() - _READ:
                del instance[name]
            if "NetworkInterfaces" in instance:
                instance["NetworkInterfaces"] = [
                    {name: nic[name] for name in _NIC if name in nic}
                    for nic in rows(instance["NetworkInterfaces"])
                ]


def whole(_page: Any) -> None:
    """Leave an answer as it is: all of it is needed."""


def records(
    raw: Mapping[str, Any],
    account: str,
    region: str,
    tag: str,
    facts: Facts,
    since: float,
    stale_since: float | None,
) -> tuple[Node, Instance] | None:
    """An instance's two records; None if it has no id or no state.

    Args:
        raw: as DescribeInstances describes it.
        account: what the site calls the account.
        region: the region's name.
        tag: the tag that names the cluster.
        facts: what else is known.
        since: when its state was first seen.
        stale_since: since when the region does not answer; None while it does.
    """  # fmt: skip
    instance_id, state = text(raw.get("InstanceId"), 64), state_of(raw)
    if not instance_id.startswith("i-") or state is None:
        return None
    named = tags(raw)
    name, cluster = named.get("Name") or instance_id, named.get(tag, "")
    code, reason = reason_of(raw)
    cpus = table(raw.get("CpuOptions"))
    vcpus = count(cpus.get("CoreCount")) * count(cpus.get("ThreadsPerCore")) or facts.kind.vcpus
    subnet = text(raw.get("SubnetId"))
    nics = tuple(
        Nic(
            mac=text(nic.get("MacAddress")).lower(),
            network=facts.subnet or text(nic.get("SubnetId")) or subnet,
            kind="eni",
            link=nic.get("Status", "in-use") == "in-use",
        )
        for nic in rows(raw.get("NetworkInterfaces"))
        if text(nic.get("MacAddress"))
    )
    node = Node(
        id=node_id(instance_id), name=name, cluster=cluster, host=region, domain=instance_id,
        state=_NODE[state], since=since, appliance=named.get("pilot:appliance", ""),
        stale_since=stale_since, nics=nics, vcpus=vcpus, memory=facts.kind.memory,
        serial=facts.kind.nitro is not False, provider="ec2",
    )  # fmt: skip
    instance = Instance(
        id=f"instance:{instance_id}", node=node.id, cluster=cluster, region=region, account=account,
        state=state, launched=moment(raw.get("LaunchTime")), name=name, network=facts.subnet,
        type=text(raw.get("InstanceType")),
        ami=text(raw.get("ImageId")), vpc=text(raw.get("VpcId")), subnet=subnet,
        zone=text(table(raw.get("Placement")).get("AvailabilityZone")),
        private_address=text(raw.get("PrivateIpAddress")), public_address=text(raw.get("PublicIpAddress")),
        private_name=text(raw.get("PrivateDnsName")), reason_code=code, reason=reason,
        system_check=facts.system, instance_check=facts.instance, events=facts.events,
        spot=raw.get("InstanceLifecycle") == "spot",
        hibernates=table(raw.get("HibernationOptions")).get("Configured") is True,
        price=facts.price, idle_since=facts.idle_since if state == "running" else None,
        may=facts.may,
        may_not=facts.may_not,
    )  # fmt: skip
    return node, instance


def system_of(raw: Mapping[str, Any]) -> str:
    """The operating system that its price is for, as the pricing API calls it."""
    details = text(raw.get("PlatformDetails"))
    if text(raw.get("Platform")).lower() == "windows" or details.startswith("Windows"):
        return "Windows"
    if details.startswith("Red Hat Enterprise Linux"):
        return "RHEL"
    return "SUSE" if details.startswith("SUSE") else "Linux"
