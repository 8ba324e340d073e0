"""Nodes: what a cluster computes with, on a host of the site or as an EC2 instance."""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.records.base import Record
from pilot.records.leases import Drain, Lease

NodeState = Literal["on", "off", "paused", "stopping", "crashed", "suspended", "unknown"]
NodeProvider = Literal["libvirt", "ec2"]


class Nic(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A network interface of a node, as the domain's XML defines it. What names it is the node's id, `/` and
    its place in the list, from 0."""

    mac: str
    network: str = ""
    """Bridge, libvirt network or host device it is plugged into; empty if it has none."""
    vlan: int | None = None
    """Of its own, or the one that carries what it is plugged into; None if it has none that is known."""
    model: str = ""
    kind: str = ""
    """How it is plugged in: bridge, network, direct (macvtap), openvswitch, user, …; empty if not known."""
    link: bool = True
    """Whether the cable is plugged in, as the domain's XML says."""


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


class Node(Record, frozen=True, tag="node"):
    """A VM as its cluster sees it, on a host of the site or in a region of EC2.

    Its id is the domain's UUID, which is its identity; of an instance, `ec2:` and the instance id.
    """

    name: str
    cluster: str
    """Empty for a domain that belongs to no cluster: only site admins see it."""
    host: str
    """Its host's name; of an instance, its region's."""
    domain: str
    """What the hypervisor calls it; of an instance, its id at EC2."""
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
    provider: NodeProvider = "libvirt"
    """What drives it."""
    lease: Lease | None = None
    """When airboss turns it off; None if it does not."""
    drain: Drain | None = None
    """That it is turned off once it is empty; None if it is not."""
