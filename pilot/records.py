"""The vocabulary as frozen records with stable ids: what the inventory holds and watchers receive.

Times are seconds since the epoch (UTC), as floats. Sizes are KiB. An id is stable for as long as the
thing exists and is unique over all kinds of records.

There are thousands of them, and they cannot form cycles: the garbage collector is spared them (`gc=False`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

NodeState = Literal["on", "off", "paused", "stopping", "crashed", "suspended", "unknown"]
HostState = Literal["connecting", "up", "down"]
Role = Literal["viewer", "operator", "owner", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "operator", "owner", "admin")
"""Weakest first: a role may do all that the roles before it may."""


def role_covers(held: Role, needed: Role) -> bool:
    """Whether a signer who holds one role may use what needs the other."""
    return ROLES.index(held) >= ROLES.index(needed)


class Grant(msgspec.Struct, frozen=True):
    """What a signer may do in one cluster. Cluster `*` is the site: every cluster, and its admin work."""

    cluster: str
    role: Role


class Nic(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A network interface of a node, as the domain's XML defines it."""

    mac: str
    network: str = ""
    """Bridge, libvirt network or host device it is plugged into; empty if it has none."""
    vlan: int | None = None
    model: str = ""


class Disk(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A disk of a node, as the domain's XML defines it."""

    target: str
    """Its name in the domain, such as `vda`."""
    device: str = "disk"
    """disk, cdrom, floppy or lun."""
    bus: str = ""
    size: int = 0
    """Capacity that the guest sees, in KiB; 0 while it is not known."""
    source: str = ""
    """Name of the image, volume or device behind it, without its folder; empty for an empty drive."""


class Record(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True, gc=False):
    """Base of all records; `kind` is the tag on the wire."""

    id: str


class Host(Record, frozen=True, tag="host"):
    """A hypervisor. Its id is `host:` and its name."""

    name: str
    uri: str
    state: HostState
    since: float
    detail: str = ""
    """Why it is not up, in a few words that tell nothing of the site: for all who see the host."""
    words: str = ""
    """Why it is not up, as libvirt said it, addresses and paths included: for the site's own people."""
    libvirt: str = ""
    hypervisor: str = ""


class Cluster(Record, frozen=True, tag="cluster"):
    """A virtual cluster. Its id is `cluster:` and its name."""

    name: str
    vlan: int | None = None
    protected: bool = False
    """A protected cluster asks for its name before a disruptive verb."""


class Node(Record, frozen=True, tag="node"):
    """A VM as its cluster sees it. Its id is the domain's UUID, which is its identity."""

    name: str
    cluster: str
    """Empty for a domain that belongs to no cluster: only site admins see it."""
    host: str
    domain: str
    state: NodeState
    since: float
    """When the state was entered, or first seen."""
    appliance: str = ""
    stale_since: float | None = None
    """Since when the host does not answer: the state is the last one known. None while it is live."""
    hung_ms: int | None = None
    """For how long QEMU has not answered its monitor (virDomainGetControlInfo). None while it does."""
    nics: tuple[Nic, ...] = ()
    disks: tuple[Disk, ...] = ()
    vcpus: int = 0
    memory: int = 0
    serial: bool = False
    """Whether the domain has a serial console to open."""
    screen: bool = False
    """Whether the domain has a screen that VNC shows."""
    recorded: bool = False
    """Whether its serial console is being recorded."""
    writer: str = ""
    """The principal who types at the serial console now; several with commas."""
    watchers: int = 0
    """How many others are attached to it."""


AnyRecord = Host | Cluster | Node
