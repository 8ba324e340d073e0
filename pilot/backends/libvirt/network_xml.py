"""What the XML of a libvirt network, or of a host's interface, says of bridges and VLANs. Pure functions.

Formats: https://libvirt.org/formatnetwork.html, and for interfaces libvirt's docs/schemas/interface.rng.
"""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

import msgspec

MAX_XML = 1024 * 1024
_NAMED = re.compile(r"(?:vlan|\.)(\d{1,4})$")


class NetworkFacts(msgspec.Struct, frozen=True):
    """What a libvirt network's XML says."""

    bridge: str = ""
    forward: str = ""
    """bridge, nat, route, open, private, vepa, passthrough, hostdev; empty for an isolated one."""
    device: str = ""
    """The host's device that it leads to."""
    vlan: int | None = None
    openvswitch: bool = False

    @property
    def uses_existing_bridge(self) -> bool:
        """Whether the bridge is the host's, and not one that libvirt makes with the network."""
        return self.forward == "bridge" and self.bridge != ""


class InterfaceFacts(msgspec.Struct, frozen=True):
    """What an interface's XML says."""

    vlan: int | None = None
    ports: tuple[str, ...] = ()
    """Of a bridge."""


def named_vlan(name: str) -> int | None:
    """The VLAN that a device's name tells, as Rocks and Linux make such names: `vlanN`, `….N`."""
    found = _NAMED.search(name)
    return _tag(found[1]) if found else None


def read_network(text: str) -> NetworkFacts:
    """What a network's XML says; nothing if it cannot be read."""
    root = _parse(text)
    if root is None:
        return NetworkFacts()
    bridge, forward = root.find("bridge"), root.find("forward")
    device = None if forward is None else forward.find("interface")
    named = "" if forward is None else forward.get("dev", "")
    port = root.find("virtualport")
    return NetworkFacts(
        bridge="" if bridge is None else bridge.get("name", ""),
        # An element without a mode means this one.
        forward="" if forward is None else forward.get("mode", "nat"),
        device=named or ("" if device is None else device.get("dev", "")),
        vlan=_network_vlan(root),
        openvswitch=port is not None and port.get("type") == "openvswitch",
    )


def read_interface(text: str) -> InterfaceFacts:
    """What the XML of a host's interface says; nothing if it cannot be read.

    A bridge carries the VLAN of its ports, if they have one and the same.
    """
    root = _parse(text)
    if root is None:
        return InterfaceFacts()
    ports = tuple(port.get("name", "") for port in root.iterfind("bridge/interface"))
    tagged = _one(_tag(element.get("tag", "")) for element in root.iter("vlan"))
    return InterfaceFacts(tagged or _one(named_vlan(port) for port in ports), ports)


def _network_vlan(root: ET.Element) -> int | None:
    """Of the network, or of its default port group. Several tags are a trunk, which is no VLAN's."""
    groups = [group for group in root.iterfind("portgroup") if group.get("default") == "yes"]
    for place in (root, *groups):
        vlan = place.find("vlan")
        if vlan is not None and vlan.get("trunk") != "yes":
            tags = vlan.findall("tag")
            return _tag(tags[0].get("id", "")) if len(tags) == 1 else None
    return None


def _one(tags: Iterable[int | None]) -> int | None:
    """The tag, if there is exactly one among them."""
    found = {tag for tag in tags if tag is not None}
    return found.pop() if len(found) == 1 else None


def _tag(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and 0 < int(text[:8]) < 4095 else None


def _parse(text: str) -> ET.Element | None:
    # libvirt never writes a document type, and entities are what XML's bombs are made of.
    if len(text) > MAX_XML or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    with contextlib.suppress(ET.ParseError, ValueError, RecursionError):
        return ET.fromstring(text)  # noqa: S314
    return None
