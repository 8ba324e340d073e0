"""Hosts, and what they have: storage pools and networks."""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.records.base import Record

HostState = Literal["connecting", "up", "down"]


class Cordon(msgspec.Struct, frozen=True, gc=False):
    """No node is started on a host any more, by whom and why."""

    principal: str
    since: float
    why: str = ""


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
    cpus: int = 0
    """Processors that the host's kernel runs; 0 while that is not known."""
    memory: int = 0
    cordon: Cordon | None = None


class Volume(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A volume of a storage pool."""

    name: str
    capacity: int
    """What a guest sees."""
    allocation: int
    """What it takes of the pool."""
    nodes: tuple[str, ...] = ()
    """Ids of the nodes that use it, as their domains' XML names it."""


class Pool(Record, frozen=True, tag="pool"):
    """A storage pool of a host. Its id is `pool:`, the host's name, `/` and its own."""

    host: str
    name: str
    type: str
    """dir, logical, rbd, … as libvirt calls it."""
    active: bool = True
    capacity: int = 0
    allocation: int = 0
    available: int = 0
    volumes: tuple[Volume, ...] = ()
    more: int = 0
    """Volumes that are not in the record: there are too many."""
    seen: float = 0.0
    """When this was read."""
    words: str = ""
    """Why it could not be read."""


NetworkKind = Literal["bridge", "network", "openvswitch", "direct", "other"]


class Network(Record, frozen=True, tag="network"):
    """What NICs of a host's nodes are plugged into. Its id is `net:`, the host's name, `/` and its own."""

    host: str
    name: str
    """Of the bridge, the libvirt network, or the device behind macvtap."""
    type: NetworkKind
    bridge: str = ""
    """The bridge of a libvirt network."""
    vlan: int | None = None
    up: bool | None = None
    """Whether it carries traffic; None if that cannot be known from here."""
    missing: bool = False
    """Nodes are plugged into it and the host does not have it."""
    words: str = ""
